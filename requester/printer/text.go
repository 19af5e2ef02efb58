package printer

import (
	"bytes"
	"math"
	"strconv"

	"github.com/trawl-logs/trawl/schemas"
)

// printLines writes a chunk of lines as text.
func (p *Printer) printLines(node string, c *schemas.Chunk) {
	if p.bare(c) {
		p.raw(c.Text)
		return
	}
	text := c.Text
	if c.Continues {
		text = p.rest(text)
	}
	if p.simple(c) {
		p.names(node, c.File, ':')
		p.buf = p.buf[:len(p.buf)-len(p.head)]
		p.prefixed(text)
		return
	}
	if p.o.InitialTab {
		p.width = p.digits(c.Size)
	}
	groups, runs := c.Groups, contextRuns{runs: c.Context}
	for i := int64(0); len(text) > 0; i++ {
		for len(groups) > 0 && groups[0] <= i {
			p.group()
			groups = groups[1:]
		}
		n := bytes.IndexByte(text, p.o.Terminator)
		whole := n >= 0
		if !whole {
			n = len(text)
		}
		context := runs.next()
		p.prefix(node, c, i, context, n > 0)
		p.line(text[:n], context, whole)
		if whole {
			p.buf = append(p.buf, p.o.Terminator)
			n++
		}
		text = text[n:]
		if len(p.buf) >= writeSize {
			_ = p.Flush() // kept in p.err
		}
	}
	for range groups {
		p.group()
	}
}

// bare says whether a chunk's text can be written as it is.
func (p *Printer) bare(c *schemas.Chunk) bool {
	o := &p.o
	return !(o.Node || o.File || o.Number || o.Offset || o.Escape || o.Colors != nil) && len(c.Groups) == 0
}

// simple says whether every line of a chunk has the same before it, and needs no more.
func (p *Printer) simple(c *schemas.Chunk) bool {
	o := &p.o
	return !(o.Number || o.Offset || o.InitialTab || o.Escape || o.Colors != nil) && len(c.Groups) == 0 && len(c.Context) == 0
}

// raw writes text without copying it, if it is much.
func (p *Printer) raw(text []byte) {
	if len(text) < writeSize/4 {
		p.buf = append(p.buf, text...)
		return
	}
	if p.Flush() == nil {
		p.write(text)
	}
}

// rest writes the rest of a line that began in an earlier chunk, and returns what follows it.
func (p *Printer) rest(text []byte) []byte {
	n := bytes.IndexByte(text, p.o.Terminator)
	whole := n >= 0
	if !whole {
		n = len(text)
	}
	p.plain(text[:n], whole)
	if whole {
		p.buf = append(p.buf, p.o.Terminator)
		n++
	}
	return text[n:]
}

// group begins a group of lines.
func (p *Printer) group() {
	if p.used && !p.o.NoGroups {
		p.colored(p.sepColor(), p.o.Separator)
		p.buf = append(p.buf, '\n')
	}
	p.used = true
}

func (p *Printer) sepColor() string {
	if p.o.Colors == nil {
		return ""
	}
	return p.o.Colors.Separator
}

func (p *Printer) colored(color, s string) {
	p.buf = p.o.Colors.start(p.buf, color)
	p.buf = append(p.buf, s...)
	p.buf = p.o.Colors.stop(p.buf, color)
}

// prefix writes what stands before a line.
func (p *Printer) prefix(node string, c *schemas.Chunk, i int64, context, nonEmpty bool) {
	sep := byte(':')
	if context {
		sep = '-'
	}
	o := &p.o
	if o.Node || o.File {
		p.names(node, c.File, sep)
	}
	var line, offset string
	if o.Colors != nil {
		line, offset = o.Colors.Line, o.Colors.Byte
	}
	if o.Number && i < int64(len(c.Numbers)) {
		p.number(c.Numbers[i], line, sep)
	}
	if o.Offset && i < int64(len(c.Offsets)) {
		p.number(c.Offsets[i], offset, sep)
	}
	if o.InitialTab && nonEmpty && (o.Node || o.File || o.Number || o.Offset) {
		p.buf = append(p.buf, '\t')
	}
}

// names writes node and file, which are the same for many lines.
func (p *Printer) names(node, file string, sep byte) {
	if !p.headValid || p.headSep != sep || p.headNode != node || p.headFile != file {
		keep := p.buf
		p.buf = p.head[:0]
		p.appendNames(node, file, sep)
		p.head, p.buf = p.buf, keep
		p.headNode, p.headFile, p.headSep, p.headValid = node, file, sep, true
	}
	p.buf = append(p.buf, p.head...)
}

func (p *Printer) appendNames(node, file string, sep byte) {
	if p.o.Node {
		p.name(node)
		p.separator(sep)
	}
	if p.o.File {
		p.name(file)
		if p.o.NullName {
			p.buf = append(p.buf, 0)
		} else {
			p.separator(sep)
		}
	}
}

func (p *Printer) name(s string) {
	color := ""
	if p.o.Colors != nil {
		color = p.o.Colors.File
	}
	p.buf = p.o.Colors.start(p.buf, color)
	if p.o.Escape {
		p.buf = AppendEscaped(p.buf, []byte(s))
	} else {
		p.buf = append(p.buf, s...)
	}
	p.buf = p.o.Colors.stop(p.buf, color)
}

func (p *Printer) separator(sep byte) {
	if p.o.Colors == nil {
		p.buf = append(p.buf, sep)
		return
	}
	p.buf = p.o.Colors.start(p.buf, p.o.Colors.Separator)
	p.buf = append(p.buf, sep)
	p.buf = p.o.Colors.stop(p.buf, p.o.Colors.Separator)
}

// digits is to how many digits -T pads the numbers of a file: as GNU grep does, to those that the
// largest one can have, which is a number of lines or an offset; in a stream it is any number.
func (p *Printer) digits(size int64) int {
	if size == 0 {
		size = math.MaxInt64
	} else if p.o.Number {
		size++
	}
	n := 1
	for ; size > 9; size /= 10 {
		n++
	}
	return n
}

func (p *Printer) number(n int64, color string, sep byte) {
	p.buf = p.o.Colors.start(p.buf, color)
	var digits [20]byte
	d := strconv.AppendInt(digits[:0], n, 10)
	if p.o.InitialTab {
		for range p.width - len(d) {
			p.buf = append(p.buf, ' ')
		}
	}
	p.buf = append(p.buf, d...)
	p.buf = p.o.Colors.stop(p.buf, color)
	p.separator(sep)
}

// line writes a line without its terminator, coloured if that is wanted; whole is false for the
// first piece of a line, whose spans cannot be known.
func (p *Printer) line(line []byte, context, whole bool) {
	colors := p.o.Colors
	if colors == nil {
		p.plain(line, whole)
		return
	}
	lineColor, matchColor := colors.of(context, p.o.Invert)
	if p.o.OnlySpans {
		p.buf = colors.start(p.buf, matchColor)
		p.plain(line, whole)
		p.buf = colors.stop(p.buf, matchColor)
		return
	}
	done := 0
	if context == p.o.Invert && matchColor != "" && whole && p.o.Spans != nil {
		p.spans = p.o.Spans(p.spans[:0], line)
		for i := 0; i+1 < len(p.spans); i += 2 {
			from, to := p.spans[i], p.spans[i+1]
			p.buf = colors.start(p.buf, lineColor)
			p.plain(line[done:from], false)
			p.buf = colors.start(p.buf, matchColor)
			p.plain(line[from:to], false)
			p.buf = colors.stop(p.buf, matchColor)
			done = to
		}
	}
	tail := line[done:]
	if lineColor != "" {
		colored := bytes.TrimSuffix(tail, []byte{'\r'})
		if len(colored) > 0 {
			p.buf = colors.start(p.buf, lineColor)
			p.plain(colored, false)
			p.buf = colors.stop(p.buf, lineColor)
		}
		tail = tail[len(colored):]
	}
	p.plain(tail, whole)
}

// plain writes text, escaped for a terminal. The carriage return of a DOS line end does no harm.
func (p *Printer) plain(text []byte, lineEnd bool) {
	if !p.o.Escape {
		p.buf = append(p.buf, text...)
		return
	}
	cr := lineEnd && len(text) > 0 && text[len(text)-1] == '\r'
	if cr {
		text = text[:len(text)-1]
	}
	p.buf = AppendEscaped(p.buf, text)
	if cr {
		p.buf = append(p.buf, '\r')
	}
}

// printFile writes what is said of a file as a whole: a count, or its name.
func (p *Printer) printFile(node string, c *schemas.Chunk) {
	if c.Kind == schemas.ChunkCount {
		p.appendNames(node, c.File, ':')
		p.buf = append(strconv.AppendInt(p.buf, c.Count, 10), '\n')
		return
	}
	if p.o.Node {
		p.name(node)
		p.separator(':')
	}
	p.name(c.File)
	if p.o.NullName {
		p.buf = append(p.buf, 0)
	} else {
		p.buf = append(p.buf, '\n')
	}
}

// contextRuns walks along Chunk.Context.
type contextRuns struct {
	runs    []int64
	i       int
	context bool
	left    int64
}

// next says whether the next line is one of context.
func (r *contextRuns) next() bool {
	for r.left == 0 && r.i < len(r.runs) {
		r.left, r.context = r.runs[r.i], r.i%2 == 1
		r.i++
	}
	if r.left == 0 {
		return false
	}
	r.left--
	return r.context
}
