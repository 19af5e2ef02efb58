package source

import (
	"maps"
	"os"
	"time"
)

// A walk that runs beside log rotation may miss a file: app.log.1 is renamed to a name that was passed
// already, and app.log to app.log.1 before that is looked at. So names are believed when no directory
// changed during the walk, or two walks one after the other found the same.
const (
	// coarse is how far the time at which a directory changed may lag behind: two changes within it
	// cannot be told apart.
	coarse = 30 * time.Millisecond
	// The walks end after so many, or so long.
	maxWalks    = 50
	maxSettling = 2 * time.Second
)

// settled walks all globs until what it finds is true of one moment.
func (c *Catalog) settled() (*Snapshot, error) {
	began := time.Now()
	var last *Snapshot
	for walks := 1; ; walks++ {
		snap, err := c.scan()
		if err != nil {
			return nil, err
		}
		if !c.Changed(snap) || last != nil && snap.Same(last) {
			return snap, nil
		}
		if walks == maxWalks || time.Since(began) > maxSettling {
			snap.Unsettled = true
			return snap, nil
		}
		last = snap
	}
}

// Changed says whether names may have changed in a snapshot's directories since it was begun; false is
// sure.
func (c *Catalog) Changed(s *Snapshot) bool {
	for dir, changed := range s.dirs {
		info, err := os.Stat(dir)
		if err != nil || !info.ModTime().Equal(changed) || s.Taken.Sub(changed) < coarse {
			return true
		}
	}
	return false
}

// Same says whether two snapshots have the same files under the same names, whatever their sizes.
func (s *Snapshot) Same(other *Snapshot) bool {
	return len(s.Files) == len(other.Files) && maps.Equal(s.names(), other.names())
}

func (s *Snapshot) names() map[string]ID {
	names := make(map[string]ID, len(s.Files))
	for _, e := range s.Files {
		names[e.Path] = e.ID
	}
	return names
}
