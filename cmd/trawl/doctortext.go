package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// doctorWidth is that of a terminal; only names make a line longer.
const doctorWidth = 80

// text prints the diagnosis for people.
func (d *diagnosis) text(w io.Writer) error {
	var b bytes.Buffer
	if d.Bus != nil {
		d.busText(&b)
	}
	for i := range d.Nodes {
		d.Nodes[i].text(&b)
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"problems", d.Problems}, {"notes", d.Notes}, {"next", d.Next}} {
		if len(part.lines) == 0 {
			continue
		}
		fmt.Fprintln(&b, part.title)
		for _, line := range part.lines {
			wrapped(&b, "  ", line)
		}
		fmt.Fprintln(&b)
	}
	verdict := "all is well\n"
	if n := len(d.Problems); n > 0 {
		verdict = plural(int64(n), "problem") + "\n"
	}
	b.WriteString(verdict)
	_, err := io.WriteString(w, message(b.String(), isTerminal(w)))
	return err
}

func (d *diagnosis) busText(b *bytes.Buffer) {
	wrapped(b, "bus    ", fmt.Sprintf("%s, nats-server %s, round trip %s", d.Bus.URL, d.Bus.Server, ms(d.Bus.RoundTrip)))
	may := "may do all that a query needs"
	if len(d.Bus.Refused) > 0 {
		may = "may not do all that a query needs"
	}
	wrapped(b, "user   ", d.Bus.User+", "+may)
	if d.RosterError != "" {
		wrapped(b, "nodes  ", "not known")
	} else {
		up := 0
		for i := range d.Nodes {
			if d.Nodes[i].State != "down" {
				up++
			}
		}
		wrapped(b, "nodes  ", fmt.Sprintf("%d known (%s), %d answer", len(d.Nodes), d.Roster, up))
	}
	b.WriteByte('\n')
}

func (n *nodeDiagnosis) text(b *bytes.Buffer) {
	about := []string{n.State}
	if n.Since != nil {
		about[0] += " since " + n.Since.Format(time.DateTime) + " UTC"
	}
	if n.Version != "" {
		about = append(about, "trawl "+n.Version)
	}
	if n.Clock != nil {
		about = append(about, "clock "+n.Clock.String())
	}
	if n.User != "" {
		about = append(about, "reads as "+n.User, "zone "+n.Zone)
	}
	fmt.Fprintln(b, n.Node)
	wrapped(b, "  ", strings.Join(about, ", "))
	for _, p := range n.Places {
		wrapped(b, "  ! ", p.Path+": "+p.Error)
	}
	for i := range n.Sources {
		n.Sources[i].text(b)
	}
	b.WriteByte('\n')
}

// shownFiles is how many files of a source are shown, if nothing is wrong with more.
const shownFiles = 3

func (s *sourceReport) text(b *bytes.Buffer) {
	b.WriteByte('\n')
	name := s.Logs
	if s.Service != "" && s.Service != s.Logs {
		name = s.Service + " = " + s.Logs
	}
	wrapped(b, "  ", name)
	counts := []string{plural(s.Files, "file"), formatBytes(s.Bytes)}
	if s.journal() {
		counts = []string{"systemd's journal"}
	}
	for _, c := range []struct {
		n    int64
		what string
	}{{s.Unreadable, "cannot be read"}, {s.Timeless, "without times"}, {s.Unsorted, "unsorted"}} {
		if c.n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	wrapped(b, "    ", strings.Join(counts, ", "))
	for i, f := range s.Details {
		if i >= shownFiles && f.Error == "" {
			break
		}
		f.text(b)
	}
}

// journal tells whether the source is of systemd's journal, which has no file.
func (s *sourceReport) journal() bool { return strings.HasPrefix(s.Logs, "journald") }

func (f *fileReport) text(b *bytes.Buffer) {
	if f.Error != "" {
		wrapped(b, "    ! ", f.Path+": "+f.Error)
		return
	}
	wrapped(b, "    - ", f.Path)
	if f.First == nil && f.Last == nil {
		if f.Bytes > 0 {
			wrapped(b, "      ", "no times were found")
		} else {
			wrapped(b, "      ", "empty")
		}
		return
	}
	wrapped(b, "      ", fmt.Sprintf("%s to %s, %s", timeText(f.First), timeText(f.Last), orderText(f.Order)))
	wrapped(b, "      ", fmt.Sprintf("times %s, as in %q", f.Form, f.Sample))
}

func orderText(o string) string {
	if o == "unknown" {
		return "order not known"
	}
	return o
}

func timeText(t *time.Time) string {
	if t == nil {
		return "?"
	}
	return t.Format(time.DateTime + "Z")
}

// String says by how much a clock is off: "0.2 ms ahead (±0.1 ms)".
func (c *clockDiagnosis) String() string {
	way, off := "ahead", c.Ahead
	if off < 0 {
		way, off = "behind", -off
	}
	return fmt.Sprintf("%s %s (±%s)", ms(off), way, ms(c.Within))
}

// ms is a duration in a unit that suits it.
func ms(v float64) string {
	switch {
	case v >= 3_600_000:
		return fmt.Sprintf("%.1f h", v/3_600_000)
	case v >= 10_000:
		return fmt.Sprintf("%.0f s", v/1000)
	case v >= 1000:
		return fmt.Sprintf("%.1f s", v/1000)
	case v >= 100:
		return fmt.Sprintf("%.0f ms", v)
	}
	return fmt.Sprintf("%.1f ms", v)
}

// wrapped writes text behind a lead, in lines that fit the width, the later ones indented like it.
func wrapped(b *bytes.Buffer, lead, text string) {
	width := doctorWidth - len(lead)
	line := 0
	b.WriteString(lead)
	for i, word := range strings.Split(text, " ") {
		n := len([]rune(word))
		switch {
		case i == 0:
		case line+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", len(lead)))
			line = 0
		default:
			b.WriteByte(' ')
			line++
		}
		b.WriteString(word)
		line += n
	}
	b.WriteByte('\n')
}
