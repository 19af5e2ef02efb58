package source

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// ErrParent says that a path glob of a query holds "..".
var ErrParent = errors.New(`".." is refused`)

// Label is one condition: the value of label K matches the glob V.
type Label struct{ K, V string }

// Selection is what a query asks for. Each list is an "or" of globs, empty admits everything, and
// the lists are joined by "and"; Labels of different keys are joined by "and".
//
// A glob of Paths that is absolute is compared with the whole path of a file; any other with the
// path's tail from any directory on, so that error.log, nginx/*.log and **/nginx/*.log all do what
// they say. A glob that names a directory admits what lies beneath it.
//
// Names are grep's --include and --exclude, which admit as NameRules.AdmitsFound says.
type Selection struct {
	Services []string
	Labels   []Label
	Paths    []string
	Names    NameRules
}

// Filter is a Selection that is ready for use. It only ever looks at names.
type Filter struct {
	services []string
	paths    []string
	labels   map[string][]string
	names    NameRules
}

// Compile checks the globs.
func (s Selection) Compile() (*Filter, error) {
	f := &Filter{services: s.Services, labels: map[string][]string{}, names: s.Names}
	for _, l := range s.Labels {
		if l.K == "" {
			return nil, errors.New("label selection: the key is empty")
		}
		if err := checkGlob(l.V); l.V != "" && err != nil {
			return nil, fmt.Errorf("label %s: %w", l.K, err)
		}
		f.labels[l.K] = append(f.labels[l.K], l.V)
	}
	for _, p := range s.Services {
		if err := checkGlob(p); err != nil {
			return nil, fmt.Errorf("service selection: %w", err)
		}
	}
	var err error
	f.paths, err = tails(s.Paths)
	return f, err
}

// tails turns globs over tails of a path into globs over the whole of it.
func tails(globs []string) ([]string, error) {
	var out []string
	for _, g := range globs {
		if err := checkGlob(g); err != nil {
			return nil, fmt.Errorf("path: %w", err)
		}
		if hasParent(g) {
			return nil, fmt.Errorf("path %q: %w", g, ErrParent)
		}
		abs := path.IsAbs(g)
		if g = cleanSlashes(g); !abs {
			g = "/**" + g
		}
		// The slash may have been part of braces: {/a,/b} has become {/a,/b} beneath "/**/".
		if !doublestar.ValidatePattern(g) {
			return nil, fmt.Errorf("path: %w %q", ErrBadGlob, g)
		}
		out = append(out, g)
	}
	return out, nil
}

// Admits tells whether an entry is selected.
func (f *Filter) Admits(e *Entry) bool {
	return admits(f.services, e.Service) && f.admitsLabels(e.Labels) && f.admitsPath(e.Path) && f.names.AdmitsFound(e.Path)
}

func admits(globs []string, name string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(g string) bool {
		return doublestar.MatchUnvalidated(g, name)
	})
}

func (f *Filter) admitsLabels(labels map[string]string) bool {
	for k, globs := range f.labels {
		v, ok := labels[k]
		if !ok || !slices.ContainsFunc(globs, func(g string) bool { return g == v || doublestar.MatchUnvalidated(g, v) }) {
			return false
		}
	}
	return true
}

// admitsPath compares the path, and each directory that it lies in, with the globs.
func (f *Filter) admitsPath(name string) bool {
	if len(f.paths) == 0 {
		return true
	}
	if !path.IsAbs(name) { // of what is no file
		name = "/" + name
	}
	for ; name != "/" && name != "."; name = path.Dir(name) {
		if admits(f.paths, name) {
			return true
		}
	}
	return false
}

// Select returns the entries that a filter admits, in the snapshot's order, and the problems because
// of which selected files may be missing.
func (c *Catalog) Select(s *Snapshot, f *Filter) ([]*Entry, []Problem) {
	var files []*Entry
	for _, e := range s.Files {
		if f.Admits(e) {
			files = append(files, e)
		}
	}
	var problems []Problem
	for _, p := range s.Failed {
		if f.concerns(p, &c.sources[p.source].Source) {
			problems = append(problems, p)
		}
	}
	return files, problems
}

// concerns tells whether the place of a problem could hold selected files.
func (f *Filter) concerns(p Problem, s *Source) bool {
	if s.Service != "" && !admits(f.services, s.Service) || s.LabelsOf == nil && !f.admitsLabels(s.Labels) {
		return false
	}
	if len(f.paths) == 0 {
		return true
	}
	return slices.ContainsFunc(f.paths, func(g string) bool {
		fixed, _, _ := strings.Cut(g, "*")
		if i := strings.IndexAny(fixed, globMeta); i >= 0 {
			fixed = fixed[:i]
		}
		return strings.HasPrefix(fixed, p.Path) || strings.HasPrefix(p.Path, fixed)
	})
}
