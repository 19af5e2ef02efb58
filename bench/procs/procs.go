// Package procs runs a fleet for a measurement: a bus and responders, each a process of the same trawl
// binary (Fleet, Daemon), waits until they have indexed their logs (Indexed), and reads what they use
// (Usage). Space says whether a disk has room for what is to be measured.
package procs

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Fleet is a bus and a responder for each log, as processes of their own. Everything they write is in
// a temporary directory, which goes with them.
type Fleet struct {
	URL   string // of the bus
	trawl string
	dir   string
	procs []*Daemon // the bus first
}

// Start starts a bus and a responder for each of the logs, and returns when each has said that it is
// ready. The path trawl is the binary to run. Each of logs is a file, whose node is named as it without
// ".log", or a glob, whose node is named as its directory. The responders get args as well.
func Start(trawl string, logs []string, args ...string) (*Fleet, error) {
	return begin(trawl, func(f *Fleet) error {
		for _, file := range logs {
			if err := f.responder(nodeOf(file), append([]string{"--logs", file}, args...)...); err != nil {
				return err
			}
		}
		return nil
	})
}

// StartConfigured is Start for responders that are told in files which logs they have, and the rest: config gives
// the text of a node's.
func StartConfigured(trawl string, nodes []string, config func(node string) string) (*Fleet, error) {
	return begin(trawl, func(f *Fleet) error {
		for _, node := range nodes {
			file := filepath.Join(f.dir, node+".yaml")
			if err := os.WriteFile(file, []byte(config(node)), 0o600); err != nil {
				return err
			}
			if err := f.responder(node, "--config", file); err != nil {
				return err
			}
		}
		return nil
	})
}

// begin starts a bus, and what else starts.
func begin(trawl string, more func(*Fleet) error) (f *Fleet, err error) {
	f = &Fleet{trawl: trawl}
	if f.dir, err = os.MkdirTemp("", "trawl-fleet-"); err != nil {
		return nil, err
	}
	if f.URL, err = f.start("bus", "--listen", "127.0.0.1:0", "--store", filepath.Join(f.dir, "bus")); err == nil {
		err = more(f)
	}
	if err != nil {
		f.Stop()
		return nil, err
	}
	return f, nil
}

// responder starts a node.
func (f *Fleet) responder(name string, args ...string) error {
	_, err := f.start(append([]string{"responder", "--server", f.URL, "--node", name, "--log-level", "error", "--state", filepath.Join(f.dir, name)}, args...)...)
	return err
}

func nodeOf(logs string) string {
	base := filepath.Base(logs)
	if strings.Contains(base, "*") {
		return filepath.Base(filepath.Dir(logs))
	}
	return strings.TrimSuffix(base, ".log")
}

// State is the directory in which the daemons keep what they keep.
func (f *Fleet) State() string { return f.dir }

// Pause stops the responders where they are, until Resume.
func (f *Fleet) Pause() error { return f.signal(true) }

// Resume has them go on.
func (f *Fleet) Resume() error { return f.signal(false) }

func (f *Fleet) signal(stop bool) error {
	for _, p := range f.procs[1:] {
		if err := halt(p.cmd.Process, stop); err != nil {
			return fmt.Errorf("pause or resume a responder: %w", err)
		}
	}
	return nil
}

// start starts one of the fleet's daemons.
func (f *Fleet) start(args ...string) (line string, err error) {
	d, err := StartDaemon(f.trawl, args...)
	if err != nil {
		return "", err
	}
	f.procs = append(f.procs, d)
	return d.Line, nil
}

// Daemon is a process that says on its first line that it is ready.
type Daemon struct {
	Line string // that line
	cmd  *exec.Cmd
}

// StartDaemon starts trawl with args, and returns when it has printed its first line.
func StartDaemon(trawl string, args ...string) (*Daemon, error) {
	d := &Daemon{cmd: exec.Command(trawl, args...)}
	d.cmd.Stderr = os.Stderr
	ownGroup(d.cmd) // Ctrl-C is for the one who measures, who ends these in order
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		d.Stop()
		return nil, fmt.Errorf("trawl %s: %w", args[0], err)
	}
	d.Line = strings.TrimSpace(line)
	return d, nil
}

// Stop asks the daemon to end, and kills it if it does not.
func (d *Daemon) Stop() {
	_ = d.cmd.Process.Signal(os.Interrupt) // it may have ended
	timer := time.AfterFunc(stopLimit, func() { _ = d.cmd.Process.Kill() })
	defer timer.Stop()
	_ = d.cmd.Wait()
}

// stopLimit bounds how long a daemon may take to end before it is killed.
const stopLimit = 10 * time.Second

// Stop ends the daemons, the bus last, and removes what they wrote.
func (f *Fleet) Stop() {
	for i := len(f.procs) - 1; i >= 0; i-- {
		f.procs[i].Stop()
	}
	f.procs = nil
	_ = os.RemoveAll(f.dir) // in the temporary directory
}

// Grep is the command line of a query to the fleet.
func (f *Fleet) Grep(args ...string) []string { return f.Command("grep", args...) }

// Command is the command line of a trawl command that asks the fleet.
func (f *Fleet) Command(name string, args ...string) []string {
	return append([]string{f.trawl, name, "--server", f.URL}, args...)
}

// CPU is processor time so far, in seconds.
type CPU struct{ Bus, Nodes float64 }

// CPU reads the processor time of the daemons.
func (f *Fleet) CPU() (CPU, error) {
	var c CPU
	for i, p := range f.procs {
		seconds, err := cpuOf(p.cmd.Process.Pid)
		if err != nil {
			return c, err
		}
		if i == 0 {
			c.Bus += seconds
		} else {
			c.Nodes += seconds
		}
	}
	return c, nil
}

// Usage is what one responder used.
type Usage struct {
	CPU            float64 // seconds so far
	Resident, Peak int64   // memory in bytes: now, and at most so far
}

// Nodes reads what each responder uses, in the order of the logs.
func (f *Fleet) Nodes() ([]Usage, error) {
	var all []Usage
	for _, p := range f.procs[1:] {
		u := Usage{}
		var err error
		if u.CPU, err = cpuOf(p.cmd.Process.Pid); err == nil {
			u.Resident, u.Peak, err = Memory(p.cmd.Process.Pid)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// Lowered is the processor time, in seconds, of those of the responders' threads that gave up priority: that of
// their index, while it is built.
func (f *Fleet) Lowered() (seconds float64, err error) {
	for _, p := range f.procs[1:] {
		n, err := cpuOfThreads(p.cmd.Process.Pid, lowered)
		if err != nil {
			return 0, err
		}
		seconds += n
	}
	return seconds, nil
}

// lowered says of a directory in /proc whether its thread is nicer than others.
func lowered(task string) bool {
	text, err := os.ReadFile(filepath.Join(task, "stat"))
	if err != nil {
		return false // it has just ended
	}
	const nice = 16 // of the fields behind the name, which may hold anything
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return len(fields) > nice && fields[nice] > "0" && fields[nice][0] != '-'
}

// cpuOf reads the processor time of a process in seconds, to the nanosecond: that of all its threads,
// which a Go process does not end.
func cpuOf(pid int) (float64, error) {
	return cpuOfThreads(pid, func(string) bool { return true })
}

// cpuOfThreads is cpuOf for some of its threads, by their directories in /proc.
func cpuOfThreads(pid int, counts func(task string) bool) (float64, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("processor time of process %d: not to be had (%v)", pid, err)
	}
	sum := 0.0
	for _, task := range tasks {
		text, err := os.ReadFile(filepath.Join(task, "schedstat"))
		if err != nil || !counts(task) {
			continue // the thread has just ended
		}
		fields := strings.Fields(string(text))
		if len(fields) == 0 {
			continue
		}
		ns, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", task, err)
		}
		sum += float64(ns) / 1e9
	}
	return sum, nil
}

// Memory reads the resident memory of a process in bytes: now, and the most so far.
func Memory(pid int) (now, peak int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			now = kib << 10
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			peak = kib << 10
		}
	}
	if now == 0 || peak == 0 {
		return 0, 0, fmt.Errorf("memory of process %d: %w", pid, errors.ErrUnsupported)
	}
	return now, peak, nil
}
