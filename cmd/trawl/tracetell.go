package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
	"github.com/trawl-logs/trawl/trail"
)

// storyMatch is a line as JSON: the fields of trawl grep's, and hop.
type storyMatch struct {
	Type    string  `json:"type"`
	Node    string  `json:"node"`
	Service string  `json:"service"`
	File    string  `json:"file"`
	Line    *int64  `json:"line"` // always null: it would have all be read that is before the window
	Offset  int64   `json:"offset"`
	Time    *string `json:"time"`
	Text    *string `json:"text,omitempty"`
	Bytes   []byte  `json:"bytes,omitempty"`
	Cut     bool    `json:"truncated,omitempty"`
	Hop     int     `json:"hop"`
}

// storyReceipt is the receipt as JSON: that of trawl grep over all queries of the trace, and what is of a
// trace alone. bytes_considered counts a file once for every query that asked for it.
type storyReceipt struct {
	*requester.Receipt
	Rounds    int        `json:"rounds"`
	Queries   int        `json:"queries"`
	Services  []string   `json:"services"` // that have a line
	AllAtOnce *allAtOnce `json:"all_at_once"`
	Notes     []string   `json:"notes"`
}

// allAtOnce is what one query for all services would have read.
type allAtOnce struct {
	BytesConsidered int64          `json:"bytes_considered"`
	BytesRead       int64          `json:"bytes_read"` // with the index
	Blocks          schemas.Blocks `json:"blocks"`
	SealedBlocks    int            `json:"sealed_blocks,omitempty"` // of the fleet's block list
}

// storyTime is how times are written, in text.
const storyTime = "2006-01-02T15:04:05.000000Z"

// tell prints the story, says what was widened, and accounts for it.
func (t *tracer) tell() error {
	story := t.plan.Story()
	receipt := t.account()
	for i := range story {
		receipt.Lines++
		receipt.Bytes += int64(len(story[i].Text)) + 1
	}
	receipt.Matched = len(story) > 0
	notes := t.notes
	for _, n := range t.plan.Notes() {
		notes = append(notes, shown(n))
	}
	for _, n := range notes {
		fmt.Fprintln(t.errout, "trawl: "+n)
	}
	var err error
	if t.f.output == "json" {
		err = t.tellJSON(story, receipt, notes)
	} else {
		err = t.tellText(story)
	}
	if err != nil {
		return err
	}
	t.complain(receipt)
	if t.f.receipt || t.f.output == "text" && (t.shown || receipt.Trouble()) {
		fmt.Fprint(t.errout, t.receiptText(story, receipt))
	}
	switch code := receipt.Exit(t.f.okPartial); code {
	case exitMatch:
		return nil
	case exitUsage:
		return errors.New("no file is searched: that proves nothing")
	default:
		return &exitError{code: code}
	}
}

// complain reports the files that could not be searched, as grep does.
func (t *tracer) complain(r *requester.Receipt) {
	for i := range r.Nodes {
		n := &r.Nodes[i]
		for _, e := range n.Errors {
			fmt.Fprintln(t.errout, shown(fmt.Sprintf("trawl: %s:%s: %s", n.Node, e.File, e.Err)))
		}
		if more := n.ErrorCount - int64(len(n.Errors)); more > 0 {
			fmt.Fprintf(t.errout, "trawl: %s: %s could not be searched\n", n.Node, plural(more, "more file"))
		}
	}
}

// tellText prints a row a line: time, node and service, and the text, indented by its hop.
func (t *tracer) tellText(story []trail.Line) error {
	const widest = 40
	width := 0
	place := func(l *trail.Line) string { return string(t.shownText([]byte(l.Node + " " + l.Service))) }
	for i := range story {
		width = max(width, min(widest, utf8.RuneCountInString(place(&story[i]))))
	}
	w := bufio.NewWriter(t.out)
	for i := range story {
		l := &story[i]
		at := strings.Repeat(" ", len(storyTime))
		if l.Timed {
			at = time.Unix(0, l.At).UTC().Format(storyTime)
		}
		fmt.Fprintf(w, "%s %-*s %s", at, width, place(l), strings.Repeat("  ", l.Hop))
		_, _ = w.Write(t.shownText(l.Text)) // the error comes again with Flush
		_ = w.WriteByte('\n')
	}
	return w.Flush()
}

// tellJSON prints an object a line, and the receipt.
func (t *tracer) tellJSON(story []trail.Line, receipt *requester.Receipt, notes []string) error {
	w := bufio.NewWriter(t.out)
	for i := range story {
		l := &story[i]
		m := storyMatch{Type: "match", Node: l.Node, Service: l.Service, File: l.File, Offset: l.Offset, Cut: l.Truncated, Hop: l.Hop}
		if l.Timed {
			at := time.Unix(0, l.At).UTC().Format("2006-01-02T15:04:05.000000000Z")
			m.Time = &at
		}
		if text := string(l.Text); utf8.ValidString(text) {
			m.Text = &text
		} else {
			m.Bytes = l.Text
		}
		if err := encodeLine(w, &m); err != nil {
			return err
		}
	}
	r := storyReceipt{Receipt: receipt, Rounds: t.rounds, Queries: t.queries, Services: append([]string{}, t.plan.Found()...), Notes: append([]string{}, notes...)}
	if a := t.allAtOnce; a != nil {
		r.AllAtOnce = &allAtOnce{a.BytesConsidered, a.BytesRead, a.Blocks, sealedBlocks(a)}
	}
	if err := encodeLine(w, &r); err != nil {
		return err
	}
	return w.Flush()
}

func sealedBlocks(r *requester.Receipt) int {
	if r.Store == nil {
		return 0
	}
	return r.Store.Blocks
}

// receiptText is the receipt for people: of the nodes, and of what was read.
func (t *tracer) receiptText(story []trail.Line, r *requester.Receipt) string {
	var b strings.Builder
	b.WriteString(r.Text())
	nodes := map[string]bool{}
	for i := range story {
		nodes[story[i].Node] = true
	}
	fmt.Fprintf(&b, "%s of %s on %s, asked %s in %s\n", plural(int64(len(story)), "line"), plural(int64(len(t.plan.Found())), "service"),
		plural(int64(len(nodes)), "node"), plural(int64(t.queries), "time"), plural(int64(t.rounds), "round"))
	fmt.Fprintf(&b, "read %s", formatBytes(r.BytesRead))
	if r.Blocks.Considered > 0 {
		fmt.Fprintf(&b, " in %s", plural(r.Blocks.Read, "block"))
	}
	if a := t.allAtOnce; a != nil {
		fmt.Fprintf(&b, "; all services at once: %s", formatBytes(a.BytesConsidered))
		if a.Blocks.Considered > 0 {
			fmt.Fprintf(&b, " in %s, with the index %s in %s", plural(a.Blocks.Considered, "block"), formatBytes(a.BytesRead), plural(a.Blocks.Read, "block"))
		}
	}
	b.WriteByte('\n')
	if a := t.allAtOnce; r.Store != nil && a != nil && a.Store != nil {
		fmt.Fprintf(&b, "asked for %s; all services at once: %d\n", plural(int64(r.Store.Blocks), "sealed block"), a.Store.Blocks)
	}
	return b.String()
}
