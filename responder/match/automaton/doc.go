// Package automaton matches lines of bytes against a syntax.Regexp in linear time.
//
// A Program is the compiled pattern: an alphabet, which maps the characters that the pattern cannot
// tell apart to one symbol, and a non-deterministic automaton over these symbols. It is immutable
// and shared. A Machine runs it for one goroutine and owns all memory that changes. It has four
// engines, all over the same automaton:
//
//   - the line DFA (line.go, lanes.go) says whether a line matches. It is built lazily, runs through
//     a whole buffer without stopping at line ends, and is what Next, MatchLine and Feed use. When
//     its cache is full too often for its progress, it is simulated without a cache for a stretch.
//   - two span DFAs (span.go) find where a match ends (forward) and where it starts (backward).
//   - the thread list (threads.go), a Pike VM, finds spans where the span DFAs would not pay.
//   - a reach (reach.go, levels.go) knows from the end of a line what can still become a match. Where the spans of a
//     line overrun each other's ends too far, the thread list follows only what it says.
//
// The automaton works on characters, not bytes: a class such as \w is one instruction however many
// ranges it has, and an assertion about Unicode words needs one symbol of look-ahead, as one about
// ASCII words does, so that both are exact within the DFA. Bytes from 0x80 on are decoded where the
// pattern tells them apart, else they are symbols themselves.
//
// What lines mean: a class matches a valid character and never an invalid byte; OpByte matches its byte
// wherever it stands, even inside a character; assertions about words hold only between
// characters, and an invalid byte is not a word character.
package automaton
