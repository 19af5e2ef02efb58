package profile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
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
	lines      int64
	bytes      int64 // of its output
	moved      int64 // bytes in frames, headers of the bus left out
	frames     int64
	searched   int64              // bytes that the nodes read
	considered int64              // bytes of the files they chose from
	stages     map[string]float64 // ms, as --timing says
}

// query runs one query. Its output is read to the end as fast as it comes.
func (m *measurement) query(ask Query) (*query, error) {
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
	if err := m.read(out, q, began); err != nil {
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

// read takes the output in, counts it, and with Verify keeps it.
func (m *measurement) read(out io.Reader, q *query, began time.Time) error {
	m.answer = m.answer[:0]
	buf := make([]byte, 1<<20)
	for {
		n, err := out.Read(buf)
		if n > 0 {
			if q.bytes == 0 {
				q.first = time.Since(began).Seconds()
			}
			q.bytes += int64(n)
			q.lines += int64(bytes.Count(buf[:n], []byte("\n")))
			if m.o.Verify {
				m.answer = append(m.answer, buf[:n]...)
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

// verify holds the answer against the truth: how many lines each node sent, and that each holds the
// token. The clock has stopped by then.
func (m *measurement) verify(token string, q *query) error {
	wrong := func(format string, args ...any) error {
		return &WrongError{token, fmt.Sprintf(format, args...)}
	}
	want := map[string]int64{}
	for _, node := range m.truth.Nodes {
		if n := node.Tokens[token]; n > 0 {
			want[node.Node] = n
		}
	}
	got := map[string]int64{}
	node, n := "", int64(0) // node by node: what is counted in a map is a node, not a line
	for line := range bytes.Lines(m.answer) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		if string(name) != node {
			got[node] += n
			node, n = string(name), 0
		}
		n++
		if !bytes.Contains(line, []byte(token)) {
			return wrong("a line of %s without %s: %.200q", name, token, line)
		}
	}
	got[node] += n
	delete(got, "") // where the counting began
	status := 1
	if len(want) > 0 {
		status = 0
	}
	switch {
	case !maps.Equal(got, want):
		return wrong("lines by node %v, the logs hold %v", got, want)
	case q.status != status:
		return wrong("exit status %d, want %d", q.status, status)
	case q.considered != m.truth.Total.Bytes || q.searched > q.considered: // less where the index tells
		return wrong("%d of %d bytes were searched, the logs hold %d", q.searched, q.considered, m.truth.Total.Bytes)
	}
	return nil
}
