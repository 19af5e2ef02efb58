package feed

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/needs"
)

// field is one field of an entry, and start the time of the first.
type field struct{ name, value string }

const start = int64(1_700_000_000_000_000)

// journalEntries are those of the test's journal, one every 1.5 s.
var journalEntries = [][]field{
	{{"MESSAGE", "starting up"}, {"PRIORITY", "6"}, {"_HOSTNAME", "web1"}, {"SYSLOG_IDENTIFIER", "nginx"}, {"_COMM", "nginx: worker"}, {"_PID", "42"}, {"_SYSTEMD_UNIT", "nginx.service"}},
	{{"MESSAGE", "panic: oops\n\tat main.go:1\n\n  at main.go:2\n"}, {"PRIORITY", "3"}, {"_HOSTNAME", "web1"}, {"SYSLOG_IDENTIFIER", "app"}, {"_PID", "43"}, {"_SYSTEMD_UNIT", "app.service"}},
	{{"MESSAGE", "bytes \x00\xff\x1b[31mred"}, {"PRIORITY", "4"}, {"_HOSTNAME", "web1"}, {"_COMM", "app"}, {"SYSLOG_PID", "7"}, {"_SYSTEMD_UNIT", "app.service"}},
	{{"MESSAGE", "long " + strings.Repeat("H", 100_000)}, {"PRIORITY", "4"}, {"_HOSTNAME", "web1"}, {"_SYSTEMD_UNIT", "app.service"}},
	{{"MESSAGE", "two values \"of\" € "}, {"PRIORITY", "4"}, {"SYSLOG_IDENTIFIER", "first"}, {"SYSLOG_IDENTIFIER", "second"}, {"_SYSTEMD_UNIT", "app.service"}},
	{{"PRIORITY", "4"}, {"NOTE", "an entry without a message"}, {"_SYSTEMD_UNIT", "app.service"}},
	{{"MESSAGE", "of the kernel"}, {"PRIORITY", "2"}, {"_HOSTNAME", "web1"}, {"SYSLOG_IDENTIFIER", "kernel"}, {"_TRANSPORT", "kernel"}},
	{{"MESSAGE", ""}, {"PRIORITY", "2"}, {"_HOSTNAME", "web1"}, {"SYSLOG_IDENTIFIER", "kernel"}},
}

// journalLines are the lines that they become, without the times in front.
var journalLines = []string{
	"web1 nginx[42]: starting up",
	"web1 app[43]: panic: oops", "\tat main.go:1", "", "  at main.go:2",
	`web1 app[7]: bytes \x00\xff` + "\x1b[31mred",
	"web1 unknown: long " + strings.Repeat("H", 100_000),
	"second: two values \"of\" € ",
	"web1 kernel: of the kernel",
	"web1 kernel: ",
}

// journal makes a journal file with systemd's own tool, and returns its directory.
func journal(t *testing.T) string {
	t.Helper()
	const remote = "/lib/systemd/systemd-journal-remote"
	needs.Tool(t, remote, "systemd-journal-remote")
	needs.Tool(t, "journalctl", "systemd")
	var export bytes.Buffer
	for i, fields := range journalEntries {
		fmt.Fprintf(&export, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%032d\n", start+int64(i)*1_500_001, 1000+i, 1)
		for _, f := range append(fields, field{"_MACHINE_ID", fmt.Sprintf("%032d", 2)}) {
			if f.value == "" { // systemd-journal-remote loses what has a length of 0
				export.WriteString(f.name + "=\n")
				continue
			}
			export.WriteString(f.name + "\n")
			export.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(f.value))))
			export.WriteString(f.value + "\n")
		}
		export.WriteByte('\n')
	}
	dir := t.TempDir()
	from := filepath.Join(dir, "test.export")
	if err := os.WriteFile(from, export.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "journal")
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(remote, "-o", filepath.Join(to, "test.journal"), from).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return to
}

func readJournal(t *testing.T, j Journal, since, until int64) ([]line, error) {
	t.Helper()
	if err := j.Check(); err != nil {
		t.Fatal(err)
	}
	lines, closer, err := j.Open(t.Context(), since, until)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return read(t, lines)
}

var head = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 `)

// A journal of systemd's own making, read by its journalctl, is what journalctl prints by itself.
func TestJournal(t *testing.T) {
	dir := journal(t)
	got, err := readJournal(t, Journal{Directory: dir, Zone: time.UTC}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(journalLines) {
		t.Fatalf("%d lines: %.1000v", len(got), got)
	}
	indent := ""
	for i, l := range got {
		text := l.text
		if at := head.FindString(text); at != "" {
			text = text[len(at):]
			indent = strings.Repeat(" ", len(l.text)-len(text)+strings.Index(text, ": ")+2)
		} else {
			text = strings.TrimPrefix(text, indent)
		}
		if text != journalLines[i] || l.number != int64(i+1) {
			t.Errorf("line %d is %.200q, not %.200q", l.number, text, journalLines[i])
		}
	}
	if got[4].time != "14 22:13:21.500001" || got[0].time != "14 22:13:20" {
		t.Errorf("times %s and %s", got[0].time, got[4].time)
	}

	cmd := exec.Command("journalctl", "--directory="+dir, "-o", "short-iso-precise", "--no-pager", "--all", "--utc")
	own, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := strings.Split(strings.TrimSuffix(string(own), "\n"), "\n")
	if len(theirs) != len(got) {
		t.Fatalf("%d lines, journalctl has %d", len(got), len(theirs))
	}
	colon := regexp.MustCompile(`^(\S*[+-]\d\d):?(\d\d) `) // a newer systemd writes +00:00, as we do
	for i := range theirs {
		if i == 5 {
			continue // theirs ends with the NUL
		}
		// Lines after the first are indented by what is before it, where the colon counts.
		mine, want := colon.ReplaceAllString(got[i].text, "$1$2 "), colon.ReplaceAllString(theirs[i], "$1$2 ")
		if strings.TrimLeft(mine, " ") != strings.TrimLeft(want, " ") {
			t.Errorf("line %d is %.200q, journalctl has %.200q", i+1, mine, want)
		}
	}
}

func TestNewestEntry(t *testing.T) {
	dir := journal(t)
	if ns, err := (&Journal{Directory: dir}).Newest(t.Context()); err != nil || ns != (start+7*1_500_001)*1000 {
		t.Errorf("%d, %v", ns, err)
	}
	if ns, err := (&Journal{Directory: dir, Units: []string{"app"}}).Newest(t.Context()); err != nil || ns != (start+4*1_500_001)*1000 {
		t.Errorf("before one without a message: %d, %v", ns, err)
	}
	if ns, err := (&Journal{Directory: dir, Units: []string{"absent"}}).Newest(t.Context()); err != nil || ns != NoTime {
		t.Errorf("%d, %v", ns, err)
	}
}

func TestJournalIsNarrowed(t *testing.T) {
	dir := journal(t)
	at := func(i int) int64 { return (start + int64(i)*1_500_001) * 1000 }
	for name, c := range map[string]struct {
		j            Journal
		since, until int64
		want         []int // indices of journalLines
	}{
		"unit":            {Journal{Units: []string{"nginx"}}, 0, 0, []int{0}},
		"units":           {Journal{Units: []string{"nginx.service", "ap*"}}, 0, at(2), []int{0, 1, 2, 3, 4, 5}},
		"no such unit":    {Journal{Units: []string{"absent"}}, 0, 0, nil},
		"no such glob":    {Journal{Units: []string{"absent*"}}, 0, 0, nil},
		"priority":        {Journal{Priority: "err"}, 0, 0, []int{1, 2, 3, 4, 8, 9}},
		"range":           {Journal{Priority: "warning..err"}, 0, at(2), []int{1, 2, 3, 4, 5}},
		"since":           {Journal{}, at(6), 0, []int{8, 9}},
		"since, rounded":  {Journal{}, at(7) - 999, 0, []int{9}},
		"both":            {Journal{}, at(1) + 1000, at(4) - 1500, []int{5, 6}},
		"none so late":    {Journal{}, at(9), 0, nil},
		"before the year": {Journal{}, 0, 1, nil},
	} {
		c.j.Directory = dir
		got, err := readJournal(t, c.j, c.since, c.until)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var texts, want []string
		for _, l := range got {
			texts = append(texts, l.text[max(0, len(l.text)-10):])
		}
		for _, i := range c.want {
			full := "                  " + journalLines[i]
			want = append(want, full[len(full)-10:])
		}
		if strings.Join(texts, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: %q, want %q", name, texts, want)
		}
	}
}

// fake puts a script in the place of journalctl, and returns the file to which it writes its arguments.
func fake(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	args := filepath.Join(dir, "args")
	text := "#!/bin/sh\nprintf '%s\\n' \"$@\" >'" + args + "'\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return args
}

const recorded = `{"MESSAGE":"one","__REALTIME_TIMESTAMP":"1700000000000001","_HOSTNAME":"h","SYSLOG_IDENTIFIER":"a","_PID":"1"}`

// What can go wrong with journalctl is an error after the lines that came.
func TestJournalctlFails(t *testing.T) {
	for name, c := range map[string]struct {
		script, want string
		lines        int
	}{
		"fine":        {"echo '" + recorded + "'", "", 1},
		"no entries":  {"echo '-- No entries --'", "", 0},
		"reboot":      {"echo '" + recorded + "'; echo '-- Boot 2f5b --'; echo '" + recorded + "'", "", 2},
		"fails":       {"echo '" + recorded + "'; echo 'Failed to open: No such file' >&2; echo more >&2; exit 1", "journalctl: Failed to open: No such file", 1},
		"exit status": {"exit 3", "journalctl: exit status 3", 0},
		"killed":      {"echo '" + recorded + "'; kill -9 $$", "journalctl: signal: killed", 1},
		"not all": {"echo 'Hint: You are currently not seeing messages from other users and the system.' >&2; echo '" + recorded + "'",
			"journalctl: Hint: You are currently not seeing messages from other users and the system.", 1},
		"damaged":    {`echo '{"MESSAGE":"cut of'; echo; echo nothing; echo '` + recorded + "'", "", 4},
		"cut off":    {"printf '%s' '" + recorded + "'", "", 1},
		"null":       {`echo '{"MESSAGE":null,"__REALTIME_TIMESTAMP":"1700000000000001"}'`, "", 1},
		"no time":    {`echo '{"MESSAGE":"x","__REALTIME_TIMESTAMP":null}'`, "", 1},
		"huge":       {"echo '" + recorded + `'; echo '{"MESSAGE":"'; head -c 5000000 /dev/zero | tr '\0' x; echo '"}'; echo '` + recorded + "'", "journal entry too long: 1 of more than 4194304 bytes are left out", 3},
		"bad number": {`echo '{"MESSAGE":[256],"__REALTIME_TIMESTAMP":"1"}'; echo '{"MESSAGE":[[["a"]]],"__REALTIME_TIMESTAMP":"1"}'`, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			fake(t, c.script)
			got, err := readJournal(t, Journal{}, 0, 0)
			said := ""
			if err != nil {
				said = err.Error()
			}
			if said != c.want || len(got) != c.lines {
				t.Errorf("%d lines, not %d: %.1000v; %q", len(got), c.lines, got, said)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, err := readJournal(t, Journal{}, 0, 0); err == nil || err.Error() != "journal: journalctl is not installed" {
			t.Error(err)
		}
	})
}

func TestJournalArguments(t *testing.T) {
	args := fake(t, "")
	j := Journal{Units: []string{"a", "b*"}, Priority: "emerg..err", Directory: "/var/log/journal/remote"}
	if _, err := readJournal(t, j, 1_700_000_000_123_456_789, 1_700_000_001_000_000_001); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(args)
	if err != nil {
		t.Fatal(err)
	}
	want := "--output=json\n--all\n--no-pager\n--output-fields=MESSAGE,_HOSTNAME,SYSLOG_IDENTIFIER,_COMM,_PID,SYSLOG_PID\n" +
		"--directory=/var/log/journal/remote\n--unit=a\n--unit=b*\n--priority=emerg..err\n--since=@1700000000.123456\n--until=@1700000001.000001\n"
	if string(got) != want {
		t.Errorf("%s", got)
	}
}

func TestJournalCheck(t *testing.T) {
	for _, j := range []Journal{
		{Units: []string{""}}, {Units: []string{"--file=/etc/shadow"}}, {Units: []string{"a b"}}, {Units: []string{"../x"}},
		{Priority: "8"}, {Priority: "err.."}, {Priority: "loud"}, {Directory: "here"},
	} {
		if j.Check() == nil {
			t.Errorf("%+v is fine", j)
		}
	}
	if err := (&Journal{Units: []string{"nginx*", "user@1000.service"}, Priority: "0..warning"}).Check(); err != nil {
		t.Error(err)
	}
}

// The end of the query kills journalctl, and what it has started, whether or not somebody reads.
func TestJournalIsCancelled(t *testing.T) {
	fake(t, "echo '"+recorded+"'; sleep 1000 & echo $! >&2; echo $$ >&2; wait")
	for _, byClose := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		lines, closer, err := (&Journal{}).Open(ctx, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := lines.Read(make([]byte, 1000)); n == 0 || err != nil {
			t.Fatal(n, err)
		}
		ended := make(chan error)
		go func() {
			_, err := lines.Read(make([]byte, 1000))
			ended <- err
		}()
		c := closer.(*child)
		for strings.Count(c.both(), "\n") < 2 {
			time.Sleep(time.Millisecond) // polls: until the script has said its numbers
		}
		if byClose {
			closer.Close()
		} else {
			cancel()
		}
		if err := <-ended; err == nil || !byClose && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := closer.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
		cancel()
		for _, pid := range strings.Fields(c.both()) {
			deadline := time.Now().Add(20 * time.Second)
			for ; alive(pid); time.Sleep(time.Millisecond) { // polls
				if time.Now().After(deadline) {
					t.Fatalf("process %s is still there", pid)
				}
			}
		}
	}
}

// both is all that the child has said.
func (c *child) both() string {
	c.said.mu.Lock()
	defer c.said.mu.Unlock()
	return string(c.said.text)
}

// alive tells whether a process runs: one that nobody has waited for does not.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// FuzzEntries: whatever journalctl prints, every line of it is an entry, or given as it is.
func FuzzEntries(f *testing.F) {
	f.Add([]byte(recorded + "\n" + `{"MESSAGE":[104,0,255],"_PID":["1","2"],"__REALTIME_TIMESTAMP":"1"}`))
	f.Add([]byte(`{"MESSAGE":null,"__REALTIME_TIMESTAMP":"9223372036854775807"}` + "\n-- Boot --\n{}\n[[[["))
	f.Fuzz(func(t *testing.T, text []byte) {
		e := &entries{Lines: &Lines{}, splitter: splitter{r: bytes.NewReader(text)}, zone: time.UTC, last: NoTime}
		e.Lines.fill = e.fillFrom
		got, err := read(t, e.Lines)
		if err != nil {
			t.Error(err)
		}
		for _, l := range got {
			if strings.Contains(l.text, "\x00") {
				t.Errorf("%q", l.text)
			}
		}
	})
}

func BenchmarkEntries(b *testing.B) {
	log := []byte(strings.Repeat(`{"__CURSOR":"s=93857c6b81a34878959be9e9c1eaceb7;i=1;b=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;m=f4240;t=60a24181e4000;x=850abf383e74c85a","__REALTIME_TIMESTAMP":"1700000000000000","__MONOTONIC_TIMESTAMP":"1000000","_BOOT_ID":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","_HOSTNAME":"web1","SYSLOG_IDENTIFIER":"nginx","_PID":"42","MESSAGE":"192.0.2.7 - - GET /index.html HTTP/1.1 200 5124"}`+"\n", 5000))
	b.SetBytes(int64(len(log)))
	buf := make([]byte, 96<<10)
	for b.Loop() {
		e := &entries{Lines: &Lines{}, splitter: splitter{r: bytes.NewReader(log)}, zone: time.UTC, last: NoTime}
		e.Lines.fill = e.fillFrom
		for {
			if _, err := e.Read(buf); err != nil {
				break
			}
			e.Release(e.made)
		}
	}
}
