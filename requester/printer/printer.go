// Package printer writes chunks of results as people and programs read them: as grep's text, with
// the node in front, or as JSON lines.
//
// A Printer is given one Chunk after another, each with the name of its node, and buffers what it
// writes. Text is grep's to the byte, colours included (GNU grep 3.8); JSON is an object a line. Only
// what goes to a terminal is escaped: there, a log line must not be able to move the cursor.
//
// A line that is too long for a chunk goes on in the next one of its node. Until it is finished,
// Print refuses the chunks of other nodes, and Unfinished names it; Abandon ends it.
package printer

import (
	"errors"
	"fmt"
	"io"

	"github.com/trawl-logs/trawl/schemas"
)

// Options says how results look. The zero value prints bare lines that end in NUL.
type Options struct {
	JSON bool // JSON lines instead of text

	Node       bool   // put the node's name in front
	File       bool   // put the file's name in front (-H)
	Number     bool   // print line numbers (-n)
	Offset     bool   // print byte offsets (-b)
	InitialTab bool   // -T: align numbers, and put a tab before the line
	NullName   bool   // -Z: NUL after file names
	Terminator byte   // ends every line: '\n', or 0 with -z
	Separator  string // between groups, "--" as a rule
	NoGroups   bool   // --no-group-separator
	OnlySpans  bool   // -o: what chunks hold are spans
	Invert     bool   // -v: colours fall on context lines
	Colors     *Colors
	// Spans appends to dst the spans of a line to be coloured, as pairs of start and end, ascending.
	// It is needed with Colors unless OnlySpans is set.
	Spans func(dst []int, line []byte) []int

	Escape       bool // the writer is a terminal
	LineBuffered bool // flush after every chunk

	// Binary hears of a file that is binary and matches, which text output does not show on stdout.
	Binary func(node, file string)
}

// Printer writes results. It is not safe for concurrent use.
type Printer struct {
	w     io.Writer
	o     Options
	buf   []byte
	err   error
	used  bool // a group was begun: the next one wants a separator
	width int  // to how many digits -T pads numbers

	open     bool // a line is unfinished
	openNode string
	openFile string

	head      []byte // node and file as they stand before every line; for selected lines
	headNode  string
	headFile  string
	headSep   byte
	headValid bool
	spans     []int
	long      longLine
}

// The buffer is written when it holds this much: large writes keep a pipe's reader from being woken
// for every few lines.
const writeSize = 128 << 10

// ErrUnfinished says that a chunk came while a line of another node was not finished.
var ErrUnfinished = errors.New("line of another node is not finished")

// New returns a Printer that writes to w.
func New(w io.Writer, o Options) *Printer {
	return &Printer{w: w, o: o, buf: make([]byte, 0, writeSize+writeSize/2)}
}

// Unfinished says whose line, if any, goes on in a chunk that has not come yet.
func (p *Printer) Unfinished() (node, file string, ok bool) {
	return p.openNode, p.openFile, p.open
}

// Abandon ends a line whose rest will not come.
func (p *Printer) Abandon() error {
	if !p.open {
		return p.err
	}
	p.open = false
	if p.o.JSON {
		p.endLong()
	} else {
		p.buf = append(p.buf, p.o.Terminator)
	}
	return p.spill()
}

// Print writes one chunk of a node's answer. Errors are those of the writer, which come again with
// every later call, and ErrUnfinished.
func (p *Printer) Print(node string, c *schemas.Chunk) error {
	if p.err != nil {
		return p.err
	}
	if p.open && (!c.Continues || node != p.openNode || c.File != p.openFile) {
		return fmt.Errorf("node %q, file %q: %w: node %q, file %q", node, c.File, ErrUnfinished, p.openNode, p.openFile)
	}
	switch {
	case p.o.JSON:
		p.printJSON(node, c)
	case c.Kind == schemas.ChunkBinary:
		for range c.Groups {
			p.group()
		}
		p.used = true // its lines were a group, though nobody saw it: so does GNU grep
		if p.o.Binary != nil {
			if err := p.Flush(); err != nil { // so that the message comes after the file's lines
				return err
			}
			p.o.Binary(node, c.File)
		}
	case c.Kind == schemas.ChunkLines:
		p.printLines(node, c)
	case c.Kind == schemas.ChunkSkipped, c.Kind == schemas.ChunkCut, c.Kind == schemas.ChunkFailed: // news, not output
	default:
		p.printFile(node, c)
	}
	if c.Kind == schemas.ChunkLines {
		p.open = c.More
		p.openNode, p.openFile = node, c.File
	}
	return p.spill()
}

// WriteLine writes a line of the caller's own, such as the JSON of the receipt.
func (p *Printer) WriteLine(line []byte) error {
	p.buf = append(append(p.buf, line...), '\n')
	return p.spill()
}

// Flush writes what is buffered.
func (p *Printer) Flush() error {
	if p.err == nil && len(p.buf) > 0 {
		p.write(p.buf)
	}
	p.buf = p.buf[:0]
	return p.err
}

// spill writes what is buffered if it is enough to be worth it.
func (p *Printer) spill() error {
	if p.o.LineBuffered || len(p.buf) >= writeSize {
		return p.Flush()
	}
	return p.err
}

func (p *Printer) write(b []byte) {
	if p.err == nil {
		if _, err := p.w.Write(b); err != nil {
			p.err = err
		}
	}
}
