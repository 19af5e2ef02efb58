package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/bus"
)

// serveBus is a bus that keeps its files in dir, until stdin ends.
func serveBus(dir string) error {
	s, err := bus.StartServer(bus.ServerOptions{Listen: "127.0.0.1:0", Store: dir})
	if err != nil {
		return err
	}
	defer s.Stop()
	fmt.Println(s.URL())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// server is a bus that is a process of its own.
type server struct {
	dir, url string
	started  time.Duration // that its start took
	cmd      *exec.Cmd
	stdin    io.Closer
}

func startServer(dir string) (*server, error) {
	s := &server{dir: filepath.Join(dir, "bus")}
	return s, s.start()
}

func (s *server) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.cmd = exec.Command(self, "-serve", s.dir)
	s.cmd.Stderr = os.Stderr
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return errors.Join(errors.New("the bus does not start"), err, s.stop())
	}
	s.url, s.started = strings.TrimSpace(line), time.Since(begin)
	return nil
}

// stop ends the bus, and waits until it has.
func (s *server) stop() error {
	return errors.Join(s.stdin.Close(), s.cmd.Wait())
}

// restart ends the bus, starts it again on the same files, and connects to it.
func (s *server) restart() (*bus.Conn, error) {
	if err := errors.Join(s.stop(), s.start()); err != nil {
		return nil, err
	}
	return s.connect()
}

func (s *server) connect() (*bus.Conn, error) {
	return bus.Connect(bus.Options{Server: s.url, User: "bench", Name: "blocklist"})
}

// pid is the process's.
func (s *server) pid() int { return s.cmd.Process.Pid }

// memory is how many bytes the bus has resident.
func (s *server) memory() int64 { return status(s.pid(), "VmRSS:") }

// peak is how many bytes a process had resident at most, since resetPeak.
func peak(pid int) int64 { return status(pid, "VmHWM:") }

// resetPeak has peak begin anew; where the system cannot do that, it goes on.
func resetPeak(pid int) { _ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) }

// cpuTime is what a process has used so far, in steps of 10 ms; 0 where the system does not tell.
func cpuTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // from the state on
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

func status(pid int, field string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if f := strings.Fields(string(line)); len(f) == 3 && f[0] == field {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}
