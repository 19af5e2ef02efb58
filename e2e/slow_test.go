package e2e

import (
	"bufio"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// The most memory any process may have resident, whatever the reader does.
const residentLimit = 128 << 20

// A reader that is slow, and one that stops for a while: nothing is cut off, every line arrives, and
// the memory of every process stays bounded. The long form moves 120 MB and stops for 60 s.
func TestSlowAndStoppedReader(t *testing.T) {
	size, stop, step := int64(8_000_000), 3*time.Second, 3*time.Millisecond
	if *long {
		size, stop, step = 30_000_000, 60*time.Second, 20*time.Millisecond
	}
	f, truth := sampleFleet(t, 4, size)
	for name, read := range map[string]func(io.Reader, *atomic.Int64) error{
		"slow": func(r io.Reader, lines *atomic.Int64) error { return readSlowly(r, lines, step) },
		"stopped": func(r io.Reader, lines *atomic.Int64) error {
			if _, err := io.ReadFull(r, make([]byte, 1)); err != nil { // the first byte is here: stop now
				return err
			}
			<-time.After(stop)
			return readSlowly(r, lines, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := *f
			f.t = t
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			q := f.beginInto(w, "grep", "--server", f.url, "--receipt", "-v", "ABSENT")
			peak := watchResident(t, q.cmd.Process.Pid)
			var lines atomic.Int64
			if err := read(r, &lines); err != nil {
				t.Fatal(err)
			}
			got := q.wait(5 * time.Minute)
			if got.code != 0 || lines.Load() != truth.Total.Lines {
				t.Errorf("%d lines of %d, exit %d: %s", lines.Load(), truth.Total.Lines, got.code, got.stderr)
			}
			t.Logf("%d lines in %s; resident at most: grep %d MiB", lines.Load(), got.elapsed.Round(time.Millisecond), peak()>>20)
			if peak() > residentLimit {
				t.Errorf("grep had %d MiB resident", peak()>>20)
			}
			f.checkResident()
		})
	}
}

// checkResident holds the bus and every responder to residentLimit.
func (f *fleet) checkResident() {
	f.t.Helper()
	all := map[string]*process{"bus": f.bus}
	for name, p := range f.nodes {
		all[name] = p
	}
	for name, p := range all {
		if !p.running() {
			f.t.Errorf("%s has ended:\n%s", name, p.log)
			continue
		}
		peak, err := peakResident(p.cmd.Process.Pid)
		if err != nil {
			f.t.Fatal(err)
		}
		f.t.Logf("resident at most: %s %d MiB", name, peak>>20)
		if peak > residentLimit {
			f.t.Errorf("%s had %d MiB resident", name, peak>>20)
		}
	}
}

// watchResident samples a process until it ends; the func it returns gives the peak.
func watchResident(t *testing.T, pid int) func() int64 {
	var most atomic.Int64
	stop := make(chan struct{})
	done := make(chan struct{})
	t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			if peak, err := peakResident(pid); err == nil {
				most.Store(max(most.Load(), peak))
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return most.Load
}

// readSlowly reads in steps of 64 KiB with a pause after each, and counts lines.
func readSlowly(r io.Reader, lines *atomic.Int64, pause time.Duration) error {
	reader := bufio.NewReaderSize(r, 64<<10)
	buf := make([]byte, 64<<10)
	for {
		n, err := reader.Read(buf)
		for _, c := range buf[:n] {
			if c == '\n' {
				lines.Add(1)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if pause > 0 {
			<-time.After(pause)
		}
	}
}
