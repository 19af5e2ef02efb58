package simd

// The searches to fall back on where candidates that fail cost too much: they look at every byte once,
// whatever it is, at some hundred MB/s.

// kmpTable returns for each i the length of the longest proper prefix of text[:i+1] that is also its
// suffix.
func kmpTable(text []byte) []int32 {
	fail := make([]int32, len(text))
	k := int32(0)
	for i := 1; i < len(text); i++ {
		for k > 0 && text[i] != text[k] {
			k = fail[k-1]
		}
		if text[i] == text[k] {
			k++
		}
		fail[i] = k
	}
	return fail
}

// kmp searches buf from position from on after Knuth, Morris and Pratt. steps counts its comparisons,
// at most two a byte.
func (f *Finder) kmp(buf []byte, from int) (pos, steps int) {
	k := int32(0)
	for i := from; i < len(buf); i++ {
		b := buf[i]
		if f.fold != nil {
			b = lower(b)
		}
		steps++
		for k > 0 && b != f.text[k] {
			k = f.fail[k-1]
			steps++
		}
		if b == f.text[k] {
			k++
		}
		if int(k) == len(f.text) {
			if pos := i + 1 - len(f.text); pos+f.size <= len(buf) && f.follows(buf[pos:]) {
				return pos, steps
			}
			k = f.fail[k-1]
		}
	}
	return -1, steps
}

// trie is an Aho–Corasick machine over byte classes with all transitions filled in. State 0 is the
// root.
type trie struct {
	class   [256]uint16
	stride  int
	next    []uint16 // state*stride + class
	depth   []uint16 // length of the longest prefix of a literal that the text read ends with
	longest []uint16 // length of the longest literal that the text read ends with, 0 for none
}

// newTrie builds the machine of literals, which together have at most maxTotal bytes.
func newTrie(literals []literal) *trie {
	t := &trie{stride: 1}
	for _, l := range literals {
		for i, b := range l.text {
			if t.class[b] != 0 {
				continue
			}
			t.class[b] = uint16(t.stride)
			if l.foldAt(i) != 0 {
				t.class[b&^0x20] = uint16(t.stride)
			}
			t.stride++
		}
	}
	t.add(0, 0)
	for _, l := range literals {
		state := 0
		for i, b := range l.text {
			at := state*t.stride + int(t.class[b])
			if t.next[at] == 0 {
				t.next[at] = uint16(len(t.depth))
				t.add(i+1, 0)
			}
			state = int(t.next[at])
		}
		t.longest[state] = uint16(len(l.text))
	}
	t.fill()
	return t
}

func (t *trie) add(depth, longest int) {
	t.next = append(t.next, make([]uint16, t.stride)...)
	t.depth = append(t.depth, uint16(depth))
	t.longest = append(t.longest, uint16(longest))
}

// fill completes the transitions, nearest states first: where a literal does not go on, the machine
// goes where its longest shorter suffix would.
func (t *trie) fill() {
	suffix := make([]uint16, len(t.depth))
	queue := []uint16{0}
	for len(queue) > 0 {
		state := int(queue[0])
		queue = queue[1:]
		if state != 0 {
			t.longest[state] = max(t.longest[state], t.longest[suffix[state]])
		}
		for c := range t.stride {
			to := &t.next[state*t.stride+c]
			var shorter uint16
			if state != 0 {
				shorter = t.next[int(suffix[state])*t.stride+c]
			}
			if *to == 0 {
				*to = shorter
				continue
			}
			suffix[*to] = shorter
			queue = append(queue, *to)
		}
	}
}

// search returns the leftmost position, from on, where any literal stands, or -1. A literal that was found may
// end inside a longer one that began before it: the machine goes on until none such is in progress.
func (t *trie) search(buf []byte, from int) (pos, steps int) {
	state, best := 0, -1
	for i := from; i < len(buf); i++ {
		state = int(t.next[state*t.stride+int(t.class[buf[i]])])
		steps++
		if n := int(t.longest[state]); n > 0 && (best < 0 || i+1-n < best) {
			best = i + 1 - n
		}
		if best >= 0 && i+1-int(t.depth[state]) >= best {
			break
		}
	}
	return best, steps
}
