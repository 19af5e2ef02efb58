package source

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// openFlags: never wait for a FIFO's writer, never take a terminal as our own.
const openFlags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY

// maxTries bounds how often an open that met a rename is repeated.
const maxTries = 16

// noOpenat2 is set once the kernel (before 5.6), or a seccomp filter, has refused openat2.
var noOpenat2 atomic.Bool

// openBeneath opens the path rel beneath the real directory root. Neither "..", nor a link, nor a
// mount swapped in after rel was resolved, can lead out of root: the kernel resolves the path in one
// step and refuses them.
func openBeneath(root, rel string) (*os.File, error) {
	if noOpenat2.Load() {
		return walkBeneath(root, rel)
	}
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	how := unix.OpenHow{
		Flags:   openFlags,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	for try := 0; ; try++ {
		fd, err := unix.Openat2(dir, rel, &how)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), rel), nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN) && try < maxTries:
			continue // EAGAIN: something was renamed meanwhile; or, for ever, a lease is held
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
			noOpenat2.Store(true)
			return walkBeneath(root, rel)
		}
		return nil, err
	}
}

// changed is when a file changed last: its content, its names or its attributes.
func changed(st *syscall.Stat_t, _ fs.FileInfo) time.Time { return time.Unix(st.Ctim.Unix()) }
