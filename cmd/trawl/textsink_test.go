package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// outbound keeps what is sent; its clock is moved by pauses and by hand.
type outbound struct {
	sent []string
	at   []time.Time
	now  time.Time
	err  error
}

func (m *outbound) Send(data []byte) error {
	m.sent, m.at = append(m.sent, string(data)), append(m.at, m.now)
	return m.err
}

func (m *outbound) text() string { return strings.Join(m.sent, "") }

func testSink(asJSON bool) (*textSink, *outbound) {
	m := &outbound{now: time.Unix(1, 0)}
	s := newTextSink(m, asJSON)
	s.now, s.pause, s.quiet = func() time.Time { return m.now }, func(d time.Duration) { m.now = m.now.Add(d) }, m.now
	s.about = func() string { return "1 of 2 nodes through" }
	return s, m
}

// Many lines go in one message, and no message ends within a line.
func TestSinkSendsWholeLines(t *testing.T) {
	s, m := testSink(false)
	var all strings.Builder
	for i := range 10_000 {
		line := fmt.Sprintf("n1:/x:line %d of some length\n", i)
		all.WriteString(line)
		if _, err := s.Write([]byte(line[:7])); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte(line[7:])); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.end("receipt", "2 of 2 nodes complete\n  n1 is fine\n"); err != nil {
		t.Fatal(err)
	}
	if got, want := m.text(), all.String()+"# receipt: 2 of 2 nodes complete\n#     n1 is fine\n"; got != want {
		t.Errorf("what came differs: %s", tailOf(got))
	}
	if len(m.sent) < 4 || len(m.sent) > 10 {
		t.Errorf("%d messages", len(m.sent))
	}
	for _, text := range m.sent {
		if !strings.HasSuffix(text, "\n") {
			t.Errorf("a message ends within a line: %s", tailOf(text))
		}
	}
	rate := float64(len(m.text())-len(m.sent[len(m.sent)-1])) / m.at[len(m.at)-1].Sub(m.at[0]).Seconds()
	if rate > textRate*1.01 {
		t.Errorf("%.0f bytes a second", rate)
	}
}

func tailOf(s string) string { return fmt.Sprintf("%q", s[max(0, len(s)-300):]) }

// Lines wait for 50 ms at most, and silence is told after 200, but never within a line.
func TestSinkTicks(t *testing.T) {
	s, m := testSink(false)
	step := func(d time.Duration) { m.now = m.now.Add(d); s.tick() }
	s.Write([]byte("n1:a\nn1:b"))
	step(40 * time.Millisecond)
	if len(m.sent) != 0 {
		t.Fatalf("sent at once: %q", m.sent)
	}
	step(20 * time.Millisecond)
	step(210 * time.Millisecond)
	s.Write([]byte("b\n"))
	step(60 * time.Millisecond)
	step(210 * time.Millisecond)
	const want = "n1:a\n|# waiting… 1 of 2 nodes through\n|n1:bb\n|# waiting… 1 of 2 nodes through\n"
	if got := strings.Join(m.sent, "|"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A line of a log cannot look like what the coordinator says; what that says cannot break out.
func TestSinkSays(t *testing.T) {
	s, m := testSink(false)
	s.say("note", "n1:/var/\x1b[2Jx: binary file matches")
	fmt.Fprintln(s.notes(), "trawl: since 2026-11-22")
	if err := s.end("receipt", "1 of 1 node complete"); err != nil {
		t.Fatal(err)
	}
	if want := "# note: n1:/var/\\x1b[2Jx: binary file matches\n# note: since 2026-11-22\n# receipt: 1 of 1 node complete\n"; m.text() != want {
		t.Errorf("%q, want %q", m.text(), want)
	}
	s, m = testSink(true)
	s.say("error", "a\n\"b\"")
	if err := s.end("", `{"type":"receipt"}`); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(m.text()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %q", line)
		}
	}
}

// An answer is capped, and says so before the receipt.
func TestSinkTruncates(t *testing.T) {
	s, m := testSink(false)
	s.limit = 200_000
	line, err := []byte("n1:"+strings.Repeat("x", 96)+"\n"), error(nil)
	for n := 0; err == nil && n < 5000; n++ {
		_, err = s.Write(line)
	}
	if !errors.Is(err, errTruncated) {
		t.Fatalf("no end: %v", err)
	}
	if err := s.end("receipt", "1 of 1 node complete"); err != nil {
		t.Fatal(err)
	}
	text := m.text()
	if int64(len(text)) > s.limit+500 || !strings.Contains(text, "\n# truncated: ") || !strings.HasSuffix(text, "\n# receipt: 1 of 1 node complete\n") || strings.Count(text, "# truncated") != 1 {
		t.Errorf("%d bytes, end %s", len(text), tailOf(text))
	}
}

// A line that is too long for a message is cut, and that is said.
func TestSinkCutsLongLines(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		s, m := testSink(asJSON)
		for range 40 {
			s.Write([]byte(strings.Repeat("y", 10_000)))
		}
		s.Write([]byte("\nnext\n"))
		if err := s.end("", ""); err != nil {
			t.Fatal(err)
		}
		want := strings.Repeat("y", textKept) + "\n# note: the line above has 395904 bytes more\nnext\n"
		if asJSON {
			want = `{"type":"omitted","bytes":400000}` + "\nnext\n"
		}
		if m.text() != want {
			t.Errorf("%s", tailOf(m.text()))
		}
	}
}

// An asker that cannot be reached ends the search with the next line.
func TestSinkFails(t *testing.T) {
	s, m := testSink(false)
	m.err = errors.New("no way")
	var err error
	for n := 0; err == nil && n < 100_000; n++ {
		_, err = s.Write([]byte("n1:x\n"))
	}
	if !errors.Is(err, m.err) || len(m.sent) != 1 {
		t.Errorf("%v after %d messages", err, len(m.sent))
	}
}
