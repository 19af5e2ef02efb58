package dictionary

import "unicode/utf8"

// stream is a line that comes in pieces.
type stream struct {
	held    []byte // the end of what came: what is not read yet, and what assertions may look back at
	at      int    // how much of held is read
	state   uint32
	matched bool
	failed  bool // of Lines: this line is none of the strings
}

// ahead is how many bytes must be there behind a place that is read: a character, and one more for assertions.
const ahead = 2 * utf8.UTFMax

// Reset begins a line that comes in pieces.
func (f *Searcher) Reset() {
	f.stream = stream{held: f.held[:0], matched: f.set.Always()}
}

// Feed takes the next piece of the line begun by Reset, without a terminator.
func (f *Searcher) Feed(piece []byte) {
	if f.matched || f.failed {
		return
	}
	f.held = append(f.held, piece...)
	limit := len(f.held) - ahead
	for n := 1; n < utf8.UTFMax && limit > f.at && !utf8.RuneStart(f.held[limit]); n++ {
		limit--
	}
	f.read(limit)
	keep := 0
	if f.set.bounds == Words {
		keep = utf8.UTFMax * len(f.set.levels)
	}
	if drop := f.at - keep; drop > keep {
		f.held = append(f.held[:0], f.held[drop:]...)
		f.at -= drop
	}
}

// read reads what is held up to limit, the start of a character.
func (f *Searcher) read(limit int) {
	s := f.set
	for f.at < limit && !f.matched && !f.failed {
		if s.bounds == Lines {
			sym, n := s.next(f.held[f.at:])
			f.at += n
			var ok bool
			f.state, ok = s.child(f.state, sym)
			f.failed = !ok
			continue
		}
		var found bool
		f.at, f.state, found = s.run(f.held, f.at, limit, f.state)
		f.matched = found && s.holds(f.held, f.at, f.state)
	}
}

// EndLine ends the line begun by Reset and reports whether it matches. The searcher is then ready for the next line.
func (f *Searcher) EndLine() bool {
	f.read(len(f.held))
	matched := f.matched || f.set.bounds == Lines && !f.failed && f.set.terminal(f.state)
	f.Reset()
	return matched
}
