package block

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Stored is an index in a state directory.
type Stored struct {
	Dev, Ino uint64
	Bytes    int64
	ModTime  time.Time
}

// List lists the indexes of a directory, the oldest first. Those that a crash left half made are removed.
// It must not run beside Create.
func List(dir string) ([]Stored, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list indexes: %w", err)
	}
	var out []Stored
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix+suffixTmp) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("remove half an index: %w", err)
			}
			continue
		}
		var s Stored
		if _, err := fmt.Sscanf(e.Name(), "%x-%x"+suffix, &s.Dev, &s.Ino); err != nil || Name(s.Dev, s.Ino) != e.Name() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // gone
		}
		s.Bytes, s.ModTime = info.Size(), info.ModTime()
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b Stored) int {
		return cmp.Or(a.ModTime.Compare(b.ModTime), cmp.Compare(a.Dev, b.Dev), cmp.Compare(a.Ino, b.Ino))
	})
	return out, nil
}
