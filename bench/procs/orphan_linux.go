package procs

import "syscall"

// endWithParent has the kernel tell the process to end when the thread that started it does, which in
// Go is the process but for goroutines that keep a thread for themselves: no measurement has any.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }
