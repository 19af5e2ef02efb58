package feed

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/needs"
)

// appendEntries has systemd's own tool write a file of entries into a journal's directory: the messages
// "MESSAGE i" for i from a to b, one a second.
func appendEntries(t *testing.T, dir string, a, b int) {
	t.Helper()
	const remote = "/lib/systemd/systemd-journal-remote"
	needs.Tool(t, remote, "systemd-journal-remote")
	needs.Tool(t, "journalctl", "systemd")
	var export bytes.Buffer
	for i := a; i < b; i++ {
		fmt.Fprintf(&export, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%032d\nSYSLOG_IDENTIFIER=app\n_SYSTEMD_UNIT=app.service\n_MACHINE_ID=%032d\n", start+int64(i)*1_000_000, 1000+i, 1, 2)
		text := fmt.Sprintf("message %d", i)
		export.WriteString("MESSAGE\n")
		export.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
		export.WriteString(text + "\n\n")
	}
	from := filepath.Join(t.TempDir(), "test.export")
	if err := os.WriteFile(from, export.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(remote, "-o", filepath.Join(dir, "test.journal"), from).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// follower gathers what a JournalTail gives.
type follower struct {
	mu     sync.Mutex
	lines  []string // the last word of each
	failed []string
	text   string
}

func (f *follower) emit(p *Piece) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text += string(p.Text)
	at := int64(0)
	for line := range strings.Lines(string(p.Text)) {
		if ns, _, _, ok := p.Line(at); !ok || ns == NoTime {
			f.failed = append(f.failed, fmt.Sprintf("no time for %q", line))
		}
		at += int64(len(line))
		line = strings.TrimSuffix(line, "\n")
		f.lines = append(f.lines, line[strings.LastIndexByte(line, ' ')+1:])
	}
	return nil
}

func (f *follower) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = append(f.failed, err.Error())
}

// run follows until done is called, which returns the error of Run.
func (f *follower) run(t *testing.T, tail *JournalTail) (done func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tail.Run(ctx, f.emit, f.fail) }()
	return func() error { cancel(); return <-ended }
}

func (f *follower) await(t *testing.T, want []string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) { // polls
		f.mu.Lock()
		got := slices.Clone(f.lines)
		failed := slices.Clone(f.failed)
		f.mu.Unlock()
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) || len(got) > len(want) {
			t.Fatalf("%q came, not %q; failed %q", got, want, failed)
		}
	}
}

func numbers(a, b int) (names []string) {
	for i := a; i < b; i++ {
		names = append(names, fmt.Sprint(i))
	}
	return names
}

// A journal of systemd's own making is followed behind its history while it is written, each entry once.
func TestJournalIsFollowed(t *testing.T) {
	made := t.TempDir()
	appendEntries(t, made, 0, 20)
	for name, c := range map[string]struct {
		j       Journal
		since   int64
		history int64 // -2: Begin
		want    int   // the first line of the history
	}{
		"begin":   {Journal{}, 0, -2, 20},
		"lines":   {Journal{Units: []string{"app"}}, 0, 5, 15},
		"all":     {Journal{Units: []string{"a*"}}, 0, -1, 0},
		"since":   {Journal{}, (start + 12*1_000_000) * 1000, -1, 12},
		"too far": {Journal{}, (start + 20*1_000_000) * 1000, -1, 20},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "journal")
			if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
				t.Fatal(err)
			}
			c.j.Directory, c.j.Zone = dir, time.UTC
			tail := c.j.Tail(c.since)
			f := &follower{}
			if c.history == -2 {
				if err := tail.Begin(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else {
				lines, closer, err := tail.History(t.Context(), c.history)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(lines)
				if err != nil {
					t.Fatal(err)
				}
				closer.Close()
				for line := range strings.Lines(string(text)) {
					line = strings.TrimSuffix(line, "\n")
					f.lines = append(f.lines, line[strings.LastIndexByte(line, ' ')+1:])
				}
			}
			if want := numbers(c.want, 20); !slices.Equal(f.lines, want) {
				t.Fatalf("history %q, not %q", f.lines, want)
			}
			appendEntries(t, dir, 20, 23) // between history and Run
			done := f.run(t, tail)
			f.await(t, numbers(c.want, 23))
			appendEntries(t, dir, 23, 40)
			f.await(t, numbers(c.want, 40))
			if err := done(); !errors.Is(err, context.Canceled) || len(f.failed) > 0 {
				t.Errorf("%v, %q", err, f.failed)
			}
		})
	}
}

// entriesFrom is a journalctl that does what script says, in which $from is the number after that of
// --after-cursor, and entry prints the entry of a number.
func entriesFrom(t *testing.T, script string) {
	t.Helper()
	fake(t, `from=0
for a; do case $a in --after-cursor=c=*) from=$((${a#--after-cursor=c=} + 1));; esac; done
entry() { echo '{"__CURSOR":"c='$1'","MESSAGE":"message '$1'","__REALTIME_TIMESTAMP":"1700000000000001"}'; }
`+script)
}

// A journalctl that dies is started again behind the last entry that came whole: none is lost, none
// comes twice.
func TestJournalctlDiesInAFollow(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"killed": {"entry $from; entry $((from+1)); kill -9 $$", "journalctl: signal: killed"},
		"in the middle of an entry": {`entry $from; entry $((from+1)); printf '{"__CURSOR":"c=%d","MESS' $((from+2)); echo broken >&2; exit 1`,
			"journalctl: broken"},
		"ends": {"entry $from; entry $((from+1))", "journalctl has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			entriesFrom(t, c.script)
			f := &follower{}
			done := f.run(t, (&Journal{Zone: time.UTC}).Tail(0))
			for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) { // polls
				f.mu.Lock()
				n := len(f.lines)
				f.mu.Unlock()
				if n >= 8 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d lines", n)
				}
			}
			if err := done(); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if want := numbers(0, len(f.lines)); !slices.Equal(f.lines, want) {
				t.Errorf("%q", f.lines)
			}
			if len(f.failed) < 3 || slices.ContainsFunc(f.failed[:3], func(s string) bool { return s != c.want }) {
				t.Errorf("%q", f.failed)
			}
		})
	}
}

// The end of the query kills journalctl; an error of emit too.
func TestFollowedJournalIsLeft(t *testing.T) {
	entriesFrom(t, "entry 0; echo $$ >&2; sleep 1000")
	enough := errors.New("enough")
	err := (&Journal{}).Tail(0).Run(t.Context(), func(*Piece) error { return enough }, func(err error) { t.Error(err) })
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}

// A unit that no entry is of is no failure: there may be some later.
func TestUnitToCome(t *testing.T) {
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	entriesFrom(t, "if [ ! -e '"+gate+"' ]; then : >'"+gate+"'; echo 'Failed to add filter for units: No data available' >&2; exit 1; fi; entry $from; sleep 1000")
	f := &follower{}
	done := f.run(t, (&Journal{Units: []string{"x*"}}).Tail(0))
	f.await(t, []string{"0"})
	if done(); len(f.failed) > 0 {
		t.Errorf("%q", f.failed)
	}
}

// Parts of a wrapped line that come in several runs are one line, with the offset and number of its first.
func TestUnwrapInRuns(t *testing.T) {
	const (
		part  = "2026-03-04T05:06:07Z stdout P one \n"
		other = "2026-03-04T05:06:08Z stderr F other\n"
		rest  = "2026-03-04T05:06:09Z stdout F line\n"
	)
	w := NewUnwrapper(CRI)
	at, number := int64(100), int64(7)
	for i, c := range []struct {
		text, want string
		begun      int64
	}{{part, "", 100}, {other, "other\n", 100}, {rest, "one line\n", -1}, {part + rest + other, "one line\nother\n", -1}} {
		p := w.Unwrap([]byte(c.text), at, number)
		if string(p.Text) != c.want || w.Begun() != c.begun {
			t.Errorf("run %d: %q, begun at %d", i, p.Text, w.Begun())
		}
		if i == 2 {
			if ns, n, off, ok := p.Line(0); !ok || n != 7 || off != 100 || ns != time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).UnixNano() {
				t.Errorf("line %d at %d, %d, %t", n, off, ns, ok)
			}
		}
		at += int64(len(c.text))
		number += int64(strings.Count(c.text, "\n"))
	}
}
