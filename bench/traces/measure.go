package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/sample"
)

// commands are what is measured, in this order.
var commands = [...]string{"trawl trace", "trace --exhaustive", "trawl grep"}

// point is what came of one size.
type point struct {
	bytes, lines int64
	blocks       int
	stored       int64
	dropped      int                      // rounds
	requests     int                      // that were measured: as many rounds
	walls, cpus  [len(commands)][]float64 // seconds, round by round: of the process, and of it and the whole fleet
	traces       []answer                 // of each round's request
}

// answer is what a trace's receipt says.
type answer struct {
	BytesRead int64 `json:"bytes_read"`
	Queries   int
	Blocks    struct{ Considered, Read int64 }
	Store     struct{ Blocks int64 }
	AllAtOnce *allAtOnce `json:"all_at_once"`
}

// allAtOnce is what one query for all services would have read, with the blocks' indexes.
type allAtOnce struct {
	BytesRead    int64 `json:"bytes_read"`
	SealedBlocks int64 `json:"sealed_blocks"` // in question: all
	Blocks       struct{ Considered, Read int64 }
}

// argvs are the commands for a request, but for the form of their output.
func (s *system) argvs(id string) [len(commands)][]string {
	trace := []string{"--relations", s.relations, "--skew", (2 * skew).String(), "--slack", "3s"}
	return [...][]string{s.fleet.Command("trace", append(trace, id)...), s.fleet.Command("trace", append(trace, "--exhaustive", id)...), s.fleet.Command("grep", "-F", "--", id)}
}

// errPartial is an answer that not every node gave in full: on a machine that is busy, one may seem silent.
var errPartial = errors.New("not every node answered in full")

// measure runs the commands by turns, a request a round. Rounds with a partial answer do not count, and are told.
func (s *system) measure(ctx context.Context, c config) (*point, error) {
	p := &point{bytes: s.truth.Bytes, lines: s.truth.Lines, blocks: s.blocks, stored: s.stored}
	began := time.Now()
	for i := -1; i < len(s.truth.Requests) && (p.requests < 3 || time.Since(began) < c.most); i++ {
		request := s.truth.Requests[max(i, 0)] // that of the first round twice: what is in memory then is so for all
		err := s.round(ctx, p, request, i)
		switch {
		case errors.Is(err, errPartial):
			c.say("a round is dropped: %v", err)
			p.dropped++
		case err != nil:
			return nil, err
		}
	}
	c.say("%d rounds in %v", p.requests, time.Since(began).Round(time.Second))
	if p.requests == 0 || p.dropped > p.requests {
		return nil, fmt.Errorf("%d of %d rounds were dropped: %w", p.dropped, p.dropped+p.requests, errPartial)
	}
	return p, nil
}

// round runs all commands for a request, another one first each time. The round -1 is the warm-up.
func (s *system) round(ctx context.Context, p *point, request *sample.RequestTruth, n int) error {
	a, err := s.answer(ctx, request)
	if err != nil {
		return err
	}
	var wall, cpu [len(commands)]float64
	for k := range commands {
		k = (k + n + 1) % len(commands)
		if wall[k], cpu[k], err = s.once(ctx, s.argvs(request.ID)[k], request); err != nil {
			return err
		}
	}
	if n < 0 {
		return nil
	}
	for k := range commands {
		p.walls[k], p.cpus[k] = append(p.walls[k], wall[k]), append(p.cpus[k], cpu[k])
	}
	p.traces = append(p.traces, a)
	p.requests++
	return nil
}

// once runs a command, and counts the lines that it prints.
func (s *system) once(ctx context.Context, argv []string, request *sample.RequestTruth) (wall, cpu float64, err error) {
	before, err := s.fleet.CPU()
	if err != nil {
		return 0, 0, err
	}
	out, wall, own, err := run(ctx, argv)
	if err != nil {
		return 0, 0, err
	}
	if got, want := bytes.Count(out, []byte{'\n'}), len(request.Lines); got != want {
		return 0, 0, fmt.Errorf("%q: %d lines, not %d", argv[1:], got, want)
	}
	after, err := s.fleet.CPU()
	return wall, own + after.Bus - before.Bus + after.Nodes - before.Nodes, err
}

// run runs a command to its end. wall is from before the fork until its output has ended, own the process's CPU time.
func run(ctx context.Context, argv []string) (out []byte, wall, own float64, err error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	began := time.Now()
	out, err = cmd.Output()
	wall = time.Since(began).Seconds()
	if err != nil {
		const partial = 3 // trawl's exit status
		if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() == partial {
			err = errPartial
		}
		return nil, 0, 0, fmt.Errorf("%q: %w: %s", argv[1:], err, bytes.TrimSpace(said.Bytes()))
	}
	return out, wall, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
}

// answer traces a request, holds its lines against the truth, and gives its receipt.
func (s *system) answer(ctx context.Context, request *sample.RequestTruth) (a answer, err error) {
	argv := s.argvs(request.ID)[0]
	out, _, _, err := run(ctx, slices.Insert(slices.Clone(argv), 2, "--output", "json"))
	if err != nil {
		return a, err
	}
	var got, want []string
	for row := range bytes.Lines(out) {
		var l struct{ Type, Node, Service, Text string }
		if err := json.Unmarshal(row, &l); err != nil {
			return a, fmt.Errorf("trawl trace: %w", err)
		}
		if l.Type == "match" {
			got = append(got, l.Node+" "+l.Service+" "+l.Text)
		} else if err := json.Unmarshal(row, &a); err != nil {
			return a, fmt.Errorf("trawl trace: %w", err)
		}
	}
	for _, l := range request.Lines {
		want = append(want, l.Node+" "+l.Service+" "+l.Text)
	}
	slices.Sort(got)
	slices.Sort(want)
	switch {
	case !slices.Equal(got, want):
		return a, fmt.Errorf("the trace of %s has %d lines that are not the %d of the truth", request.ID, len(got), len(want))
	case a.AllAtOnce == nil: // what it would read was asked, and not every node said so
		return a, fmt.Errorf("the trace of %s: all services at once: %w", request.ID, errPartial)
	case a.AllAtOnce.SealedBlocks != int64(s.blocks):
		return a, fmt.Errorf("the trace of %s: all services at once are not %d sealed blocks: %s", request.ID, s.blocks, lastLine(out))
	case a.Blocks.Read == 0 || a.Store.Blocks == 0:
		return a, errors.New("a trace read no block")
	}
	return a, nil
}

func lastLine(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}
