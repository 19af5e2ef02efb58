package source

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// walkBeneath is openBeneath where there is no openat2: os.Root opens the path element by element
// without leaving root. It does follow links that stay beneath root, which does no harm.
func walkBeneath(root, rel string) (*os.File, error) {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return nil, bare(err)
	}
	defer dir.Close()
	f, err := dir.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, bare(err)
	}
	return f, nil
}

// bare takes operation and path off an error: whoever reports it names the file.
func bare(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
