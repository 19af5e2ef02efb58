package scan

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/match"
)

// brittle matches every line and panics at one.
type brittle struct{ at []byte }

func (m brittle) Lines(dst []match.Line, buf []byte, from int) ([]match.Line, int) {
	n := bytes.IndexByte(buf[from:], '\n')
	m.MatchLine(buf[from : from+n])
	return append(dst, match.Line{Start: from, End: from + n}), from + n + 1
}

func (m brittle) Count(buf []byte, from int) int { return bytes.Count(buf[from:], []byte{'\n'}) }

func (m brittle) MatchLine(line []byte) bool {
	if bytes.Equal(line, m.at) {
		panic("a bug in a matcher")
	}
	return true
}

func (m brittle) Begin([]byte)         {}
func (m brittle) NextSpan() (s, e int) { return -1, -1 }
func (m brittle) Reset()               {}
func (m brittle) Feed([]byte)          {}
func (m brittle) EndLine() bool        { return true }

// TestPanicIsOneInputsError: a bug must not end the process, nor the search of other files.
func TestPanicIsOneInputsError(t *testing.T) {
	var inputs []Input
	for _, text := range []string{"a\nb\n", "c\nbad\nd\n", "e\n"} {
		inputs = append(inputs, Input{Open: func() (File, error) {
			return File{At: strings.NewReader(text), Size: int64(len(text))}, nil
		}})
	}
	var got strings.Builder
	failed := map[int]error{}
	o := Options{MaxCount: -1, Terminator: '\n', Threads: 2, OnError: func(i int, err error) { failed[i] = err }}
	stats, err := Run(context.Background(), inputs, func() Matcher { return brittle{[]byte("bad")} }, o, func(b *Batch) error {
		got.Write(b.Text)
		return nil
	})
	if err != nil || stats.Errors != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
	var p *PanicError
	if len(failed) != 1 || !errors.As(failed[1], &p) || p.Error() != "internal error: a bug in a matcher" || !bytes.Contains(p.Stack, []byte("brittle")) {
		t.Errorf("errors %v", failed)
	}
	if !strings.HasPrefix(got.String(), "a\nb\n") || !strings.HasSuffix(got.String(), "e\n") {
		t.Errorf("got %q", got.String())
	}
}

// A panic while a file is opened is that file's error, too.
func TestPanicWhileOpening(t *testing.T) {
	inputs := []Input{{Open: func() (File, error) { panic("a bug") }}, {Open: func() (File, error) {
		return File{At: strings.NewReader("e\n"), Size: 2}, nil
	}}}
	failed := map[int]error{}
	o := Options{MaxCount: -1, Terminator: '\n', Threads: 1, OnError: func(i int, err error) { failed[i] = err }}
	_, err := Run(context.Background(), inputs, func() Matcher { return brittle{} }, o, func(*Batch) error { return nil })
	var p *PanicError
	if err != nil || len(failed) != 1 || !errors.As(failed[0], &p) {
		t.Errorf("%v, %v", err, failed)
	}
}
