package schemas

import (
	"fmt"
	"strings"
)

// Limits of what travels. A message beyond one of them is refused with an error that names the
// field; nothing is cut in silence.
const (
	MaxQuery    = 1020 << 10 // bytes of an encoded Query: max_payload of a server that is not told otherwise, less headers
	MaxBare     = 256 << 10  // of them, without its Plan
	MaxPlanned  = 60000      // blocks and logs in a Plan, all together
	MaxFrame    = 1 << 20    // bytes of an encoded Frame: the bus's max_payload
	MaxSmall    = 1 << 10    // bytes of a Hello, Progress or End frame, a Control, a Cancel
	MaxNode     = 512 << 10  // bytes of an encoded Node
	MaxPatterns = 1000       // patterns of a query
	MaxGlobs    = 256        // globs in one list of Select, labels of a source or node
	MaxGlob     = 4 << 10    // bytes of a glob
	MaxToken    = 64         // bytes of a token: node, user, client, query id, group
	MaxErrors   = 16         // FileErrors in End
	MaxFailure  = 512        // bytes of the text of a ChunkFailed
	MaxChunks   = 4096       // chunks in one Data frame
	MaxRaw      = 256 << 10  // bytes of the chunks of one Data frame before compression
	MaxName     = 16 << 10   // bytes of a file or service name in a chunk
	MaxServices = 4096       // services in a Node
	MaxPeers    = 16384      // peers in a Node
	MaxThreads  = 4096       // Query.Threads

	// DataTarget is how many bytes of lines a sender gathers before it sends a Data frame.
	DataTarget = 128 << 10
	// MaxUnacked is how many raw bytes of unacknowledged Data a node keeps, and so may send.
	MaxUnacked = 1 << 20
)

// FieldError is a value that a message must not have. Field is named as in PROTOCOL.md.
type FieldError struct {
	Field string
	Err   string
}

// Error gives "field: what is wrong with it".
func (e *FieldError) Error() string { return e.Field + ": " + e.Err }

func fieldErrorf(field, format string, args ...any) error {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}

// CheckToken says whether s may stand as one token of a subject: 1 to MaxToken ASCII letters,
// digits, "-", "_" and "=". The error names the field.
func CheckToken(field, s string) error {
	switch {
	case s == "":
		return fieldErrorf(field, "is empty")
	case len(s) > MaxToken:
		return fieldErrorf(field, "has %d bytes, more than %d", len(s), MaxToken)
	}
	for i := range len(s) {
		if !tokenByte(s[i]) {
			return fieldErrorf(field, "%q holds %q: only letters, digits, - _ and = may stand in a token", s, s[i:i+1])
		}
	}
	return nil
}

// Token turns a name into a token as far as that can be done: what may not stand in one becomes
// "-" (the dots of a host name, for one), and what is too long is cut.
func Token(name string) string {
	s := strings.Map(func(r rune) rune {
		if r < 0x80 && tokenByte(byte(r)) {
			return r
		}
		return '-'
	}, name)
	return s[:min(len(s), MaxToken)]
}

func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '='
}
