package schemas

import (
	"iter"
	"path"
)

// AdmitsNode reports whether a query with this selection is for the node of that name and groups.
// A malformed glob admits nothing.
func (s *Select) AdmitsNode(name string, groups []string) bool {
	return admits(s.Nodes, name) && (len(s.Groups) == 0 || anyAdmitted(s.Groups, groups))
}

// AdmitsRecord is AdmitsNode of a node's record. Of a node that is known by name alone the groups may be anything.
func (s *Select) AdmitsRecord(n *Node) bool {
	if n.Instance == "" {
		return admits(s.Nodes, n.Name)
	}
	return s.AdmitsNode(n.Name, n.Groups)
}

func admits(globs []string, name string) bool {
	for _, g := range globs {
		if ok, err := path.Match(g, name); ok && err == nil {
			return true
		}
	}
	return len(globs) == 0
}

func anyAdmitted(globs, names []string) bool {
	for _, n := range names {
		if admits(globs, n) {
			return true
		}
	}
	return false
}

// AddName appends a glob to Include or Exclude, behind all that either holds.
func (s *Select) AddName(glob string, include bool) {
	last := len(s.NameRuns) - 1
	if include && last < 0 && len(s.Exclude) > 0 {
		s.NameRuns = []int64{int64(len(s.Include)), int64(len(s.Exclude))}
		last = 1
	}
	if last >= 0 {
		if include != (last%2 == 0) {
			s.NameRuns = append(s.NameRuns, 0)
			last++
		}
		s.NameRuns[last]++
	}
	if include {
		s.Include = append(s.Include, glob)
	} else {
		s.Exclude = append(s.Exclude, glob)
	}
}

// Names yields the globs of Include, with true, and of Exclude, in the order in which they were
// given. A selection that is not valid may yield fewer.
func (s *Select) Names() iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		runs := s.NameRuns
		if len(runs) == 0 {
			runs = []int64{int64(len(s.Include)), int64(len(s.Exclude))}
		}
		lists := [2][]string{s.Include, s.Exclude}
		for i, run := range runs {
			list := &lists[i%2]
			for ; run > 0 && len(*list) > 0; run-- {
				if !yield((*list)[0], i%2 == 0) {
					return
				}
				*list = (*list)[1:]
			}
		}
	}
}

func (s *Select) validate() error {
	for _, l := range []struct {
		field string
		globs []string
	}{
		{"query.nodes", s.Nodes}, {"query.groups", s.Groups}, {"query.services", s.Services},
		{"query.paths", s.Paths}, {"query.include", s.Include}, {"query.exclude", s.Exclude},
	} {
		if err := validateGlobs(l.field, l.globs); err != nil {
			return err
		}
	}
	if err := s.validateNameRuns(); err != nil {
		return err
	}
	return validateLabels("query.labels", s.Labels)
}

func (s *Select) validateNameRuns() error {
	if len(s.NameRuns) == 0 {
		return nil
	}
	var sums [2]int64
	for i, run := range s.NameRuns {
		if run < 0 || run > MaxGlobs {
			return fieldErrorf("query.name_runs", "holds %d", run)
		}
		sums[i%2] += run
	}
	if include, exclude := int64(len(s.Include)), int64(len(s.Exclude)); sums != [2]int64{include, exclude} {
		return fieldErrorf("query.name_runs", "counts %d and %d globs, not %d and %d", sums[0], sums[1], include, exclude)
	}
	return nil
}

func validateGlobs(field string, globs []string) error {
	if len(globs) > MaxGlobs {
		return fieldErrorf(field, "has %d globs, more than %d", len(globs), MaxGlobs)
	}
	for _, g := range globs {
		switch {
		case g == "":
			return fieldErrorf(field, "holds an empty glob")
		case len(g) > MaxGlob:
			return fieldErrorf(field, "holds a glob of %d bytes, more than %d", len(g), MaxGlob)
		}
	}
	return nil
}

func validateLabels(field string, labels []Label) error {
	if len(labels) > MaxGlobs {
		return fieldErrorf(field, "has %d labels, more than %d", len(labels), MaxGlobs)
	}
	for _, l := range labels {
		switch {
		case l.K == "":
			return fieldErrorf(field, "holds a label without a key")
		case len(l.K) > MaxGlob || len(l.V) > MaxGlob:
			return fieldErrorf(field, "holds a label of more than %d bytes", MaxGlob)
		}
	}
	return nil
}
