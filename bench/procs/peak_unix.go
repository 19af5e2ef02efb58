//go:build unix

package procs

import (
	"os"
	"runtime"
	"syscall"
)

// PeakOf is the most memory that a process which has ended had resident, in bytes.
func PeakOf(s *os.ProcessState) int64 {
	usage, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(usage.Maxrss) // there in bytes
	}
	return int64(usage.Maxrss) << 10
}
