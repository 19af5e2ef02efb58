//go:build !unix

package procs

import (
	"errors"
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

func halt(*os.Process, bool) error { return errors.ErrUnsupported }
