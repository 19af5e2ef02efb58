package seal

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// IdentityOf says which file an open file is: without its head.
func IdentityOf(f *os.File) (Identity, error) {
	var i Identity
	conn, err := f.SyscallConn()
	if err != nil {
		return i, fmt.Errorf("identity of a log: %w", err)
	}
	var st unix.Stat_t
	var more unix.Statx_t
	if e := conn.Control(func(fd uintptr) {
		if err = unix.Fstat(int(fd), &st); err == nil && unix.Statx(int(fd), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &more) != nil {
			more.Mask = 0 // an old kernel
		}
	}); e != nil {
		err = e
	}
	if err != nil {
		return i, fmt.Errorf("identity of a log: %w", err)
	}
	i.Dev, i.Ino = uint64(st.Dev), uint64(st.Ino)
	if more.Mask&unix.STATX_BTIME != 0 {
		i.Born = more.Btime.Sec*1e9 + int64(more.Btime.Nsec)
	}
	return i, nil
}
