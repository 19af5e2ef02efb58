package schemas

import "time"

// Frame is one message of a node's answer: exactly one of Hello, Data, Progress and End is set, and
// End may come together with Hello (a node with nothing to send says both in one message).
//
// Run is a nonce of the node's process and query run: after a restart it differs. Seq counts Hello,
// Data and End from 1 without gaps; Progress carries the seq of the newest numbered frame.
type Frame struct {
	Run      uint64
	Seq      uint64
	Hello    *Hello
	Data     *Data
	Progress *Progress
	End      *End
}

// Hello says that a node has taken a query, and what it is going to search.
type Hello struct {
	Instance string // random per responder process: tells two nodes of one name apart
	Host     string // host name, for the message about a duplicate node name
	Version  string // of trawl
	Files    int64  // files selected
	Bytes    int64  // bytes_considered: size of the selected files
}

// Data carries results. Offset is the sum of Raw over the Data frames before this one: the position
// that credit speaks of. Raw is the size of the chunks before compression, in bytes.
type Data struct {
	Offset int64
	Raw    int64
	Chunks []Chunk

	Compress bool // not on the wire: compress if it pays; decoded: it was compressed
}

// ChunkKind tells what a chunk reports of its file.
type ChunkKind uint8

const (
	ChunkLines   ChunkKind = iota // lines (or spans, with -o) in Text
	ChunkCount                    // Count selected lines (-c)
	ChunkFile                     // the file itself (-l, -L)
	ChunkBinary                   // the file is binary and matches
	ChunkSkipped                  // following: Count selected lines were left out here, for want of credit; File is empty
	ChunkCut                      // following: the file was cut, and goes on from its start
	ChunkFailed                   // following: the file is not followed any more, or something of it is missing: Text says why
	ChunkBytes                    // ModeBlock: Text is the bytes of the block's file from byte Count on
	ChunkUnread                   // planned: Text is the ids (BlockIDs) of blocks of Origin.Node that the node should have read, and has not
)

// NoTime stands in Chunk.Times for a line without a time.
const NoTime = int64(-1 << 63)

// Chunk is a run of results of one file, in file order.
//
// Text holds whole lines, each ended by the query's terminator (LF, or NUL with -z), which is added
// where the file's last line lacks it. A line too long for one frame comes in fragments: More says
// that the last line of Text has no terminator and goes on in the next chunk, whose Continues is set.
//
// The columns Numbers, Offsets and Times, where the query asked for them, have one entry for every
// line that begins in this chunk. Groups holds the indices of the lines before which a group
// separator belongs (ascending, one twice where a group before showed nothing; the first group of a
// file counts, the printer leaves out the very first of the output). In a ChunkBinary they are those
// of lines that are not shown. Context holds alternating run lengths: selected lines, context lines, selected, …
// (empty: all are selected). Size is the file's, in bytes, when it was opened, in a chunk of lines; 0
// if nobody knows, as of an archive's content. -T pads numbers by it.
type Chunk struct {
	Kind      ChunkKind
	Service   string
	File      string
	Text      []byte
	More      bool
	Continues bool
	Numbers   []int64
	Offsets   []int64
	Times     []int64
	Context   []int64
	Groups    []int64
	Count     int64
	Size      int64
	Origin    *Origin // by a plan, of a log that has an id; nil: of a log of the node that answers, of which nothing is sealed
}

// Progress is sent every 500 ms while a node works. It is neither numbered nor repeated.
type Progress struct {
	BytesRead int64 // searched so far
	Sent      int64 // raw Data offset so far
	Waiting   bool  // for credit
	Watermark int64 // no line of an earlier time will follow (Order time); NoTime: unknown
}

// FileError is a file that could not be searched, or not to its end.
type FileError struct {
	File string `json:"file"`
	Err  string `json:"error"`
}

// Blocks counts the blocks of logs that an index speaks of: those considered, skipped, and read at least
// in part. What no index speaks of is in none.
type Blocks struct {
	Considered  int64 `json:"considered"`
	Skipped     int64 `json:"skipped"`
	Read        int64 `json:"read"`
	SkippedTime int64 `json:"skipped_time"` // of those skipped, by their times; the others, by what they hold
	IndexBytes  int64 `json:"index_bytes"`  // of the index that were read
}

// Add adds what another search came to.
func (b *Blocks) Add(o Blocks) {
	b.Considered += o.Considered
	b.Skipped += o.Skipped
	b.Read += o.Read
	b.SkippedTime += o.SkippedTime
	b.IndexBytes += o.IndexBytes
}

// End ends an answer. Its own seq is the last one.
type End struct {
	Status          Status
	Reason          string // why the status is not complete; empty otherwise
	Lines           int64  // selected lines (spans with -o, files with -l and -L, the sum with -c)
	Chunks          int64  // chunks sent
	RawBytes        int64  // sum of Raw over all Data
	TextBytes       int64  // sum of len(Text)
	BytesRead       int64  // with Explain: that would be read
	BytesConsidered int64
	Files           int64 // files searched
	Blocks          Blocks
	Elapsed         time.Duration
	Errors          []FileError // the first ones, at most MaxErrors
	ErrorCount      int64       // all of them
	Selected        int64       // lines that were selected, whatever of them was sent; negative: unknown
	AssumedSorted   int64       // files of which part was not searched since samples, not all lines, say that they are in order
}

// Control is what a requester tells one node about its answer. All of it is absolute, so that a
// message lost or doubled does no harm.
type Control struct {
	Run    uint64 // 0: whichever run
	Ack    uint64 // every numbered frame up to this seq has been taken
	Limit  int64  // raw Data bytes that may have been sent in all
	Resend uint64 // repeat from this seq on; 0: nothing
	Stop   bool   // the requester has enough (--limit, -q): end with StatusStopped
}

// Cancel ends a query on every node. The subject names the query.
type Cancel struct {
	Reason string // for the nodes' logs
}

// Node is a node's own record: what stands in the roster and what a ping returns.
type Node struct {
	Name      string
	Instance  string // random per process
	Host      string
	Version   string
	Groups    []string
	Labels    []Label
	Services  []string
	Files     int64
	Bytes     int64
	Started   int64      // Unix nanoseconds
	Ready     bool       // subscribed, flushed, first catalogue scan done
	Ephemeral bool       // leaves the roster when it stops cleanly
	Peers     []string   // nodes whose beacons it remembers (discovery without JetStream)
	Store     *NodeStore // nil: it takes no plans
}

// Stores says whether the node has a part in the fleet's sealed blocks: one that has none may take plans nevertheless.
func (n *Node) Stores() bool { return n.Store != nil && n.Store.Capacity > 0 }
