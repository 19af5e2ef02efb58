package scan

import (
	"errors"
	"os"
	"syscall"
)

// dataFrom returns where the first byte at or after off stands that is not in a hole of f, and end if
// there is none before it. A hole reads as NULs.
func dataFrom(f *os.File, off, end int64) int64 {
	const seekData = 3
	conn, err := f.SyscallConn()
	if err != nil {
		return off
	}
	at := off
	err = conn.Control(func(fd uintptr) {
		at, err = syscall.Seek(int(fd), off, seekData)
		if errors.Is(err, syscall.ENXIO) { // only holes follow, or the file was cut off
			var now syscall.Stat_t
			if err = syscall.Fstat(int(fd), &now); err == nil && now.Size >= end {
				at = end
			} else {
				at = off
			}
		}
		if err != nil {
			at = off
		}
	})
	if err != nil {
		return off
	}
	return min(at, end)
}
