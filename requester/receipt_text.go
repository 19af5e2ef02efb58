package requester

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/schemas"
)

// textWidth is the width that the receipt's text keeps to.
const textWidth = 80

// rowsMost is how many nodes that are not complete get a line of their own; beyond it, those of one
// status and reason share theirs.
const rowsMost = 20

// Text renders the receipt for people, in lines of at most 80 columns:
//
//	3 of 5 nodes complete, 1,234 lines (1.2 MB), searched 229 MB of 240 MB in 0.13s
//	  node2  down     nobody is subscribed for it
//	  node4  partial  /var/log/x: permission denied
//
// Every node that is not complete is named, but for those that were not asked, which are counted. Then a line says how
// many files were taken for sorted from samples, and one who read how many sealed blocks, if there are any. Of a query that followed, it says who was followed to the end,
// who was away, and what was skipped:
//
//	2 of 3 nodes followed to the end, 1,234 lines (1.2 MB) in 5.1 s
//	  node2  down     nobody is subscribed for it
//	  node3  stopped  was away once; skipped 20 lines
//
// Control characters are shown escaped.
func (r *Receipt) Text() string {
	var b strings.Builder
	complete, pruned, found := 0, 0, r.rosterNote()
	var rows []NodeReceipt
	for _, n := range r.Nodes {
		switch {
		case r.following:
			if n.Status == schemas.StatusStopped {
				complete++
			}
			if n.Reason = followed(&n); n.Status != schemas.StatusStopped || n.Reason != "" {
				rows = append(rows, n)
			}
		case n.Status == schemas.StatusPruned:
			pruned++
		case n.Status == schemas.StatusComplete && !n.Unexpected:
			complete++
		case n.Status == schemas.StatusComplete:
			complete++
			n.Reason = "not on the roster"
			rows = append(rows, n)
		default:
			rows = append(rows, n)
		}
	}
	head := []string{
		fmt.Sprintf("%s of %s complete", number(int64(complete)), count(int64(len(r.Nodes)), "node")),
		fmt.Sprintf("%s (%s)", count(r.Lines, "line"), size(r.Bytes)),
		fmt.Sprintf("searched %s of %s in %s", size(r.BytesRead), size(r.BytesConsidered), seconds(r.ElapsedMS)),
	}
	if r.following {
		head = []string{
			fmt.Sprintf("%s of %s followed to the end", number(int64(complete)), count(int64(len(r.Nodes)), "node")),
			fmt.Sprintf("%s (%s) in %s", count(r.Lines, "line"), size(r.Bytes), seconds(r.ElapsedMS)),
		}
	}
	if pruned > 0 {
		head = slices.Insert(head, 1, fmt.Sprintf("%s pruned", number(int64(pruned))))
	}
	if found != "" {
		head = append(head, found)
	}
	wrap(&b, head, ", ", "", "  ")
	if len(rows) > rowsMost {
		groups(&b, rows)
	} else {
		table(&b, rows)
	}
	if n := r.AssumedSorted; n > 0 {
		fmt.Fprintf(&b, "  %s taken for sorted from samples; --exhaustive reads all\n", count(n, "file"))
	}
	b.WriteString(r.storeText())
	return b.String()
}

// followed says what a node that was followed lacks; empty if nothing.
func followed(n *NodeReceipt) string {
	var words []string
	if n.Status != schemas.StatusStopped && n.Reason != "" {
		words = append(words, n.Reason)
	}
	switch {
	case n.Status == schemas.StatusStopped && n.Left == 1:
		words = append(words, "was away once")
	case n.Status == schemas.StatusStopped && n.Left > 1:
		words = append(words, "was away "+count(int64(n.Left), "time"))
	}
	if n.Skipped > 0 {
		words = append(words, "skipped "+count(n.Skipped, "line"))
	}
	return strings.Join(words, "; ")
}

// rosterNote says what is to be known of a roster that nobody vouches for; empty for others.
func (r *Receipt) rosterNote() string {
	if r.Roster == RosterDiscovered {
		return "nodes discovered, not registered"
	}
	return ""
}

// table writes a line a node: name, status, reason, aligned.
func table(b *strings.Builder, rows []NodeReceipt) {
	nameWidth, statusWidth := 0, 0
	for i := range rows {
		nameWidth = max(nameWidth, utf8.RuneCountInString(visible(rows[i].Node)))
		statusWidth = max(statusWidth, len(rows[i].Status.String()))
	}
	nameWidth = min(nameWidth, textWidth/2)
	for i := range rows {
		n := &rows[i]
		line := fmt.Sprintf("  %-*s  %-*s  %s", nameWidth, visible(n.Node), statusWidth, n.Status, reason(n))
		b.WriteString(shorten(strings.TrimRight(line, " "), textWidth) + "\n")
	}
}

// reason says why a node is not complete: what it gave as the reason, and which file failed. That
// files failed is told once: the file says it better than a reason that only counts them.
func reason(n *NodeReceipt) string {
	text := visible(n.Reason)
	if n.ErrorCount == 0 || len(n.Errors) == 0 {
		return text
	}
	if strings.HasSuffix(text, "could not be searched in full") {
		text = ""
	}
	files := visible(n.Errors[0].File + ": " + n.Errors[0].Err)
	if n.ErrorCount > 1 {
		files = fmt.Sprintf("%s failed, first %s", count(n.ErrorCount, "file"), files)
	}
	return strings.TrimPrefix(text+"; "+files, "; ")
}

// groups writes the nodes of each status and reason together.
func groups(b *strings.Builder, rows []NodeReceipt) {
	type group struct {
		title string
		names []string
	}
	var list []*group
	byTitle := map[string]*group{}
	for i := range rows {
		title := rows[i].Status.String()
		if why := reason(&rows[i]); why != "" {
			title += ": " + why
		}
		if byTitle[title] == nil {
			byTitle[title] = &group{title: title}
			list = append(list, byTitle[title])
		}
		byTitle[title].names = append(byTitle[title].names, visible(rows[i].Node))
	}
	for _, g := range list {
		b.WriteString(shorten(fmt.Sprintf("  %s %s", count(int64(len(g.names)), "node"), g.title), textWidth) + "\n")
		wrap(b, g.names, " ", "    ", "    ")
	}
}

// wrap writes items with separators between them, in lines that keep to the width.
func wrap(b *strings.Builder, items []string, separator, first, rest string) {
	line := first
	for i, item := range items {
		if i < len(items)-1 {
			item += separator
		}
		if len(strings.TrimSpace(line)) > 0 && utf8.RuneCountInString(line)+utf8.RuneCountInString(strings.TrimRight(item, " ")) > textWidth {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = rest
		}
		line += item
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

func shorten(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	runes := []rune(s)
	return string(runes[:width-3]) + "..."
}

// visible escapes what must not reach a terminal.
func visible(s string) string {
	clean := func(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !clean(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if clean(r) {
			b.WriteString(s[:n])
		} else {
			for i := range n {
				fmt.Fprintf(&b, `\x%02x`, s[i])
			}
		}
		s = s[n:]
	}
	return b.String()
}

// number writes n with commas.
func number(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// size writes bytes with three digits at least of precision, in powers of 1000.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB", "PB", "EB"} {
		if v /= 1000; v < 999.5 {
			break
		}
	}
	if v < 9.95 {
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

func seconds(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", ms)
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
