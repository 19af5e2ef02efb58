package procs

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Space returns a SpaceError if the file system of the directory dir has not so many bytes left for this user.
func Space(dir string, need int64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fmt.Errorf("disk space of %s: %w", dir, err)
	}
	if free := int64(s.Bavail) * s.Bsize; free < need {
		return &SpaceError{Dir: dir, Need: need, Free: free}
	}
	return nil
}
