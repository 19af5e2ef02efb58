package simd

import (
	"bytes"
	"math"
	"testing"
)

// Each target holds the kernels in assembly, those in Go and the oracle to each other.

// lists are what the fuzzers make up: needles or classes, apart by "\n".
func lists(text []byte) [][]byte { return bytes.Split(text, []byte("\n")) }

// bounded takes the last two bytes of a needle, of three or more, as bounds of what follows the others.
func bounded(needle []byte) (rest []byte, lo, hi byte) {
	rest = needle[:len(needle)-2]
	a, b := needle[len(rest)], needle[len(rest)+1]
	return rest, min(a, b), max(a, b)
}

func FuzzFinder(f *testing.F) {
	f.Add([]byte("Failed password"), []byte("Nov 22 sshd[1]: failed PASSWORD for root from 10.0.0.1 port 22 ssh2\n"), true)
	f.Add([]byte("ab"), bytes.Repeat([]byte("a"), 200), false)
	f.Add([]byte("user=0z"), []byte("logname= uid=0 euid=0 tty=ssh ruser= rhost=10.0.0.1  user=root and more of it\n"), false)
	f.Add([]byte("aaaaaaaaaaaaaaaab"), bytes.Repeat([]byte("a"), 2000), false)
	f.Add([]byte("@["), []byte("`{ `{ `{ @{ `[ @[ `{ `{ `{ `{ `{ `{ `{ `{"), true)
	f.Fuzz(func(t *testing.T, needle, text []byte, fold bool) {
		want := naiveIndex(text, needle, fold)
		for _, pure := range []bool{false, true} {
			before := SetPure(pure)
			got := NewFinder(needle, fold).Index(text)
			SetPure(before)
			if got != want {
				t.Errorf("%q in %q (fold %v, pure %v): %d, want %d", needle, text, fold, pure, got, want)
			}
		}
		if len(needle) < 3 {
			return
		}
		needle, lo, hi := bounded(needle)
		want = naiveBefore(text, needle, fold, lo, hi)
		for _, pure := range []bool{false, true} {
			before := SetPure(pure)
			got := NewFinderBefore(needle, fold, lo, hi).Index(text)
			SetPure(before)
			if got != want {
				t.Errorf("%q before %q to %q in %q (fold %v, pure %v): %d, want %d", needle, lo, hi, text, fold, pure, got, want)
			}
		}
	})
}

func FuzzSet(f *testing.F) {
	f.Add([]byte("error\nwarn\nfatal\npanic\nexception"), bytes.Repeat([]byte("2026-11-22 INFO eXception PANic\n"), 5), uint8(3), true)
	f.Add([]byte("ab\nba\naab"), bytes.Repeat([]byte("aaaa"), 50), uint8(0), false)
	f.Add([]byte("caf\xc3\xa9\nna\xc3\xafve"), bytes.Repeat([]byte("cafe na\xc3\xafve "), 9), uint8(60), false)
	f.Fuzz(func(t *testing.T, list, text []byte, from uint8, fold bool) {
		needles := lists(list)
		start := min(int(from), len(text))
		want, w := naiveSet(text, start, needles, fold)
		for i := range forms {
			s, ok := newSet(needles, fold, forms[i:i+1], math.MaxFloat64)
			if !ok {
				continue
			}
			for _, pure := range []bool{false, true} {
				before := SetPure(pure)
				got, which := s.Next(text, start)
				SetPure(before)
				if got != want || which != w {
					t.Errorf("shape %d of %q in %q from %d (fold %v, pure %v): %d at %d, want %d at %d",
						forms[i].shape, needles, text, start, fold, pure, which, got, w, want)
				}
			}
			if got, _ := s.linear().search(text, start); got != want {
				t.Errorf("trie of %q in %q from %d (fold %v): %d, want %d", needles, text, start, fold, got, want)
			}
		}
	})
}

func FuzzWindow(f *testing.F) {
	f.Add([]byte("09\n..\n09"), bytes.Repeat([]byte("port 22 from 10.0.0.1 "), 5), uint8(9))
	f.Add([]byte("azAZ09\n\x80\xff"), bytes.Repeat([]byte("caf\xc3\xa9 "), 20), uint8(0))
	f.Fuzz(func(t *testing.T, list, text []byte, from uint8) {
		var classes []Class
		for _, ranges := range lists(list) {
			var c Class
			for i := 0; i+1 < len(ranges); i += 2 {
				c.Add(ranges[i], ranges[i+1])
			}
			classes = append(classes, c)
		}
		w, ok := NewWindow(classes)
		if !ok {
			return
		}
		start := min(int(from), len(text))
		want := naiveWindow(text, start, classes)
		for _, pure := range []bool{false, true} {
			before := SetPure(pure)
			got := w.Next(text, start)
			SetPure(before)
			if got != want {
				t.Errorf("%v in %q from %d (pure %v): %d, want %d", classes, text, start, pure, got, want)
			}
		}
	})
}

func FuzzBytes(f *testing.F) {
	f.Add(bytes.Repeat([]byte("2026-11-22 INFO started\n"), 8), byte('x'), byte('\n'), byte('-'))
	f.Fuzz(func(t *testing.T, text []byte, a, b, c byte) {
		two, three := -1, -1
		for i, x := range text {
			if two < 0 && (x == a || x == b) {
				two = i
			}
			if three < 0 && (x == a || x == b || x == c) {
				three = i
			}
		}
		for _, pure := range []bool{false, true} {
			before := SetPure(pure)
			i2, i3, last := Index2(text, a, b), Index3(text, a, b, c), LastIndexByte(text, a)
			SetPure(before)
			if i2 != two || i3 != three || last != bytes.LastIndexByte(text, a) {
				t.Errorf("%q %q %q in %q (pure %v): %d, %d, %d, want %d, %d, %d",
					a, b, c, text, pure, i2, i3, last, two, three, bytes.LastIndexByte(text, a))
			}
		}
	})
}
