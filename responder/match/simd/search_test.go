package simd

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// setOf returns a Set that uses the kernel of shape.
func setOf(t testing.TB, shape setShape, needles [][]byte, fold bool) *Set {
	t.Helper()
	only := slices.DeleteFunc(slices.Clone(forms), func(f form) bool { return f.shape != shape })
	s, ok := newSet(needles, fold, only, math.MaxFloat64)
	if !ok {
		t.Fatalf("no set of shape %d for %q", shape, needles)
	}
	return s
}

func TestSetPure(t *testing.T) {
	before := SetPure(true)
	if !SetPure(false) {
		t.Error("SetPure(true) did not last")
	}
	if was := SetPure(before); was == available {
		t.Errorf("after SetPure(false) pure is %v, and AVX2 available %v", was, available)
	}
}

func TestFinder(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		pad := strings.Repeat("-", 70)
		for _, c := range []struct {
			needle, text string
			fold         bool
			want         int
		}{
			{"", "", false, 0}, {"", "abc", true, 0}, {"a", "", false, -1}, {"abc", "ab", false, -1},
			{"é", "caf\xc3\xa9", false, 3}, {"\x00\x00", "a\x00\x00", false, 1},
			{"@user", "`USER", true, -1}, {"`user", "@USER", true, -1}, {"[x]", "{X}", true, -1}, {"{x}", "[X]", true, -1}, {"[x]", "[X]", true, 0},
			{"@", "`", true, -1}, {"`", "@", true, -1}, {"k", "K", true, 0}, {"K", "k", true, 0}, {"K", "k", false, -1},
			{"_^", "\x7f~", true, -1}, {"\x10y", "0Y", true, -1}, {"0y", "\x10Y", true, -1},
			{"Failed Password for", "failed passworD FOR", true, 0}, {"é", "É", true, -1},
			{"[error] @ line", "{ERROR} ` LINE", true, -1}, {"[error] @ line", "[ERROR] @ LINE", true, 0},
		} {
			f := NewFinder([]byte(c.needle), c.fold)
			if got := f.Index([]byte(c.text)); got != c.want {
				t.Errorf("%q in %q (fold %v): %d, want %d", c.needle, c.text, c.fold, got, c.want)
			}
			want := c.want
			if want >= 0 && c.needle != "" {
				want += len(pad)
			}
			if got := f.Index([]byte(pad + c.text + pad)); got != want {
				t.Errorf("%q in padded %q (fold %v): %d, want %d", c.needle, c.text, c.fold, got, want)
			}
		}
	})
}

// TestFinderAllFolds: exactly the two cases of a letter are one, for every pair of bytes.
func TestFinderAllFolds(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		buf := bytes.Repeat([]byte{'.'}, 64)
		for a := range 256 {
			single, double := NewFinder([]byte{byte(a)}, true), NewFinder([]byte{'Q', byte(a)}, true)
			for b := range 256 {
				buf[40], buf[41] = 'q', byte(b)
				want := same(byte(b), byte(a), true)
				if got := single.Index(buf[41:]) == 0; got != want {
					t.Fatalf("%#x matches %#x: %v", a, b, got)
				}
				if got := double.Index(buf) == 40; got != want {
					t.Fatalf("Q%#x matches q%#x: %v", a, b, got)
				}
			}
		}
	})
}

func TestFinderRandom(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for range 30_000 {
			alphabet := []string{"ab", "aAbB", "abcdefgh ", "@`[{aA0\x10"}[r.IntN(4)]
			buf := randomText(r, alphabet, r.IntN(300))
			needle := randomText(r, alphabet, r.IntN(20))
			if len(buf) > 0 && r.IntN(2) == 0 {
				at := r.IntN(len(buf))
				needle = bytes.Clone(buf[at:min(len(buf), at+r.IntN(100))])
			}
			fold := r.IntN(2) == 0
			if got, want := NewFinder(needle, fold).Index(buf), naiveIndex(buf, needle, fold); got != want {
				t.Fatalf("%q in %q (fold %v): %d, want %d", needle, buf, fold, got, want)
			}
			if len(needle) < 3 {
				continue
			}
			needle, lo, hi := bounded(needle)
			if got, want := NewFinderBefore(needle, fold, lo, hi).Index(buf), naiveBefore(buf, needle, fold, lo, hi); got != want {
				t.Fatalf("%q before %q to %q in %q (fold %v): %d, want %d", needle, lo, hi, buf, fold, got, want)
			}
		}
	})
}

func TestSetLimits(t *testing.T) {
	long := bytes.Repeat([]byte("word"), 200)
	many := make([][]byte, maxLiterals+1)
	for i := range many {
		many[i] = fmt.Appendf(nil, "literal-%d", i)
	}
	for _, c := range []struct {
		name    string
		needles [][]byte
		ok      bool
	}{
		{"none", nil, false}, {"an empty one", [][]byte{[]byte("abc"), nil}, false}, {"too many", many, false},
		{"as many as may be", many[:maxLiterals], true}, {"too long", [][]byte{long, long, long, long, long, long}, false},
		{"long", [][]byte{long, long, long}, true}, {"single common bytes", [][]byte{[]byte("e"), []byte("a")}, false},
		{"one", [][]byte{[]byte("Failed")}, true}, {"short", [][]byte{[]byte("GET"), []byte("PUT")}, true},
	} {
		if _, ok := NewSet(c.needles, false); ok != c.ok {
			t.Errorf("NewSet of %s: %v, want %v", c.name, ok, c.ok)
		}
	}
}

// TestSetOrder: the leftmost wins, and the first in the list of those at one position.
func TestSetOrder(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		needles := [][]byte{[]byte("exception"), []byte("except"), []byte("Failed"), []byte("exceptional"), []byte("unexpected except")}
		s, ok := NewSet(needles, false)
		if !ok {
			t.Fatal("no set")
		}
		pad := strings.Repeat(".", 50)
		for _, c := range []struct {
			text       string
			pos, which int
		}{
			{"exceptional", 0, 0}, {"except", 0, 1}, {"an unexpected exception", 3, 4}, {"an unexpected excess, Failed", 22, 2},
		} {
			if pos, which := s.Next([]byte(c.text), 0); pos != c.pos || which != c.which {
				t.Errorf("%q: needle %d at %d, want %d at %d", c.text, which, pos, c.which, c.pos)
			}
			if pos, which := s.Next([]byte(pad+c.text+pad), 7); pos != c.pos+50 || which != c.which {
				t.Errorf("padded %q: needle %d at %d, want %d at %d", c.text, which, pos, c.which, c.pos+50)
			}
		}
	})
}

func TestSetRandom(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for range 1_000 {
			alphabet := []string{"ab", "aAbB", "abcdefgh ", "@`[{aA0\x10", "a\xe1q\xf1"}[r.IntN(5)]
			buf := randomText(r, alphabet, r.IntN(300))
			least := 1 + r.IntN(7)
			needles := make([][]byte, 1+r.IntN(30))
			for i := range needles {
				needles[i] = randomText(r, alphabet, least+r.IntN(12))
			}
			fold, from := r.IntN(2) == 0, r.IntN(len(buf)+1)
			for _, f := range forms {
				s, ok := newSet(needles, fold, []form{f}, math.MaxFloat64)
				if !ok {
					continue // literals too short for it, or with bytes above 0x7f
				}
				got, which := s.Next(buf, from)
				if want, w := naiveSet(buf, from, needles, fold); got != want || which != w {
					t.Fatalf("shape %d: %q in %q from %d (fold %v): %d at %d, want %d at %d",
						f.shape, needles, buf, from, fold, which, got, w, want)
				}
				if got, _ := s.linear().search(buf, from); got != naivePos(buf, from, needles, fold) {
					t.Fatalf("trie of %q in %q from %d (fold %v): %d", needles, buf, from, fold, got)
				}
			}
		}
	})
}

func naivePos(buf []byte, from int, needles [][]byte, fold bool) int {
	pos, _ := naiveSet(buf, from, needles, fold)
	return pos
}

func TestWindowRandom(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		for range 10_000 {
			classes := make([]Class, 2+r.IntN(3))
			for i := range classes {
				for range 1 + r.IntN(3) {
					lo := r.IntN(256)
					classes[i].Add(byte(lo), byte(min(255, lo+r.IntN(100))))
				}
			}
			w, ok := NewWindow(classes)
			if !ok {
				t.Fatalf("no window for %v", classes)
			}
			buf := make([]byte, r.IntN(200))
			for i := range buf {
				buf[i] = byte(r.Uint32())
			}
			from := r.IntN(len(buf) + 1)
			if got, want := w.Next(buf, from), naiveWindow(buf, from, classes); got != want {
				t.Fatalf("%v in %q from %d: %d, want %d", classes, buf, from, got, want)
			}
		}
	})
}

func TestWindowLimits(t *testing.T) {
	digit, empty, odd := Class{}, Class{}, Class{}
	digit.Add('0', '9')
	for h := range 9 { // nine rows, each of a shape of its own
		odd.Add(byte(h*16), byte(h*16+h))
	}
	for _, c := range []struct {
		name    string
		classes []Class
		ok      bool
	}{
		{"one", []Class{digit}, false}, {"five", []Class{digit, digit, digit, digit, digit}, false},
		{"nine shapes", []Class{digit, odd}, false}, {"an empty one", []Class{digit, empty}, true},
	} {
		w, ok := NewWindow(c.classes)
		if ok != c.ok {
			t.Errorf("NewWindow of %s: %v, want %v", c.name, ok, c.ok)
		}
		if ok && w.Next(bytes.Repeat([]byte("0"), 100), 0) != -1 {
			t.Errorf("%s matches", c.name)
		}
	}
}

// TestLinear counts what searches cost on the inputs that ruin a naive one.
func TestLinear(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		const n = 1 << 18
		as := bytes.Repeat([]byte("a"), n)
		nearly := append(bytes.Repeat([]byte("a"), 999), 'b')
		half := slices.Concat(bytes.Repeat([]byte("a"), 500), []byte("b"), bytes.Repeat([]byte("a"), 500))
		aab := bytes.Repeat([]byte("aaaaaaaab"), n/9)
		for name, c := range map[string]struct{ needle, text []byte }{
			"a…b in a…":              {nearly, as},
			"ba… in a…":              {append([]byte("b"), nearly[:999]...), as},
			"a…ba… in a…":            {half, as},
			"a…c in (a…b)…":          {append(bytes.Repeat([]byte("aaaaaaaab"), 100), 'c'), aab},
			"a…bb in (a…b)…":         {append(bytes.Repeat([]byte("aaaaaaaab"), 100), 'b'), aab},
			"(a…b)…aaaaaaaaa at end": {append(bytes.Repeat([]byte("aaaaaaaab"), 100), "aaaaaaaaa"...), aab},
		} {
			for _, fold := range []bool{false, true} {
				pos, cost := NewFinder(c.needle, fold).search(c.text)
				if pos != bytes.Index(c.text, c.needle) {
					t.Errorf("%s: found at %d", name, pos)
				}
				if most := 6*len(c.text) + 8*len(c.needle); cost > most {
					t.Errorf("%s (fold %v) cost %d, more than %d", name, fold, cost, most)
				}
			}
		}
		var needles [][]byte
		for i := range 64 {
			needles = append(needles, append(bytes.Repeat([]byte("a"), 60), byte('A'+i%26), byte('A'+i/26)))
		}
		s, ok := NewSet(needles, false)
		if !ok {
			t.Fatal("no set")
		}
		text := bytes.Repeat([]byte(strings.Repeat("a", 60)+"AZ"), n/62)
		if pos, _, cost := s.search(text, 0); pos != -1 || cost > 6*len(text) {
			t.Errorf("64 needles found at %d for %d in %d bytes", pos, cost, len(text))
		}
	})
}

// TestKernels holds the kernels themselves to each other: same candidates, not only same hits.
func TestKernels(t *testing.T) {
	if !available {
		t.Log("this processor has no AVX2: nothing to compare")
		return
	}
	r := rand.New(rand.NewPCG(11, 12))
	for range 5_000 {
		n := 32 + r.IntN(300)
		buf := randomText(r, []string{"ab", "aAbB@`", "abcdefgh 0123"}[r.IntN(3)], n+64)
		f := NewFinder(randomText(r, "abAB@", 2+r.IntN(30)), r.IntN(2) == 0)
		if got, want := pairVector(&f.kernel, buf, n, nil), pairPure(&f.kernel, buf, n); got != want {
			t.Fatalf("pair of %q in %q: %d, want %d", f.text, buf, got, want)
		}
		form := forms[r.IntN(len(forms))]
		needles := make([][]byte, 1+r.IntN(20))
		for i := range needles {
			needles[i] = randomText(r, "abcdABCD", 6+r.IntN(3))
		}
		s := setOf(t, form.shape, needles, r.IntN(2) == 0)
		if got, want := setVector(&s.kernel, buf, n, nil), candidates(&s.kernel, form, buf, n); got != want {
			t.Fatalf("shape %d of %q in %q: %d, want %d", form.shape, needles, buf, got, want)
		}
		x := make([]byte, 3)
		copy(x, randomText(r, "Zab", 3))
		if got, want := index2Vector(buf, x[0], x[1]), index2Pure(buf, x[0], x[1]); got != want {
			t.Fatalf("Index2 of %q in %q: %d, want %d", x, buf, got, want)
		}
		if got, want := index3Vector(buf, x[0], x[1], 'Z'), index3Pure(buf, x[0], x[1], 'Z'); got != want {
			t.Fatalf("Index3 of %q in %q: %d, want %d", x, buf, got, want)
		}
		if got, want := lastVector(buf, x[0]), bytes.LastIndexByte(buf, x[0]); got != want {
			t.Fatalf("LastIndexByte of %q in %q: %d, want %d", x[0], buf, got, want)
		}
	}
}

// candidates says what the assembly for form must return: tables, then bitmap, then the slot's literals.
func candidates(k *setKernel, f form, buf []byte, n int) int {
	for i := range n {
		var passed uint8
		for bank := range f.banks {
			buckets := uint8(0xff)
			for at := range f.width {
				b := buf[i+at]
				buckets &= k.tables[bank][at][0][b&15]
				if f.full {
					buckets &= k.tables[bank][at][1][b>>4]
				}
			}
			passed |= buckets
		}
		h := setHash((load32(buf[i:]) | k.fold) & k.keep)
		if passed == 0 || k.bitmap[h>>5]>>(h&31)&1 == 0 {
			continue
		}
		for which := k.first[slot(h)]; which >= 0; which = k.after[which] {
			if (load64(buf[i:])|k.foldWord)&k.mask[which] == k.want[which] {
				return i
			}
		}
	}
	return -1
}

// A slot of many literals does not have the kernel compare them all at each place.
func TestCrowdedSlot(t *testing.T) {
	var needles [][]byte
	for i := range maxLiterals {
		needles = append(needles, fmt.Appendf(nil, "aaaab%02d", i))
	}
	s, ok := newSet(needles, false, forms, math.Inf(1))
	if !ok {
		t.Fatal("no set")
	}
	if n := s.kernel.longestChain(); n > maxChain {
		t.Errorf("%d literals are compared", n)
	}
	text := append(bytes.Repeat([]byte("a"), 5000), "b63"...)
	if pos, which := s.Next(text, 0); pos != 4996 || which != 63 {
		t.Errorf("found %d at %d", which, pos)
	}
}

// longestChain returns how many literals of one slot can be compared until one passes whatever the text.
func (k *setKernel) longestChain() (longest int) {
	for _, which := range k.first {
		n := 0
		for ; which >= 0 && k.mask[which] != 0; which = k.after[which] {
			n++
		}
		longest = max(longest, n)
	}
	return longest
}

// TestPlanSize: a kernel has eight buckets a bank.
func TestPlanSize(t *testing.T) {
	var literals []literal
	for i := range maxLiterals {
		literals = append(literals, newLiteral(fmt.Appendf(nil, "%c%d literal", 'a'+i%26, i*7919), false))
	}
	for _, f := range forms {
		p, ok := planOf(literals, 6, 0, f)
		if !ok || len(p.buckets) > 8*f.banks {
			t.Errorf("shape %d: ok %v, %d buckets for %d banks", f.shape, ok, len(p.buckets), f.banks)
		}
	}
}

// TestPair: of two bytes that are about as rare the one is compared that is not of the same word as the rarest, and the rarer
// where all are near.
func TestPair(t *testing.T) {
	for _, c := range []struct {
		needle string
		fold   bool
		a, b   int
	}{
		{"nosuchtokenatall", true, 8, 14}, // k and l, not h and k of "check"
		{"rare", true, 1, 0},
		{"everywhere", false, 5, 4}, // w and y: much rarer than what is farther off
	} {
		k := &NewFinder([]byte(c.needle), c.fold).kernel
		if int(k.at1) != c.a || int(k.at2) != c.b {
			t.Errorf("%q: bytes %d and %d are compared, want %d and %d", c.needle, k.at1, k.at2, c.a, c.b)
		}
	}
}
