//go:build !linux

package source

import (
	"io/fs"
	"os"
	"syscall"
	"time"
)

// openBeneath opens the path rel beneath the real directory root.
func openBeneath(root, rel string) (*os.File, error) { return walkBeneath(root, rel) }

// changed is when a file was written last: when it was renamed is not told everywhere.
func changed(_ *syscall.Stat_t, info fs.FileInfo) time.Time { return info.ModTime() }
