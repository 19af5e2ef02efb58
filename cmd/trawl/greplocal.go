package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/trawl-logs/trawl/requester/printer"
	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/timeorder"
	"github.com/trawl-logs/trawl/schemas"
)

// localMaxLine is how long a line of a local search may be and still be kept in memory whole. grep
// keeps any; beyond this the line is read twice, and its colours and -o matches are not found.
const localMaxLine = 256 << 20

// localSearch is a trawl grep --local that runs.
type localSearch struct {
	o       *grepOptions
	stdin   io.Reader
	errout  io.Writer
	print   *printer.Printer
	outInfo os.FileInfo // of stdout, if it is a regular file that an input must not be
	names   []string    // of the inputs, as given
	sizes   []int64     // of the inputs, once they are open; 0: a stream's
	failed  bool
}

// grepLocal searches local files as grep does: output, exit status and all.
func grepLocal(ctx context.Context, o *grepOptions, stdin io.Reader, out, errout io.Writer) error {
	collectLess(400)
	patterns, err := o.patterns(stdin)
	if err != nil {
		return err
	}
	if !o.explain && o.nothingToFind(patterns) {
		return &exitError{code: exitNoMatch}
	}
	newMatcher, strategy, err := compileLocal(o, patterns)
	if err != nil {
		return err
	}
	if o.explain {
		_, err = fmt.Fprintln(out, "strategy: "+strategy)
		return err
	}
	since, until, err := o.timeRange(time.Now(), errout)
	if err != nil {
		return err
	}
	s := &localSearch{o: o, stdin: stdin, errout: errout}
	po, so := s.printerOptions(out, newMatcher), s.scanOptions()
	inputs := s.inputs()
	if headsSuffice(&po, &so) {
		po.File, so.Head = false, func(input int) []byte { return s.head(inputs[input].Name) }
	}
	s.print = printer.New(out, po)
	s.outInfo = outputFile(o, out)
	so.Since, so.Until = since, until
	times := clock.NewCache().Attach(inputs, s.timesOf, o.exhaustive, &so)
	so.OnError = func(input int, err error) { s.complain(inputs[input].Name, err) }
	search := scan.Run
	if o.order == schemas.OrderTime && so.Mode == scan.Lines {
		search = searchInTime
	}
	stats, err := search(ctx, inputs, newMatcher, so, func(b *scan.Batch) error {
		c := chunkOf(b)
		c.Size = s.sizes[b.Input]
		return s.print.Print("", &c)
	})
	if n := times.Assumed(); n > 0 && !o.noMessages && err == nil {
		say(errout, plural(n, "file")+" taken for sorted from samples; --exhaustive reads all")
	}
	return s.end(ctx, stats, err)
}

// localSpill is how much of what is not in order may wait on disk.
const localSpill = 16 << 30

// searchInTime is scan.Run in time order.
func searchInTime(ctx context.Context, inputs []scan.Input, newMatcher func() scan.Matcher, so scan.Options, emit func(*scan.Batch) error) (scan.Stats, error) {
	return timeorder.Run(ctx, inputs, newMatcher, so, timeorder.Options{
		Create: func() (timeorder.File, error) { return timeorder.TempFile("") }, Budget: timeorder.NewBudget(localSpill),
	}, emit)
}

// end flushes what was found and says with which status the search ends.
func (s *localSearch) end(ctx context.Context, stats scan.Stats, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
		if e := s.print.Abandon(); e != nil {
			return e
		}
	}
	if e := s.print.Flush(); e != nil && (err == nil || ctx.Err() != nil) {
		err = e
	}
	switch {
	case err != nil:
		return err
	case s.failed && !(s.o.quiet && stats.Selected > 0):
		return &exitError{code: exitUsage}
	case stats.Selected == 0:
		return &exitError{code: exitNoMatch}
	}
	return nil
}

// nothingToFind says whether the answer is known before any pattern is compiled, as it is for grep: -m 0
// selects no line, no pattern at all matches none, and the empty one matches every line. (-L still lists the files, and
// words or whole lines that are empty have to be looked for.)
func (o *grepOptions) nothingToFind(patterns []string) bool {
	if o.mode() == schemas.ModeFilesWithout {
		return false
	}
	if o.maxCount == 0 {
		return true
	}
	if o.invert {
		return !o.word && !o.line && len(patterns) == 1 && patterns[0] == ""
	}
	return len(patterns) == 0
}

// complain reports a file that could not be searched.
func (s *localSearch) complain(name string, err error) {
	s.failed = true
	if s.o.noMessages {
		return
	}
	_ = s.print.Flush() // so that messages and lines are in order; its error comes again
	say(s.errout, fmt.Sprintf("%s: %v", name, reason(err)))
}

// scanOptions turns the flags into those of a search.
func (s *localSearch) scanOptions() scan.Options {
	o := s.o
	so := scan.Options{
		Mode: scan.Mode(o.mode()), Invert: o.invert, OnlyMatching: o.onlyMatching, MaxCount: o.maxCount,
		Before: o.before, After: o.after, Groups: o.contextGiven(),
		Numbers: o.numbered(), Offsets: o.offset || o.output == "json", Times: o.output == "json" || o.order == schemas.OrderTime,
		Binary: scan.Binary(o.binary), Terminator: o.terminator(),
		Limit: o.limit, Threads: o.threads, MaxLine: 1 << 20, MaxKept: localMaxLine,
		BatchBytes: 128 << 10,
	}
	if so.Threads == 0 {
		so.Threads = runtime.GOMAXPROCS(0)
	}
	return so
}

// headsSuffice says whether a line's file is all that is printed with it. Then the search's workers put
// it there, beside one another and with the line in their caches: for every second line of 240 MB that
// takes 6 % less processor time than the printer's second pass over the text.
func headsSuffice(po *printer.Options, so *scan.Options) bool {
	return po.File && so.Mode == scan.Lines && so.Limit == 0 && !so.Groups &&
		!(po.JSON || po.Number || po.Offset || po.InitialTab || po.Escape) && po.Colors == nil
}

// head is what stands before the lines of a file.
func (s *localSearch) head(name string) []byte {
	if s.o.nullName {
		return append([]byte(name), 0)
	}
	return append([]byte(name), ':')
}

func (s *localSearch) printerOptions(out io.Writer, newMatcher func() scan.Matcher) printer.Options {
	o := s.o
	po := printer.Options{
		JSON: o.output == "json", File: o.filename == always || o.filename == auto && len(o.operands) > 1,
		Number: o.number, Offset: o.offset, InitialTab: o.initialTab, NullName: o.nullName,
		Terminator: o.terminator(), Separator: o.separator, NoGroups: o.noGroups,
		OnlySpans: o.onlyMatching, Invert: o.invert, Escape: isTerminal(out), LineBuffered: o.lineBuffered || isTerminal(out),
		Binary: func(_, file string) { say(s.errout, file+": binary file matches") },
	}
	if o.colored(out) {
		po.Colors = grepColors(s.errout)
		po.Spans = spansOf(newMatcher())
	}
	return po
}

// colored says whether matches are to be coloured: as --color says; else, on a terminal, unless
// NO_COLOR or a dumb terminal speaks against it; else only for CLICOLOR_FORCE.
func (o *grepOptions) colored(out io.Writer) bool {
	able := isTerminal(out) && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
	switch {
	case o.output != "text" || o.color == never:
		return false
	case o.color == always:
		return true
	case o.colorGiven:
		return able
	case os.Getenv("NO_COLOR") != "":
		return false
	}
	force := os.Getenv("CLICOLOR_FORCE")
	return able || force != "" && force != "0"
}

// grepColors reads the colours of the environment.
func grepColors(errout io.Writer) *printer.Colors {
	old := os.Getenv("GREP_COLOR")
	colors := printer.ParseColors(os.Getenv("GREP_COLORS"), old)
	return &colors
}

// spansOf returns a function that finds what of a line is to be coloured.
func spansOf(m scan.Matcher) func([]int, []byte) []int {
	return func(dst []int, line []byte) []int {
		m.Begin(line)
		for {
			b, e := m.NextSpan()
			if b < 0 {
				return dst
			}
			dst = append(dst, b, e)
		}
	}
}

// chunkOf returns a batch as the chunk that would carry it; nothing is copied.
func chunkOf(b *scan.Batch) schemas.Chunk {
	return schemas.Chunk{
		Kind: schemas.ChunkKind(b.Kind), Service: b.Service, File: b.File, Text: b.Text, More: b.More, Continues: b.Continues,
		Numbers: b.Numbers, Offsets: b.Offsets, Times: b.Times, Context: b.Context, Groups: b.Groups, Count: b.Count,
	}
}

// outputFile describes stdout, if reading it as an input would feed the search with its own output.
func outputFile(o *grepOptions, out io.Writer) os.FileInfo {
	f, ok := out.(*os.File)
	if !ok || o.mode() != schemas.ModeLines || o.maxCount >= 0 && o.maxCount <= 1 {
		return nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return info
}

// inputs are the operands that --include and --exclude let through; stdin if there are none.
func (s *localSearch) inputs() []scan.Input {
	names := s.o.operands
	if len(names) == 0 {
		names = []string{"-"}
	}
	var inputs []scan.Input
	for _, name := range names {
		i := len(inputs)
		shown := name
		if name == "-" {
			if shown = "(standard input)"; s.o.label != nil {
				shown = *s.o.label
			}
		} else if s.o.skips(name) {
			continue
		} else if !s.o.names.AdmitsOperand(name) && isFile(name) {
			continue
		}
		s.names = append(s.names, name)
		inputs = append(inputs, scan.Input{Name: shown, Open: func() (scan.File, error) { return s.open(i, name) }})
	}
	s.sizes = make([]int64, len(inputs))
	return inputs
}

// timesOf is what is known of an input's times without reading it.
func (s *localSearch) timesOf(i int) clock.File {
	var info os.FileInfo
	var err error
	if f, ok := s.stdin.(*os.File); s.names[i] != "-" {
		info, err = os.Stat(s.names[i])
	} else if ok {
		info, err = f.Stat()
	}
	if err == nil && info != nil && info.Mode().IsRegular() {
		return clock.File{ModTime: info.ModTime()}
	}
	return clock.File{ModTime: time.Now()}
}

// skips says whether -d or -D leaves an operand out for what it is.
func (o *grepOptions) skips(name string) bool {
	if !o.skipDirs && !o.skipDevices {
		return false
	}
	info, err := os.Stat(name)
	if err != nil {
		return false
	}
	return o.skipDirs && info.IsDir() || o.skipDevices && info.Mode()&(os.ModeDevice|os.ModeNamedPipe|os.ModeSocket) != 0
}

// isFile says whether there is a file to leave out. What is missing, or a directory, gets its message
// even if --exclude names it.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

var errOwnOutput = errors.New("input file is also the output")

// open opens an operand. It is called for one input after another, before the results of that input
// are printed.
func (s *localSearch) open(i int, name string) (scan.File, error) {
	var f *os.File
	var closer io.Closer
	if name == "-" {
		var ok bool
		if f, ok = s.stdin.(*os.File); !ok {
			return scan.File{Stream: s.stdin}, nil
		}
	} else {
		var err error
		if f, err = os.Open(name); err != nil {
			return scan.File{}, err
		}
		closer = f
	}
	file, err := s.regular(i, f)
	if err != nil {
		if closer != nil {
			_ = closer.Close()
		}
		return scan.File{}, err
	}
	file.Closer = closer
	return file, nil
}

// regular looks at what sort of file was opened: a regular one of known size is read by position, all
// else as a stream.
func (s *localSearch) regular(i int, f *os.File) (scan.File, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return scan.File{}, err
	case info.IsDir():
		return scan.File{Stream: failingReader{syscall.EISDIR}}, nil
	case !info.Mode().IsRegular():
		return scan.File{Stream: f}, nil
	case s.outInfo != nil && os.SameFile(info, s.outInfo):
		return scan.File{}, errOwnOutput
	case info.Size() == 0: // a file of /proc has no size, yet content
		s.sizes[i] = 1
		return scan.File{Stream: f}, nil
	}
	s.sizes[i] = info.Size()
	at := int64(0)
	if f == s.stdin { // the shell may have read the first part of it
		if at, err = f.Seek(0, io.SeekCurrent); err != nil {
			return scan.File{}, err
		}
	}
	size := max(info.Size()-at, 0)
	return scan.File{At: io.NewSectionReader(f, at, size), Size: size, Raw: f, RawAt: at}, nil
}

// failingReader is a stream that cannot be read.
type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
