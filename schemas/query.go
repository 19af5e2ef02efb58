package schemas

import "time"

// Syntax names the language that a query's patterns are written in.
type Syntax uint8

const (
	SyntaxRE2   Syntax = iota // RE2, leftmost-first: the default
	SyntaxERE                 // -E: POSIX extended with GNU's extensions, leftmost-longest
	SyntaxBRE                 // -G: POSIX basic with GNU's extensions, leftmost-longest
	SyntaxFixed               // -F: literal strings
)

// Mode says what a query asks for of each file.
type Mode uint8

const (
	ModeLines        Mode = iota // the selected lines (with OnlyMatching: the matched spans)
	ModeCount                    // -c: how many lines are selected
	ModeFiles                    // -l: the names of files with a selected line
	ModeFilesWithout             // -L: the names of files without one
	ModeQuiet                    // -q: whether any line is selected; nodes stop at the first
	ModeFollow                   // the selected lines as they are written, until the query is cancelled; see Query.Last
	ModeBlock                    // no search: the file of the one sealed block in Query.Plan, from the byte that Query.Last says, as ChunkBytes
)

// Binary says what is done with files that look binary, as grep's --binary-files.
type Binary uint8

const (
	BinaryReport  Binary = iota // "binary": say only that the file matches
	BinaryText                  // "text", -a: treat as text
	BinaryWithout               // "without-match", -I: as if nothing matched
)

// Order says in which order a fleet's lines are wanted.
type Order uint8

const (
	OrderNode    Order = iota // node by node, natural name order, no mixing
	OrderTime                 // merged by the time of the lines
	OrderArrival              // as they come, whole chunks
)

// Column flags: the per-line columns that the requester wants in Data frames. Those not asked for
// are not computed.
type Columns uint8

const (
	ColumnNumber Columns = 1 << iota // line numbers, from 1
	ColumnOffset                     // byte offsets, from 0
	ColumnTime                       // times, Unix nanoseconds
	ColumnGroup                      // where groups of lines begin: context was asked for, be it of 0 lines
)

// Label is one k=v condition on a source or node; V may be a glob.
type Label struct{ K, V string }

// Select narrows a query to nodes and files. Every list is an "or" of globs, the lists are joined
// by "and"; an empty list admits everything.
type Select struct {
	Nodes    []string // node names
	Groups   []string // node groups
	Services []string // service names
	Labels   []Label  // labels of sources or nodes; conditions on different keys are joined by "and"
	Paths    []string // globs over the paths of registered files; never opens another file
	Include  []string // --include: base names
	Exclude  []string // --exclude: base names

	// NameRuns says in which order Include and Exclude were given, which decides where several
	// match: so many of Include, so many of Exclude, of Include again, and so on. Empty: all of
	// Include, then all of Exclude. AddName keeps it.
	NameRuns []int64
}

// Query asks every node for the lines of a time range that match a pattern.
type Query struct {
	ID     string // qid: a token, unique per client
	User   string // informational; the subject's user counts
	Client string // a token, random per requester process

	Patterns   []string // at least one; a line is selected if any matches
	Syntax     Syntax
	IgnoreCase bool
	Word       bool // -w
	Line       bool // -x
	Invert     bool // -v

	Mode         Mode
	OnlyMatching bool  // -o
	MaxCount     int64 // -m: selected lines per file; negative: no limit
	Before       int64 // -B: context lines
	After        int64 // -A
	Columns      Columns
	Binary       Binary
	NullData     bool // -z: lines end in NUL

	Select Select
	Since  int64 // Unix nanoseconds, inclusive; 0: open
	Until  int64 // Unix nanoseconds, exclusive; 0: open
	Order  Order
	Limit  int64 // selected lines of the whole fleet; 0: no limit. A node stops there by itself

	Timeout    time.Duration // relative deadline on every node
	Jitter     time.Duration // a node waits a random part of it before Hello
	Credit     int64         // bytes of raw Data that a node may send before the first grant
	MaxBytes   int64         // a node ends with an error beyond so many raw bytes; 0: the node's limit
	Threads    int           // may only lower a node's limit; 0: the node's
	Compress   bool          // Data may be compressed
	Explain    bool          // plan only: read no logs
	Exhaustive bool          // no index, no pruning

	// Server is the bus server that the requester is connected to without a network between: a node
	// to which the same applies need not compress. Empty: none.
	Server string

	// Last is how many of the last selected lines of each file come before those that are written, with
	// ModeFollow, those of a log's archives where its other files have fewer in all; negative: all in the
	// range of times.
	Last int64

	Host string // informational: the machine that the requester says it runs on; stands in the nodes' logs

	// Plan says which sealed blocks the node reads that is asked; nil: those that it has of its own logs. Only a
	// node whose record has a Store knows plans; they are for one node each.
	Plan *Plan

	// Trace is the W3C trace context that the query belongs to, the value of a traceparent header; empty:
	// none. It travels as that header, not in the message.
	Trace string
}
