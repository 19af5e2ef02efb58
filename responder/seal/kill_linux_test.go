package seal

import (
	"os/exec"
	"syscall"
)

// tie has a process die with the one that started it, however that ends.
func tie(p *exec.Cmd) { p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
