package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// fleet is a bus and a responder for each log, as processes of their own.
type fleet struct {
	trawl, url, dir string
	procs           []*exec.Cmd // the bus first
}

// startFleet starts the processes, and returns when each has said that it is ready.
func startFleet(trawl string, files []string) (f *fleet, err error) {
	f = &fleet{trawl: trawl}
	if f.dir, err = os.MkdirTemp("", "trawl-fleet-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	if f.url, err = f.start("bus", "--listen", "127.0.0.1:0", "--store", filepath.Join(f.dir, "bus")); err != nil {
		return nil, err
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".log")
		if _, err = f.start("responder", "--server", f.url, "--node", name, "--logs", file, "--log-level", "error", "--state", filepath.Join(f.dir, name)); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// start starts a daemon, and returns the first line that it prints.
func (f *fleet) start(args ...string) (line string, err error) {
	cmd := exec.Command(f.trawl, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	f.procs = append(f.procs, cmd)
	if line, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		return "", fmt.Errorf("trawl %s: %w", args[0], err)
	}
	return strings.TrimSpace(line), nil
}

// stop ends the daemons, the bus last.
func (f *fleet) stop() {
	for i := len(f.procs) - 1; i >= 0; i-- {
		_ = f.procs[i].Process.Signal(os.Interrupt) // it may have ended
		_ = f.procs[i].Wait()
	}
	_ = os.RemoveAll(f.dir) // in the temporary directory
}

// grep is the command line of a query to the fleet.
func (f *fleet) grep(args ...string) []string {
	return append([]string{f.trawl, "grep", "--server", f.url}, args...)
}

// usage is the processor time so far, in seconds.
type usage struct{ bus, nodes float64 }

// cpu reads the processor time of the daemons, to the nanosecond: that of all their threads, which a
// Go process does not end.
func (f *fleet) cpu() (usage, error) {
	var u usage
	for i, p := range f.procs {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.Process.Pid))
		if err != nil || len(tasks) == 0 {
			return u, fmt.Errorf("processor time of process %d: not to be had (%v)", p.Process.Pid, err)
		}
		for _, task := range tasks {
			text, err := os.ReadFile(task)
			if err != nil {
				continue // the thread has just ended
			}
			ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
			if err != nil {
				return u, fmt.Errorf("%s: %w", task, err)
			}
			if i == 0 {
				u.bus += float64(ns) / 1e9
			} else {
				u.nodes += float64(ns) / 1e9
			}
		}
	}
	return u, nil
}
