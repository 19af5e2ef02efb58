package indexer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/trawl-logs/trawl/responder/block"
)

// StateOf says of an open file what an index is checked by, and which file it is.
func StateOf(f *os.File) (block.State, ID, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return block.State{}, ID{}, fmt.Errorf("state of a log: %w", err)
	}
	var st unix.Stat_t
	if e := conn.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &st) }); e != nil {
		err = e
	}
	if err != nil {
		return block.State{}, ID{}, fmt.Errorf("state of a log: %w", err)
	}
	return block.State{Size: st.Size, ModTime: st.Mtim.Nano(), Changed: st.Ctim.Nano()}, ID{uint64(st.Dev), uint64(st.Ino)}, nil
}

// lockDir keeps a second process out of a directory. The lock goes when the process does, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("index directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("index directory %s is in use by another process", dir)
		}
		return nil, fmt.Errorf("index directory %s: lock: %w", dir, err)
	}
	return f, nil
}
