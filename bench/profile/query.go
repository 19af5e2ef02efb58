package profile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// query is one trawl grep, from before its process was started to after its end.
type query struct {
	seconds    float64
	first      float64 // seconds until the first byte of the answer; 0: there was none
	cpu        float64 // seconds of the requester's process
	peak       int64   // its memory at most, in bytes
	status     int
	sum              // of its output: lines, bytes, and with Verify a checksum
	moved      int64 // bytes in frames, headers of the bus left out
	frames     int64
	searched   int64              // bytes that the nodes read
	considered int64              // bytes of the files they chose from
	stages     map[string]float64 // ms, as --timing says
}

// query runs one query. Its output is read to the end as fast as it comes, or as c, which may be nil, looks at it.
func (m *measurement) query(ask Query, c *checker) (*query, error) {
	argv := append(append([]string{}, m.argv...), "--timing", "--no-progress", "--color=never", "-e", ask.Token)
	if ask.Exhaustive {
		argv = append(argv, "--exhaustive")
	}
	cmd := exec.CommandContext(m.ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	q := &query{stages: map[string]float64{}}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := m.read(out, q, began, c); err != nil {
		_ = cmd.Wait() // the error is the read's
		return nil, err
	}
	err = cmd.Wait()
	q.seconds = time.Since(began).Seconds()
	if m.ctx.Err() != nil {
		return nil, context.Cause(m.ctx)
	}
	exit, ended := errors.AsType[*exec.ExitError](err)
	if err != nil && !ended {
		return nil, err
	}
	if ended {
		q.status = exit.ExitCode()
	}
	if q.status > 1 { // not everyone answered, or worse
		return nil, fmt.Errorf("trawl grep: exit status %d: %s", q.status, strings.TrimSpace(said.String()))
	}
	q.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return q, q.timing(said.String())
}

// read takes the output in, of which it keeps nothing.
func (m *measurement) read(out io.Reader, q *query, began time.Time, c *checker) error {
	buf := make([]byte, 1<<20)
	for {
		n, err := out.Read(buf)
		if n > 0 {
			if q.bytes == 0 {
				q.first = time.Since(began).Seconds()
			}
			q.add(buf[:n], m.o.Verify)
			if c != nil {
				_, _ = c.Write(buf[:n])
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
	}
}

// timing takes what --timing said.
func (q *query) timing(text string) error {
	moved := false
	for line := range strings.Lines(text) {
		var name string
		var ms float64
		if _, err := fmt.Sscanf(line, "trawl: time: %s %f ms", &name, &ms); err == nil {
			q.stages[name] = ms
		} else if _, err := fmt.Sscanf(line, "trawl: moved: %d bytes in %d frames; searched: %d of %d bytes", &q.moved, &q.frames, &q.searched, &q.considered); err == nil {
			moved = true
		} else {
			// From the process itself: what the system says of an ended one counts its parent's memory too.
			_, _ = fmt.Sscanf(line, "trawl: memory: %d bytes at most", &q.peak)
		}
	}
	if !moved || q.stages["total"] == 0 {
		return fmt.Errorf("trawl grep --timing says nothing of it: %q", text)
	}
	return nil
}
