//go:build unix

package bus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// lockStore keeps a second server out of a store: nats-server itself would let two of them write the
// same files. The lock goes when the process does, however it ends.
func lockStore(dir string) (io.Closer, error) {
	if err := ensureDir(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "trawl-bus.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("bus store: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("bus store %s is in use by another server", dir)
		}
		return nil, fmt.Errorf("bus store %s: lock: %w", dir, err)
	}
	return f, nil
}
