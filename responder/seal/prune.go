package seal

import (
	"errors"
	"io/fs"

	"github.com/trawl-logs/trawl/responder/block"
)

// Counts say what Ranges came to.
type Counts struct {
	Blocks       int // of the Log
	SkippedTime  int // by their times
	SkippedIndex int // by the filter
	IndexRead    int64
}

// NUL tells whether a block of the Log holds a NUL: then it is binary, and lines that are left out count for
// what a search says of it.
func (t *Text) NUL() bool {
	for _, p := range t.parts() {
		if p.block.NUL {
			return true
		}
	}
	return false
}

// Timed tells whether the times of any block are known, in whatever form.
func (t *Text) Timed() bool {
	for _, p := range t.parts() {
		if p.block.Timed && p.block.Form != 0 {
			return true
		}
	}
	return false
}

// Dated tells whether the times of all its blocks are known in that form.
func (t *Text) Dated(form uint64) bool {
	for _, p := range t.parts() {
		if b := p.block; !b.Timed || b.Form != form || form == 0 {
			return false
		}
	}
	return true
}

// Ranges gives, in order, the stretches of the Text to read for q: no line outside of them matches. Blocks
// whose times or filters rule them out are not opened. What is not sealed is always read.
func (t *Text) Ranges(q block.Query) (ranges []block.Range, c Counts) {
	add := func(r block.Range) {
		if r.From < t.base {
			r.From, r.Line = t.base, t.line
		}
		r.From, r.To, r.Line = r.From-t.base, min(r.To, t.end)-t.base, r.Line-t.line
		if n := len(ranges); n > 0 && ranges[n-1].To == r.From {
			ranges[n-1].To = r.To
		} else if r.From < r.To {
			ranges = append(ranges, r)
		}
	}
	end, line := t.base, t.line
	parts := t.parts()
	for i := range parts {
		p := &parts[i]
		add(block.Range{From: end, To: p.From, Line: line})
		end, line = p.To, p.Line+p.Lines
		c.Blocks++
		b := p.block
		if b.Timed && b.Form == q.Form && q.Form != 0 && (q.Since != block.NoTime && b.MaxTime < q.Since || q.Until != block.NoTime && b.MinTime >= q.Until) {
			c.SkippedTime++
			continue
		}
		if q.Filter == nil || !q.Filter.Prunes() || !t.s.filter(p, q.Filter, &c, add) {
			add(block.Range{From: p.From, To: p.To, Line: p.Line})
		}
	}
	add(block.Range{From: end, To: t.end, Line: line})
	return ranges, c
}

// filter asks the skip index of a part's block, and gives what is to be read of the part; false: there is
// none that can be relied on, and all is.
func (s *Store) filter(p *part, f *block.Filter, c *Counts, add func(block.Range)) bool {
	id := p.block.ID.index()
	x, err := block.Open(s.dir, id[0], id[1])
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("index of a sealed block not used", "block", p.block.ID, "err", err)
		}
		return false
	}
	defer x.Close()
	if x.File().Head != p.block.Checksum {
		return false
	}
	var found []block.Range
	counts, err := x.Walk(block.Query{Filter: f, Since: block.NoTime, Until: block.NoTime}, p.block.Bytes, func(r block.Range) bool {
		found = append(found, r)
		return true
	})
	c.IndexRead += counts.IndexRead
	if err != nil {
		return false
	}
	any := false
	for _, r := range found {
		line := p.Line + r.Line - p.line
		if r.From < p.at {
			r.From, line = p.at, p.Line
		}
		r.To = min(r.To, p.at+p.To-p.From)
		if r.From < r.To {
			any = true
			add(block.Range{From: p.From + r.From - p.at, To: p.From + r.To - p.at, Line: line})
		}
	}
	if !any {
		c.SkippedIndex++
	}
	return true
}
