package procs

import "fmt"

// SpaceError is a disk that has not the room for what is to be written to it.
type SpaceError struct {
	Dir        string
	Need, Free int64 // bytes
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("disk space: %s has %.1f GB free, %.1f GB are needed", e.Dir, float64(e.Free)/1e9, float64(e.Need)/1e9)
}
