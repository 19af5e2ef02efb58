package block

import "slices"

// Filter is what a search needs of a strip. It is immutable and for any number of indexes.
type Filter struct {
	alternatives [][]clause
	plain        bool
	keys         int // in all
}

// clause is met by a strip that may hold one of its texts: which has all hashes of one of these lists.
type clause [][]uint64

// maxKeys bounds what one filter looks at.
const maxKeys = 1 << 20

// NewFilter returns the filter of a search: of a line that is found, at least one of needs holds in
// full, of whose clauses each names texts of which the line has at least one. Case is ignored. No needs,
// or one without clauses, require nothing. With plain, all this need not hold for lines with ſ or K, the
// Kelvin sign. Texts hold no line end: a line of the search must be a line here.
func NewFilter(needs [][][][]byte, plain bool) *Filter {
	f := &Filter{plain: plain}
	for _, clauses := range needs {
		var alternative []clause
		for _, texts := range clauses {
			if c, ok := newClause(texts); ok {
				alternative = append(alternative, c)
				for _, keys := range c {
					f.keys += len(keys)
				}
			}
		}
		if len(alternative) == 0 || f.keys > maxKeys {
			return &Filter{}
		}
		f.alternatives = append(f.alternatives, alternative)
	}
	return f
}

// newClause returns the clause of texts; false if one of them is in every strip for all we know.
func newClause(texts [][]byte) (clause, bool) {
	var c clause
	for _, text := range texts {
		keys := hashes(text)
		if len(keys) == 0 || slices.Contains(text, '\n') {
			return nil, false
		}
		c = append(c, keys)
	}
	return c, len(c) > 0
}

// Prunes tells whether the filter can leave out anything.
func (f *Filter) Prunes() bool { return len(f.alternatives) > 0 }

// rows gives the bits of a row of a block: AND of what it has for a hash into set.
type rows interface {
	and(set []uint64, hash uint64) error
}

// strips fills out with the strips of a block that may hold a line. scratch is for 3 × len(out) words.
func (f *Filter) strips(out []uint64, r rows, scratch []uint64) error {
	n := len(out)
	both, any, one := scratch[:n], scratch[n:2*n], scratch[2*n:3*n]
	clear(out)
	for _, clauses := range f.alternatives {
		fill(both)
		for _, c := range clauses {
			clear(any)
			for _, keys := range c {
				copy(one, both)
				for _, key := range keys {
					if err := r.and(one, key); err != nil {
						return err
					}
					if empty(one) {
						break
					}
				}
				or(any, one)
			}
			copy(both, any)
			if empty(both) {
				break
			}
		}
		or(out, both)
	}
	return nil
}

func fill(set []uint64) {
	for i := range set {
		set[i] = ^uint64(0)
	}
}

func empty(set []uint64) bool {
	for _, w := range set {
		if w != 0 {
			return false
		}
	}
	return true
}

func or(dst, src []uint64) {
	for i, w := range src {
		dst[i] |= w
	}
}
