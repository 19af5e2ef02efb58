package scan

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"

	"github.com/trawl-logs/trawl/responder/match"
)

// Matcher decides which lines match. One is used by one goroutine at a time.
type Matcher interface {
	// Lines appends to dst the matching lines among those of buf that begin at from or later and
	// before next, without their terminators; next, behind from, is the start of a line or the end of
	// buf. buf holds whole lines, each with its terminator; from is the start of one.
	Lines(dst []match.Line, buf []byte, from int) (lines []match.Line, next int)
	// Count returns how many of the lines of buf that begin at from or later match.
	Count(buf []byte, from int) int
	// MatchLine says whether a line, given without its terminator, matches.
	MatchLine(line []byte) bool
	// Begin begins with a line, given without its terminator, whose matching spans NextSpan returns, one after the
	// other; none is empty, and s < 0 means that there is no more. The line does not change meanwhile.
	Begin(line []byte)
	NextSpan() (s, e int)
	// Reset, Feed and EndLine take one long line in pieces, without its terminator; EndLine says
	// whether it matches.
	Reset()
	Feed(piece []byte)
	EndLine() bool
}

// Mode says what is wanted of each file.
type Mode uint8

const (
	Lines        Mode = iota // the selected lines, or their spans with OnlyMatching
	Count                    // how many lines are selected
	Files                    // the file, if a line is selected
	FilesWithout             // the file, if no line is selected
	Quiet                    // nothing; the search ends at the first selected line
)

// Binary says what is done with a file that holds a NUL or, in what would be printed, bytes that are
// not UTF-8.
type Binary uint8

const (
	BinaryReport  Binary = iota // report only that it matches
	BinaryText                  // treat it as text
	BinaryWithout               // as if it did not match
)

// NoTime is the time of a line that has none and follows none that has.
const NoTime = int64(-1 << 63)

// Clock reads the time at the head of log lines. One is used by one goroutine at a time.
type Clock interface {
	// Time returns the time of a line in Unix nanoseconds; false if the line has none.
	Time(line []byte) (ns int64, ok bool)
}

// Options says how a search is done. The zero value prints nothing of use: MaxCount 0 selects no
// line, as -m 0 does.
type Options struct {
	Mode         Mode
	Invert       bool  // select the lines that do not match
	OnlyMatching bool  // emit the matching spans, not their lines
	MaxCount     int64 // selected lines per file; negative: no limit
	Before       int64 // lines of context before a selected line; negative: none
	After        int64 // and after it
	Groups       bool  // mark groups even if Before and After are 0, as -A 0 does
	Numbers      bool  // fill Batch.Numbers
	Offsets      bool  // fill Batch.Offsets
	Times        bool  // fill Batch.Times; needs NewClock
	Binary       Binary
	Terminator   byte // '\n', or 0 with -z

	// Since and Until keep only lines of times in [Since, Until), Unix nanoseconds; 0 leaves a side
	// open. A line without a time has that of the last line before it that has one. They need NewClock.
	Since, Until int64
	// NewClock returns the clock for an input; nil if its lines have no times.
	NewClock func(input int) Clock

	Limit      int64 // stop after so many results in all (lines, spans, files); 0: no limit
	Threads    int   // workers; at least 1
	MaxLine    int   // longer lines are read twice rather than kept in memory; 0: 1 MiB
	MaxKept    int   // bytes of a line kept where it cannot be read twice, or must be whole; 0: MaxKept
	BatchBytes int   // text and columns of a batch; 0: 96 KiB

	// Head, if set, returns what is put before every line (or span) of an input in Text: the worker that
	// copies a line does so while it holds it in its cache. It goes with nothing that cuts Text up
	// again: not with Limit, nor with Groups.
	Head func(input int) []byte

	// OnError hears of an input that could not be searched, or not to its end. It is called from
	// the goroutine that calls emit, between the results of the files before and after.
	OnError func(input int, err error)
	// Searched, if set, hears from the goroutine that calls emit that all lines of an input that begin
	// before off have been searched and their results emitted.
	Searched func(input int, off int64)
	// Read, if set, is kept at the bytes read so far, for a report of progress.
	Read *atomic.Int64

	geometry geometry
}

// geometry is how files are cut up; tests make it small. Block is a multiple of window, segment of
// block.
type geometry struct{ window, block, segment int64 }

// GNU grep's buffer is 96 KiB, and fits the L2 cache of the machines at hand. A segment is mapped as one, in three
// huge pages where the kernel has them: 240 MB with 1,200 page faults instead of 3,900, in 0.87 of the time.
var defaultGeometry = geometry{window: Window, block: 96 << 10, segment: 6 << 20}

// loneSegment is how long segments are for a worker that shares them with no other: each end of one wakes the goroutine that
// emits, on another processor. 240 MB in which nothing matches take 0.97 of the processor time so.
const loneSegment = 30 << 20

// Input is a file to search.
type Input struct {
	Name    string // as results and errors call it
	Service string
	// Open is called once, from a goroutine of Run's. Run closes the file.
	Open func() (File, error)
}

// File is an open input: one of At and Stream is set.
type File struct {
	// At is read from 0 to Size at most; bytes appended later are not searched.
	At   io.ReaderAt
	Size int64
	// From is the start of the first line that is searched; what is before it is read for context
	// alone. Line numbers count from it.
	From int64
	// Ranges, if not nil, are what is searched of At, in order and apart from one another: a line
	// outside of them cannot match. It is read for context alone.
	Ranges []Range
	// Dated says that the ranges hold no less than what a range of times leaves, and not much more.
	Dated bool
	// Outline, if not nil, is what is known of the times of At's lines. Outlined, if set, takes what was found
	// out of them: one that goes further.
	Outline  *Outline
	Outlined func(*Outline)
	// InOrder says that At is cheap to read forward alone, as what is decompressed is: one worker searches
	// all of it. Head, where times are wanted, is its first part, that nobody has to read there.
	InOrder bool
	Head    []byte
	// Raw, if set, is the regular file whose bytes from RawAt on At gives. It may be mapped.
	Raw   *os.File
	RawAt int64
	// Intact, if set, says of bytes that were read from Raw whether they were what At gives: that the
	// file was not cut before, and written anew.
	Intact func() bool
	// BytesBefore and LinesBefore stood in the file before what there is of it in At: line numbers and
	// offsets count them.
	BytesBefore, LinesBefore int64
	// Prior, if PriorKnown, is the last time of those lines: that of At's first ones if they have none.
	Prior      int64
	PriorKnown bool
	// Stream is read to its end. A Read that hangs does not keep Run from being cancelled: it is
	// left behind in a goroutine of its own.
	Stream io.Reader
	// Origin, if set, gives the times, numbers and offsets of the Stream's lines in place of the
	// stream itself and a Clock.
	Origin Origin
	Closer io.Closer // may be nil
}

// MaxKept is what is kept of a Stream, to read it again, where Options do not say it.
const MaxKept = 4 << 20

// Stats is what a search did.
type Stats struct {
	Files    int64 // opened and searched
	Bytes    int64 // read and searched
	Selected int64 // lines selected, whatever of them was emitted
	Results  int64 // lines, spans or files emitted; with Count the sum of the counts
	Errors   int64 // inputs that could not be searched to their end
	Limited  bool  // ended by Limit
}

// Errors of single inputs, given to Options.OnError.
var (
	ErrShrank   = errors.New("file shrank while it was read")
	ErrLongLine = errors.New("line too long")
)

// ErrStop is returned by an emit that wants no more: Run ends and returns no error.
var ErrStop = errors.New("stopped")

// Run searches the inputs and calls emit with the results, in the order of inputs and lines, always
// from the calling goroutine. The batch and what it holds are valid only until emit returns.
//
// emit may block (for want of credit, or on a slow pipe): then at most some MiB of results wait and
// the workers stop. An error from emit ends the search and is returned, but for ErrStop, which ends
// it without error. The errors of single files go to Options.OnError, and the search goes on.
//
// A cancelled ctx ends the search within the time that one block takes to be searched.
func Run(ctx context.Context, inputs []Input, newMatcher func() Matcher, o Options, emit func(*Batch) error) (Stats, error) {
	o.setDefaults()
	if o.MaxCount == 0 && o.Mode != FilesWithout {
		return Stats{}, nil
	}
	r := newRun(ctx, inputs, newMatcher, &o, emit)
	return r.run()
}

func (o *Options) setDefaults() {
	o.Threads = max(o.Threads, 1)
	if o.geometry.window == 0 {
		if o.geometry = defaultGeometry; o.Threads == 1 {
			o.geometry.segment = loneSegment
		}
	}
	if o.MaxLine <= 0 {
		o.MaxLine = 1 << 20
	}
	if o.MaxKept <= 0 {
		o.MaxKept = MaxKept
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = 96 << 10
	}
	if o.NewClock == nil {
		o.Times, o.Since, o.Until = false, 0, 0
	}
	if o.Mode != Lines {
		o.OnlyMatching, o.Groups, o.Numbers, o.Offsets, o.Times = false, false, false, false, false
		o.Before, o.After = 0, 0
	}
	o.Before, o.After = max(o.Before, 0), max(o.After, 0)
	o.Groups = o.Groups || o.Before > 0 || o.After > 0
}

// whole says whether a file must be searched from its start to its end by one worker.
func (o *Options) whole() bool { return o.MaxCount >= 0 || o.Groups }

// timed says whether the time of a line decides whether it is selected.
func (o *Options) timed() bool { return o.Since != 0 || o.Until != 0 }
