package follow

import (
	"errors"
	"io"
	"os"
)

// skipNULs returns where the NULs that begin at at end.
func skipNULs(f *os.File, at, size int64) (int64, error) {
	var b [4096]byte
	for at < size {
		n, err := f.ReadAt(b[:min(size-at, int64(len(b)))], at)
		for i, c := range b[:n] {
			if c != 0 {
				return at + int64(i), nil
			}
		}
		if at += int64(n); errors.Is(err, io.EOF) {
			return at, nil
		}
		if err != nil {
			return at, err
		}
	}
	return at, nil
}
