package automaton

import "slices"

// Entries of a DFA table below cache.limit are no states that the inner loop may go on from.
const (
	codeUnknown = iota // not built yet
	codeDead           // no match can follow in this line
	codeMatch          // the line matches
	codeEsc            // decode the character first
	numCodes
)

const (
	minStates   = 12 // what a cache holds however small its bound: all live states and a few more
	firstStates = 16 // room in a new cache; it doubles up to the bound
)

// state is a set of instructions and what is behind it.
type state struct {
	off, n  int32 // its instructions are items[off : off+n]
	flags   side
	waiting bool // an assertion is among them
}

// cache holds the states of a DFA and their transitions in one table, a row of stride entries a state. A
// state's id is the offset of its row. The cache never grows beyond its bounds: put fails, and the owner flushes.
type cache struct {
	stride    uint32
	limit     uint32 // the id of the first state
	rows      []uint32
	states    []state
	items     []int32
	slots     []int32 // hash table of indexes into states, plus 1
	maxStates int
	maxItems  int
	esc       int // column that is codeEsc in every row, or -1
}

// init sets the bounds of c: about bytes in total, but room for minStates states of n instructions.
func (c *cache) init(stride, bytes, n, esc int) {
	c.stride = uint32(max(stride, numCodes))
	c.limit = c.stride
	c.maxStates = max(minStates, bytes*3/4/(4*int(c.stride)+24))
	c.maxItems = max(minStates*(n+1), bytes/16)
	c.esc = esc
	c.grow(min(firstStates, c.maxStates))
}

// grow makes room for n states and hashes those that there are again.
func (c *cache) grow(n int) {
	rows := make([]uint32, int(c.limit)+n*int(c.stride))
	copy(rows, c.rows)
	c.rows = rows
	slots := 16
	for slots < 2*n {
		slots *= 2
	}
	c.slots = make([]int32, slots)
	for i, s := range c.states {
		at, _ := c.find(c.items[s.off:s.off+s.n], s.flags)
		c.slots[at] = int32(i + 1)
	}
}

// find returns the slot of the state, and its index if it is there, else -1.
func (c *cache) find(list []int32, flags side) (slot, index int) {
	h := uint64(flags) + 1
	for _, v := range list {
		h = (h ^ uint64(v)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	mask := len(c.slots) - 1
	for at := int(h>>7) & mask; ; at = (at + 1) & mask {
		i := int(c.slots[at]) - 1
		if i < 0 {
			return at, -1
		}
		s := &c.states[i]
		if s.flags == flags && slices.Equal(c.items[s.off:s.off+s.n], list) {
			return at, i
		}
	}
}

// put returns the id of the state with these instructions and flags, which it adds if it is new; ok is false if
// there is no room for it.
func (c *cache) put(list []int32, flags side, waiting bool) (id uint32, ok bool) {
	at, i := c.find(list, flags)
	if i < 0 {
		i = len(c.states)
		if i == c.maxStates || len(c.items)+len(list) > c.maxItems {
			return 0, false
		}
		if int(c.limit)+(i+1)*int(c.stride) > len(c.rows) {
			c.grow(min(2*i, c.maxStates))
			at, _ = c.find(list, flags)
		}
		c.states = append(c.states, state{int32(len(c.items)), int32(len(list)), flags, waiting})
		c.items = append(c.items, list...)
		c.slots[at] = int32(i + 1)
		if c.esc >= 0 {
			c.rows[int(c.limit)+i*int(c.stride)+c.esc] = codeEsc
		}
	}
	return c.limit + uint32(i)*c.stride, true
}

// get returns the state of an id and its instructions.
func (c *cache) get(id uint32) (*state, []int32) {
	s := &c.states[(id-c.limit)/c.stride]
	return s, c.items[s.off : s.off+s.n]
}

// flush forgets all states.
func (c *cache) flush() {
	clear(c.rows[:int(c.limit)+len(c.states)*int(c.stride)])
	clear(c.slots)
	c.states, c.items = c.states[:0], c.items[:0]
}

// bytes returns the memory that c holds.
func (c *cache) bytes() int {
	return 4*(cap(c.rows)+cap(c.items)+cap(c.slots)) + 16*cap(c.states)
}
