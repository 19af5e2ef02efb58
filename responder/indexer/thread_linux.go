package indexer

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// yield has the calling goroutine run on a thread of its own, which gets less of the processor than others,
// and the disk only when nobody else wants it. The thread ends with the goroutine.
//
// It does not go as low as 19: a thread that hardly gets the processor holds its share of GOMAXPROCS all the
// longer, and whatever stops the world waits for it. At 19, with pieces of 256 KiB, queries
// in flight took some 20 % longer in paired runs on a busy machine (go run ./bench/index -fleet -only while).
func yield() {
	runtime.LockOSThread()
	const (
		lower     = 5
		ofProcess = 1 // IOPRIO_WHO_PROCESS: 0 means the calling thread
		idle      = 3 << 13
	)
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), lower) // where it is refused, the share still holds
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ofProcess, 0, idle)
}

// used is how long the calling thread has had the processor.
func used() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
