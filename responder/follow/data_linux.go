package follow

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// firstData returns where a file of that size has its first byte that is not NUL: a writer that goes on
// at the place where it was in a file that was cut leaves a hole before it.
func firstData(f *os.File, size int64) (int64, error) {
	at, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, nil
	}
	if err != nil {
		at = 0
	}
	return skipNULs(f, at, size)
}
