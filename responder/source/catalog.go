package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"
	"time"
)

// ErrTooMany says that the globs expand to more than the configured number of files.
var ErrTooMany = errors.New("glob expansion over its limit")

// DefaultMaxFiles is how many files a catalog holds unless Options say otherwise.
const DefaultMaxFiles = 100_000

// Source registers files: absolute globs (with ** for any number of directories), the service that
// they belong to, and labels. Exclude holds globs of files and directories to leave out. Without a
// Service each file's is derived by ServiceOf.
type Source struct {
	Service string
	Globs   []string
	Exclude []string
	Labels  map[string]string
	// LabelsOf, if set, gives further labels of a file by its name; those of Labels go before them. Where
	// Service is empty and ServiceLabel is among the labels, it is the file's service.
	LabelsOf     func(name string) map[string]string
	ServiceLabel string
}

// Options configure a Catalog.
type Options struct {
	Sources  []Source
	Roots    []string          // directories beyond the globs' prefixes into which links may lead
	Labels   map[string]string // the node's labels; a source's own come first
	MaxFiles int               // 0: DefaultMaxFiles
}

// Entry is a registered file as it was when the snapshot was taken.
type Entry struct {
	Path    string // absolute, as the glob sees it; it may lead through links
	Service string
	Labels  map[string]string // shared between entries: not to be changed
	Size    int64
	ModTime time.Time
	ID      ID

	root, rel string // what is opened: rel, without links, beneath root
	source    int
	linked    bool
}

// Source returns the index in Options.Sources of the source that registers the file.
func (e *Entry) Source() int { return e.source }

// Problem is a place that could not be read, so that files may be missing (Snapshot.Failed), or a
// match that is not registered (Snapshot.Refused).
type Problem struct {
	Path   string
	Err    error
	source int
}

// Snapshot is what the globs named at one moment. It is immutable.
type Snapshot struct {
	Files   []*Entry // in natural order of their paths
	Failed  []Problem
	Refused []Problem
	Bytes   int64
	Taken   time.Time // when the scan began: what existed by then is in it
	Cost    time.Duration
	// Unsettled says that names kept changing while they were read: a file may be missing.
	Unsettled bool

	dirs map[string]time.Time // those that were listed, by their real names, and when they had changed last
}

// Catalog keeps the newest Snapshot of a set of sources. It is safe for concurrent use.
type Catalog struct {
	sources  []compiled
	roots    []string
	maxFiles int

	mu      sync.Mutex
	newest  *Snapshot
	running *scan
}

// compiled is a Source made ready for the walk.
type compiled struct {
	Source
	globs, exclude []*glob
}

// scan is a walk under way, which its callers share.
type scan struct {
	done chan struct{}
	snap *Snapshot
	err  error
}

// NewCatalog checks the sources; it reads nothing yet.
func NewCatalog(o Options) (*Catalog, error) {
	c := &Catalog{maxFiles: o.MaxFiles}
	if c.maxFiles <= 0 {
		c.maxFiles = DefaultMaxFiles
	}
	for _, s := range o.Sources {
		labels := maps.Clone(o.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		maps.Copy(labels, s.Labels)
		cs := compiled{Source: s}
		cs.Labels = labels
		var err error
		if cs.globs, err = newGlobs(s.Globs); err != nil {
			return nil, err
		}
		if cs.exclude, err = newGlobs(s.Exclude); err != nil {
			return nil, err
		}
		for _, g := range cs.globs {
			c.roots = append(c.roots, g.prefix)
		}
		c.sources = append(c.sources, cs)
	}
	for _, r := range o.Roots {
		if !path.IsAbs(r) {
			return nil, fmt.Errorf("root %q: it is not absolute", r)
		}
		c.roots = append(c.roots, path.Clean(r))
	}
	return c, nil
}

func newGlobs(patterns []string) ([]*glob, error) {
	var globs []*glob
	for _, p := range patterns {
		g, err := newGlob(p)
		if err != nil {
			return nil, err
		}
		globs = append(globs, g)
	}
	return globs, nil
}

// Newest returns the last snapshot without reading anything; nil before the first scan.
func (c *Catalog) Newest() *Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest
}

// Refresh returns a snapshot that holds every file that existed when it was called. Callers that
// come while a scan is under way share the next one. Of very large trees, which take longer than
// 50 ms to scan, a snapshot of up to a second ago may be returned: at most 20 times what a scan
// costs. An error of ctx ends the wait, not the scan.
func (c *Catalog) Refresh(ctx context.Context) (*Snapshot, error) {
	return c.refresh(ctx, time.Now(), fresh)
}

// Again returns a snapshot that was begun after it was called, however long that takes.
func (c *Catalog) Again(ctx context.Context) (*Snapshot, error) {
	return c.refresh(ctx, time.Now(), func(s *Snapshot, asked time.Time) bool { return s != nil && !s.Taken.Before(asked) })
}

func (c *Catalog) refresh(ctx context.Context, asked time.Time, fresh func(*Snapshot, time.Time) bool) (*Snapshot, error) {
	for {
		c.mu.Lock()
		if fresh(c.newest, asked) {
			defer c.mu.Unlock()
			return c.newest, nil
		}
		s := c.running
		if s == nil {
			s = &scan{done: make(chan struct{})}
			c.running = s
			go c.run(s)
		}
		c.mu.Unlock()
		select {
		case <-s.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if s.err != nil {
			return nil, s.err
		}
	}
}

// fresh tells whether a snapshot will do for who asked at that time.
func fresh(s *Snapshot, asked time.Time) bool {
	if s == nil {
		return false
	}
	var slack time.Duration
	if s.Cost > 50*time.Millisecond {
		slack = min(20*s.Cost, time.Second)
	}
	return !s.Taken.Before(asked.Add(-slack))
}

func (c *Catalog) run(s *scan) {
	s.snap, s.err = c.settled()
	c.mu.Lock()
	if s.err == nil {
		c.newest = s.snap
	}
	c.running = nil
	c.mu.Unlock()
	close(s.done)
}

// scan walks all globs, the first source first.
func (c *Catalog) scan() (*Snapshot, error) {
	snap := &Snapshot{Taken: time.Now(), dirs: map[string]time.Time{}}
	byID := map[ID]*Entry{}
	allowed := resolveRoots(c.roots)
	budget := 20 * c.maxFiles
	for i := range c.sources {
		for _, g := range c.sources[i].globs {
			w := walker{glob: g, exclude: c.sources[i].exclude, roots: allowed, budget: &budget, dirs: snap.dirs}
			w.found = c.collect(snap, byID, allowed, i, g)
			if err := w.run(); err != nil {
				return nil, fmt.Errorf("glob %q: %w", g.pattern, err)
			}
		}
	}
	slices.SortFunc(snap.Files, func(a, b *Entry) int { return CompareNatural(a.Path, b.Path) })
	for _, e := range snap.Files {
		snap.Bytes += e.Size
	}
	snap.Cost = time.Since(snap.Taken)
	return snap, nil
}

// collect is what the walk of glob g of source i reports to.
func (c *Catalog) collect(snap *Snapshot, byID map[ID]*Entry, allowed roots, i int, g *glob) found {
	s := &c.sources[i]
	file := func(name, real string, info fs.FileInfo, linked bool) error {
		id := idOf(info)
		if old := byID[id]; old != nil && (old.source != i || !old.linked || linked) {
			return nil
		}
		root, rel, err := allowed.locate(real)
		if err != nil {
			snap.Refused = append(snap.Refused, Problem{name, err, i})
			return nil
		}
		e := byID[id]
		if e == nil {
			if len(snap.Files) >= c.maxFiles {
				return fmt.Errorf("%w: more than %d files", ErrTooMany, c.maxFiles)
			}
			e = &Entry{}
			byID[id] = e
			snap.Files = append(snap.Files, e)
		}
		service := s.Service
		if service == "" {
			service = ServiceOf(name, g.prefix)
		}
		labels := s.Labels
		if s.LabelsOf != nil {
			labels = joined(s.LabelsOf(name), s.Labels)
			if own := labels[s.ServiceLabel]; s.Service == "" && own != "" {
				service = own
			}
		}
		*e = Entry{Path: name, Service: service, Labels: labels, Size: info.Size(), ModTime: info.ModTime(),
			ID: id, root: root, rel: rel, source: i, linked: linked}
		return nil
	}
	return found{
		file:   file,
		fail:   func(name string, err error) { snap.Failed = append(snap.Failed, Problem{name, err, i}) },
		refuse: func(name string, err error) { snap.Refused = append(snap.Refused, Problem{name, err, i}) },
	}
}

// joined returns the labels of both; over's go before those of labels.
func joined(labels, over map[string]string) map[string]string {
	if len(labels) == 0 {
		return over
	}
	all := maps.Clone(over)
	for k, v := range labels {
		if _, has := all[k]; !has {
			all[k] = v
		}
	}
	return all
}

// NewEntry returns an entry of something that is no file, for a Filter to select; Catalog.Open does not
// open it. The name goes in place of the path.
func NewEntry(name, service string, labels map[string]string) *Entry {
	return &Entry{Path: name, Service: service, Labels: labels}
}

// Open opens the file of an entry, wherever log rotation has moved it since the snapshot, if a glob
// still names it. The error is about the file and does not repeat its name.
func (c *Catalog) Open(ctx context.Context, e *Entry) (*File, error) {
	f, err := c.OpenNow(e)
	if err == nil || !IsGone(err) {
		return f, err
	}
	snap, scanErr := c.Refresh(ctx)
	if scanErr != nil {
		return nil, scanErr
	}
	for _, now := range snap.Files {
		if now.ID == e.ID {
			if f, openErr := c.OpenNow(now); openErr == nil {
				return f, nil
			}
		}
	}
	return nil, fmt.Errorf("it vanished: %w", err)
}

// OpenNow opens the file of an entry under the name that it had. IsGone tells of an error whether it
// was renamed or deleted.
func (c *Catalog) OpenNow(e *Entry) (*File, error) {
	f, err := open(e)
	if err == nil && f.id != e.ID {
		f.Close()
		err = errOther
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

var errOther = errors.New("another file took its name")

// IsGone says whether an error of OpenNow is that the file has its name no more.
func IsGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errLink) || errors.Is(err, errOther)
}

func open(e *Entry) (*File, error) {
	f, err := openBeneath(e.root, e.rel)
	if err != nil {
		return nil, err
	}
	return newFile(f)
}
