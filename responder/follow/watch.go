package follow

import (
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// maxTouched is how many names a Watch remembers; beyond them it says that all are touched.
const maxTouched = 1024

// Watcher hears what the system says of changes in directories, for all Followers of a node. It holds
// no system resource while nobody watches. It is safe for concurrent use.
type Watcher struct {
	mu      sync.Mutex
	system  *fsnotify.Watcher // nil: nobody watches, or there is none
	watches map[*Watch]bool
	dirs    map[string]bool // that the system watches
	failed  map[string]bool // that it cannot
}

// NewWatcher returns a Watcher.
func NewWatcher() *Watcher {
	return &Watcher{watches: map[*Watch]bool{}, dirs: map[string]bool{}, failed: map[string]bool{}}
}

// Watch is one Follower's part of a Watcher. C is sent to when there is something to Take.
type Watch struct {
	C    <-chan struct{}
	c    chan struct{}
	of   *Watcher
	dirs map[string]bool
	news News
}

// News are what was heard since they were taken last.
type News struct {
	Touched map[string]bool // names of files that were written to
	Names   bool            // a name has come, gone or changed
	All     bool            // anything may have happened
}

// Watch begins to watch, no directory yet.
func (w *Watcher) Watch() *Watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{}, 1)
	s := &Watch{C: c, c: c, of: w, dirs: map[string]bool{}}
	w.watches[s] = true
	if w.system == nil {
		if system, err := fsnotify.NewWatcher(); err == nil {
			w.system = system
			go w.listen(system)
		}
	}
	return s
}

// Dirs sets which directories are watched, by their real names.
func (s *Watch) Dirs(dirs []string) {
	w := s.of
	w.mu.Lock()
	defer w.mu.Unlock()
	s.dirs = make(map[string]bool, len(dirs))
	for _, d := range dirs {
		s.dirs[d] = true
	}
	w.update()
}

// update has the system watch what is watched. Mu is held.
func (w *Watcher) update() {
	wanted := map[string]bool{}
	for s := range w.watches {
		maps.Copy(wanted, s.dirs)
	}
	if w.system == nil {
		return
	}
	for d := range w.dirs {
		if !wanted[d] {
			_ = w.system.Remove(d) // it may be gone
			delete(w.dirs, d)
		}
	}
	for d := range wanted {
		if w.dirs[d] {
			continue
		}
		if w.system.Add(d) == nil {
			w.dirs[d] = true
			delete(w.failed, d)
		} else {
			w.failed[d] = true
		}
	}
	maps.DeleteFunc(w.failed, func(d string, _ bool) bool { return !wanted[d] })
}

// Blind says whether some of the directories cannot be watched.
func (s *Watch) Blind() bool {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.of.system == nil {
		return true
	}
	for d := range s.of.failed {
		if s.dirs[d] {
			return true
		}
	}
	return false
}

// Take returns what was heard, and forgets it.
func (s *Watch) Take() News {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	news := s.news
	s.news = News{}
	return news
}

// Again has the next Take say once more that names have changed, without a send to C.
func (s *Watch) Again() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.news.Names = true
}

// Close ends the watch.
func (s *Watch) Close() {
	w := s.of
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watches, s)
	if len(w.watches) == 0 && w.system != nil {
		_ = w.system.Close() // ends listen
		w.system = nil
		clear(w.dirs)
		clear(w.failed)
		return
	}
	w.update()
}

// listen hands on what the system says until it is closed.
func (w *Watcher) listen(system *fsnotify.Watcher) {
	for {
		select {
		case e, ok := <-system.Events:
			if !ok {
				return
			}
			w.hear(system, e)
		case _, ok := <-system.Errors: // events were lost
			if !ok {
				return
			}
			w.tell(func(s *Watch) bool { s.news.All, s.news.Names = true, true; return true })
		}
	}
}

func (w *Watcher) hear(system *fsnotify.Watcher, e fsnotify.Event) {
	dir, names := filepath.Dir(e.Name), e.Op&^(fsnotify.Write|fsnotify.Chmod) != 0
	if e.Op == fsnotify.Chmod {
		return
	}
	w.tell(func(s *Watch) bool {
		if !s.dirs[dir] && !s.dirs[e.Name] {
			return false
		}
		if s.news.Names = s.news.Names || names; names {
			return true
		}
		if s.news.Touched == nil {
			s.news.Touched = map[string]bool{}
		}
		if s.news.Touched[e.Name] = true; len(s.news.Touched) > maxTouched {
			s.news.Touched, s.news.All = nil, true
		}
		return true
	})
	if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
		w.mu.Lock()
		if w.system == system && w.dirs[e.Name] && !slices.Contains(system.WatchList(), e.Name) {
			delete(w.dirs, e.Name)
		}
		w.mu.Unlock()
	}
}

// tell tells those who watch, as far as news says that it concerns them.
func (w *Watcher) tell(news func(*Watch) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.watches {
		if news(s) {
			select {
			case s.c <- struct{}{}:
			default:
			}
		}
	}
}
