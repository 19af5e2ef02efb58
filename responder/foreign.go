package responder

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// foreignStores are the sealed blocks that a node has of others, each home's in a directory of its own. They are
// safe for concurrent use.
type foreignStores struct {
	dir string
	log *slog.Logger

	mu     sync.Mutex
	stores map[string]*seal.Store // by home; nil before open
	zones  map[string]*time.Location
}

// newForeignStores returns nil where there is no state directory.
func newForeignStores(state string, log *slog.Logger) *foreignStores {
	if state == "" {
		return nil
	}
	return &foreignStores{dir: filepath.Join(state, "sealed-of"), log: log, zones: map[string]*time.Location{}}
}

// open opens what there is, once. f may be nil.
func (f *foreignStores) open() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stores != nil {
		return nil
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list the sealed blocks of other nodes: %w", err)
	}
	stores := map[string]*seal.Store{}
	for _, e := range entries {
		if !e.IsDir() || schemas.CheckToken("home", e.Name()) != nil {
			continue
		}
		s, err := seal.OpenForeign(filepath.Join(f.dir, e.Name()), f.log)
		if err != nil {
			for _, s := range stores {
				s.Close()
			}
			return err
		}
		stores[e.Name()] = s
	}
	f.stores = stores
	return nil
}

// close lets other processes have them. f may be nil.
func (f *foreignStores) close() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.stores {
		s.Close()
	}
	f.stores = nil
}

// opened says whether they are open.
func (f *foreignStores) opened() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stores != nil
}

// of returns the blocks of a home; nil if there are none. f may be nil.
func (f *foreignStores) of(home string) *seal.Store {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stores[home]
}

// homes are the nodes of which there may be blocks, sorted. f may be nil.
func (f *foreignStores) homes() []string {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.stores))
}

// make returns the blocks of a home, of which there may be none yet.
func (f *foreignStores) make(home string) (*seal.Store, error) {
	if err := schemas.CheckToken("home", home); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stores == nil {
		return nil, errNotOpen
	}
	if s := f.stores[home]; s != nil {
		return s, nil
	}
	s, err := seal.OpenForeign(filepath.Join(f.dir, home), f.log)
	if err != nil {
		return nil, err
	}
	f.stores[home] = s
	return s, nil
}

// zone is the zone of that name; nil if nobody knows it, or it is empty. Each is the same one whenever it is
// asked for, as the forms of times want it.
func (f *foreignStores) zone(name string) *time.Location {
	f.mu.Lock()
	defer f.mu.Unlock()
	if z, ok := f.zones[name]; ok || name == "" {
		return z
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		f.log.Warn("the zone of sealed lines is not known here; they are read in this node's", "zone", name, "err", err)
		z = nil
	}
	f.zones[name] = z
	return z
}
