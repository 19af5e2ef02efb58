package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

// tristate is a setting that depends on circumstances unless it was given.
type tristate uint8

const (
	auto tristate = iota
	always
	never
)

// patternSource is where patterns come from, in the order of the command line.
type patternSource struct {
	text   string
	file   string
	isFile bool
}

// grepOptions is a parsed command line of trawl grep.
type grepOptions struct {
	sources     []patternSource
	operands    []string // files (--local), or globs over the paths of registered files
	syntax      schemas.Syntax
	syntaxGiven bool
	conflict    bool // of two syntaxes

	ignoreCase, word, line, invert bool
	nullData                       bool
	binary                         schemas.Binary
	names                          source.NameRules

	count, quiet  bool
	list          schemas.Mode // ModeFiles, ModeFilesWithout, or ModeLines: neither
	onlyMatching  bool
	noMessages    bool
	maxCount      int64 // negative: no limit
	number        bool
	offset        bool
	filename      tristate
	initialTab    bool
	nullName      bool
	before, after int64 // -1: not given
	context       int64 // -1: not given
	separator     string
	noGroups      bool
	color         tristate
	colorGiven    bool
	label         *string // nil: not given
	skipDirs      bool
	skipDevices   bool
	lineBuffered  bool
	version, help bool

	local                          bool
	nodes, groups, services        []string
	labels                         []schemas.Label
	since, until                   string
	zone                           *time.Location
	order                          schemas.Order
	limit                          int64
	threads                        int
	timeout                        time.Duration
	output                         string
	explain, exhaustive            bool
	receipt, noProgress, okPartial bool
	timing                         bool
	replyTo, replyToFormat         string

	follow bool  // trawl tail
	last   int64 // --lines
}

func newGrepOptions() *grepOptions {
	return &grepOptions{
		maxCount: -1, before: -1, after: -1, context: -1, separator: "--",
		zone: time.Local, timeout: 5 * time.Minute, output: "text", replyToFormat: "msgpack",
	}
}

func (o *grepOptions) setContext(text string) error {
	n, err := contextLength(text)
	if err == nil {
		o.context = n
	}
	return err
}

// settle draws the conclusions of all flags together.
func (o *grepOptions) settle(operands []string) error {
	if o.help || o.version {
		return nil
	}
	if o.conflict {
		return errors.New("-E, -F and -G exclude one another")
	}
	if len(o.sources) == 0 {
		if len(operands) == 0 {
			return errors.New("no pattern given; see trawl grep --help")
		}
		o.sources = []patternSource{{text: operands[0]}}
		operands = operands[1:]
	}
	o.operands = operands
	if o.before < 0 {
		o.before = o.context
	}
	if o.after < 0 {
		o.after = o.context
	}
	return nil
}

// mode says what is wanted of each file: -q before -l and -L, these before -c.
func (o *grepOptions) mode() schemas.Mode {
	switch {
	case o.follow:
		return schemas.ModeFollow
	case o.quiet:
		return schemas.ModeQuiet
	case o.list != schemas.ModeLines:
		return o.list
	case o.count:
		return schemas.ModeCount
	}
	return schemas.ModeLines
}

// contextGiven says whether groups of lines are told apart: -A 0 asks for that, too.
func (o *grepOptions) contextGiven() bool { return o.before >= 0 || o.after >= 0 }

// terminator is the byte that ends a line.
func (o *grepOptions) terminator() byte {
	if o.nullData {
		return 0
	}
	return '\n'
}

// maxPatternFile bounds a file of patterns. The query may hold far less; a local search may not.
const maxPatternFile = 64 << 20

// patterns reads the sources. A pattern that holds newlines is several.
func (o *grepOptions) patterns(stdin io.Reader) ([]string, error) {
	var list []string
	for _, s := range o.sources {
		text := s.text
		if s.isFile {
			b, err := readPatterns(s.file, stdin)
			if err != nil {
				return nil, err
			}
			if len(b) == 0 {
				continue
			}
			text = strings.TrimSuffix(string(b), "\n")
		}
		list = append(list, strings.Split(text, "\n")...)
	}
	return list, nil
}

func readPatterns(name string, stdin io.Reader) ([]byte, error) {
	r := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("pattern file %s: %w", name, reason(err))
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, maxPatternFile+1))
	if err != nil {
		return nil, fmt.Errorf("pattern file %s: %w", name, reason(err))
	}
	if len(b) > maxPatternFile {
		return nil, fmt.Errorf("pattern file %s: more than %d bytes", name, maxPatternFile)
	}
	return b, nil
}

// reason is an error without the operation and path that os puts before it.
func reason(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}
