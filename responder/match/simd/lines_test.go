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

// naiveLines is what Lines means: at returns the first place of a match in a line, or -1.
func naiveLines(buf []byte, from int, term byte, at func(line []byte) int) (hits []Hit) {
	for from < len(buf) {
		end := len(buf)
		if i := bytes.IndexByte(buf[from:], term); i >= 0 {
			end = from + i
		}
		if i := at(buf[from:end]); i >= 0 {
			hits = append(hits, Hit{from, end, from + i})
		}
		from = end + 1
	}
	return hits
}

// allLines collects what lines fills a batch with until it has come to the end.
func allLines(t *testing.T, b *Batch, buf []byte, from int, term byte, lines func(b *Batch, buf []byte, from int, term byte) int) (hits []Hit) {
	t.Helper()
	for from < len(buf) {
		next := lines(b, buf, from, term)
		if next <= from || next > len(buf) || next < len(buf) && buf[next-1] != term {
			t.Fatalf("Lines of %q from %d goes on at %d", buf, from, next)
		}
		from = next
		hits = append(hits, b.Hits...)
	}
	return hits
}

// linesOf is a search for lines, and its oracle.
type linesOf struct {
	name  string
	lines func(b *Batch, buf []byte, from int, term byte) int
	at    func(line []byte) int
	count func(b *Batch, buf []byte, from int, term byte) int // or nil
}

func finderLines(needle []byte, fold bool) linesOf {
	f := NewFinder(needle, fold)
	return linesOf{fmt.Sprintf("%q fold %v", needle, fold), f.Lines, func(line []byte) int { return naiveIndex(line, needle, fold) }, f.Count}
}

func beforeLines(needle []byte, fold bool, lo, hi byte) linesOf {
	f := NewFinderBefore(needle, fold, lo, hi)
	return linesOf{fmt.Sprintf("%q before %q to %q fold %v", needle, lo, hi, fold), f.Lines,
		func(line []byte) int { return naiveBefore(line, needle, fold, lo, hi) }, f.Count}
}

func setLines(s *Set, needles [][]byte, fold bool) linesOf {
	return linesOf{fmt.Sprintf("%q fold %v", needles, fold), s.Lines, func(line []byte) int {
		at, _ := naiveSet(line, 0, needles, fold)
		return at
	}, nil}
}

func windowLines(t *testing.T, classes []Class) linesOf {
	w, ok := NewWindow(classes)
	if !ok {
		t.Fatal("no window")
	}
	return linesOf{fmt.Sprintf("%x", classes), w.Lines, func(line []byte) int { return naiveWindow(line, 0, classes) }, nil}
}

func (l linesOf) check(t *testing.T, b *Batch, buf []byte, from int, term byte) {
	t.Helper()
	want := naiveLines(buf, from, term, l.at)
	if got := allLines(t, b, buf, from, term, l.lines); !slices.Equal(got, want) {
		t.Fatalf("%s: lines of %q from %d: %v, want %v", l.name, buf, from, got, want)
	}
	if l.count != nil {
		if got := l.count(b, buf, from, term); got != len(want) {
			t.Fatalf("%s: counts %d lines of %q from %d, want %d", l.name, got, buf, from, len(want))
		}
	}
}

// somethingToLookFor draws a search of each kind.
func somethingToLookFor(t *testing.T, r *rand.Rand) linesOf {
	fold := r.IntN(2) == 0
	switch r.IntN(4) {
	case 0:
		return finderLines(randomText(r, "abAB@", 1+r.IntN(14)/(1+r.IntN(4))), fold)
	case 3:
		lo := byte('A' + r.IntN(40))
		return beforeLines(randomText(r, "abAB@", 1+r.IntN(14)/(1+r.IntN(4))), fold, lo, lo+byte(r.IntN(40)))
	case 1:
		form := forms[r.IntN(len(forms))]
		needles := make([][]byte, 1+r.IntN(12))
		for i := range needles {
			needles[i] = randomText(r, "abcdABCD", 6+r.IntN(4))
			if r.IntN(2) == 0 {
				needles[i] = randomText(r, "ab", 6)
			}
		}
		return setLines(setOf(t, form.shape, needles, fold), needles, fold)
	}
	classes := make([]Class, 2+r.IntN(3))
	for i := range classes {
		classes[i].Add('a', 'a')
		if r.IntN(2) == 0 {
			classes[i].Add('A', 'B')
		}
	}
	return windowLines(t, classes)
}

// randomLines are short and long lines, the last perhaps without terminator.
func randomLines(r *rand.Rand, term byte, n int) []byte {
	var buf []byte
	for len(buf) <= n {
		buf = append(buf, randomText(r, []string{"ab", "aAbB@`", "abcdefgh 0123"}[r.IntN(3)], r.IntN(8)*r.IntN(20))...)
		buf = append(buf, bytes.Repeat([]byte{term}, 1+r.IntN(8)/6)...)
	}
	if r.IntN(3) == 0 {
		buf = buf[:len(buf)-1]
	}
	return buf
}

func TestLines(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(21, 22))
		var b Batch
		for range 4_000 {
			term := []byte{'\n', 0}[r.IntN(2)]
			buf := randomLines(r, term, r.IntN(600))
			from := 0
			if i := bytes.IndexByte(buf, term); i >= 0 && r.IntN(2) == 0 {
				from = i + 1
			}
			somethingToLookFor(t, r).check(t, &b, buf, from, term)
		}
	})
}

// A batch that is full goes on where it stopped, and lines with many candidates are entered once.
func TestManyLines(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(23, 24))
		var b Batch
		for range 60 {
			buf := bytes.Repeat([]byte([]string{"a\n", "aba\n", "aaaaaaaaaaaaaab\n\n", "abababababababababababababababababab\nx\n"}[r.IntN(4)]), 200+r.IntN(200))
			somethingToLookFor(t, r).check(t, &b, buf, 0, '\n')
			finderLines([]byte("aaaaaaaaab"), false).check(t, &b, buf, 0, '\n')
			finderLines([]byte("a"), true).check(t, &b, buf, 0, '\n')
		}
	})
}

// TestLinesEdges has lines begin and end at every place of buffers next to unmapped memory.
func TestLinesEdges(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		classes := make([]Class, 3)
		for i := range classes {
			classes[i].Add('a', 'b')
		}
		all := []linesOf{finderLines([]byte("ab"), false), finderLines([]byte("aabb"), true), finderLines([]byte("abababababab"), false), windowLines(t, classes),
			beforeLines([]byte("ab"), false, 'b', 'z'), beforeLines([]byte("aabb"), true, 'a', 'a'), beforeLines([]byte("abababababab"), false, 'b', 'b')}
		needles := [][]byte{[]byte("aababb"), []byte("bbabba"), []byte("ababababa")}
		for _, f := range forms {
			all = append(all, setLines(setOf(t, f.shape, needles, false), needles, false))
		}
		r := rand.New(rand.NewPCG(25, 26))
		var b Batch
		edges(t, '.', func(buf []byte) {
			for range 3 {
				copy(buf, randomText(r, "aaabbb.", len(buf)))
				for range r.IntN(4) {
					if len(buf) > 0 {
						buf[r.IntN(len(buf))] = '\n'
					}
				}
				for _, l := range all {
					l.check(t, &b, buf, 0, '\n')
				}
			}
		})
	})
}

// BenchmarkLines is to be compared with BenchmarkFinder.
func BenchmarkLines(b *testing.B) {
	buf := logLines(benchSize)
	var batch Batch
	run := func(name string, lines func(b *Batch, buf []byte, from int, term byte) int) {
		b.Run(name, func(b *testing.B) {
			n := 0
			measure(b, len(buf), func() {
				n = 0
				for from := 0; from < len(buf); n += len(batch.Hits) {
					from = lines(&batch, buf, from, '\n')
				}
			})
			b.ReportMetric(float64(n), "lines")
		})
	}
	run("absent", NewFinder([]byte("OutOfMemoryError"), false).Lines)
	run("common", NewFinder([]byte("terminating"), false).Lines)
	half := NewFinder([]byte("INFO"), false)
	run("half", half.Lines)
	run("half-fold", NewFinder([]byte("INFO"), true).Lines)
	run("half-count", func(b *Batch, buf []byte, from int, term byte) int {
		half.Count(b, buf, from, term)
		return len(buf)
	})
}

// A terminator where the text has another byte than the literal: kernels that do not compare that byte stop there, and
// "terminating" once crashed on a line that begins with "erminating".
func TestTerminatorWithin(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		var b Batch
		for _, needle := range []string{"terminating", "xconnection reset by peer", "Failed password for", "0123456789"} {
			for i := range needle {
				text := strings.Repeat("before it\n"+needle[:i]+"\n"+needle[i+1:]+"\n", 9)
				for _, fold := range []bool{false, true} {
					finderLines([]byte(needle), fold).check(t, &b, []byte(text), 0, '\n')
					for j := range forms {
						needles := [][]byte{[]byte(needle), []byte(needle + " too")}
						if s, ok := newSet(needles, fold, forms[j:j+1], math.MaxFloat64); ok {
							setLines(s, needles, fold).check(t, &b, []byte(text), 0, '\n')
						}
					}
				}
			}
		}
	})
}

// FuzzLines: what is looked for is a literal, a set or classes; lines end in the last byte of list.
func FuzzLines(f *testing.F) {
	f.Add([]byte("INFO\n"), bytes.Repeat([]byte("2026-11-22 INFO started\nDEBUG x\n"), 9), uint8(0), true)
	f.Add([]byte("terminating\n"), bytes.Repeat([]byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa terminated, terminating\n"), 9), uint8(0), false)
	f.Add([]byte("error\x01warn\x01fatal\n"), bytes.Repeat([]byte("an error\n\nwarning\nFATAL\n"), 9), uint8(1), true)
	f.Add([]byte("09\x01..\x0109\x00"), bytes.Repeat([]byte("at 10.0.0.1\x00port 22\x00"), 9), uint8(2), false)
	f.Fuzz(func(t *testing.T, list, text []byte, kind uint8, fold bool) {
		if len(list) < 2 || len(text) > 4096 {
			return
		}
		term, list := list[len(list)-1], list[:len(list)-1]
		parts := bytes.Split(list, []byte{1})
		if other := term ^ 0x20; kind%3 != 2 && (bytes.IndexByte(list, term) >= 0 || fold && bytes.IndexByte(list, other) >= 0) {
			return // what is looked for holds no terminator
		}
		var searches []linesOf
		switch kind % 3 {
		case 0:
			searches = append(searches, finderLines(list, fold))
			if len(list) >= 3 {
				if needle, lo, hi := bounded(list); term < lo || term > hi {
					searches = append(searches, beforeLines(needle, fold, lo, hi))
				}
			}
		case 1:
			for i := range forms {
				if s, ok := newSet(parts, fold, forms[i:i+1], math.MaxFloat64); ok {
					searches = append(searches, setLines(s, parts, fold))
				}
			}
		case 2:
			var classes []Class
			for _, ranges := range parts {
				var c Class
				for i := 0; i+1 < len(ranges); i += 2 {
					c.Add(ranges[i], ranges[i+1])
				}
				c[term>>6] &^= 1 << (term & 63)
				classes = append(classes, c)
			}
			if _, ok := NewWindow(classes); ok {
				searches = append(searches, windowLines(t, classes))
			}
		}
		var b Batch
		for _, l := range searches {
			for _, pure := range []bool{false, true} {
				before := SetPure(pure)
				l.check(t, &b, text, 0, term)
				SetPure(before)
			}
		}
	})
}
