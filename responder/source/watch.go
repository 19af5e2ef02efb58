package source

import (
	"iter"
	"maps"
	"path/filepath"
)

// Dirs yields the directories that were listed for the snapshot, by their real names: what appears in
// the globs later appears there, or in a directory that does.
func (s *Snapshot) Dirs() iter.Seq[string] { return maps.Keys(s.dirs) }

// Real returns the name of the file that is opened, without links.
func (e *Entry) Real() string { return filepath.Join(e.root, e.rel) }
