package block

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/trawl-logs/trawl/responder/match"
)

// packedIndex builds the index of an archive whose content is data, with a point behind each block.
func packedIndex(t *testing.T, dir string, archive, data []byte, s State, o Options) *Index {
	t.Helper()
	f := File{Dev: 0xfd00, Ino: 777, Service: "shop", Form: 7, Packed: true}
	if err := f.Fingerprint(bytes.NewReader(archive), int64(len(archive))); err != nil {
		t.Fatal(err)
	}
	x, err := Create(dir, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	b, err := NewBuilder(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Start(x, s, clock)
	for at := 0; at < len(data); at += 100 {
		if err := b.Feed(data[at:min(at+100, len(data))]); err != nil {
			t.Fatal(err)
		}
		if end, _ := x.End(); end > 0 && (len(x.points) == 0 || end > x.points[len(x.points)-1].out) {
			if err := x.AddPoint(Point{Out: end, Bit: end * 3, Window: bytes.Repeat([]byte{byte(end)}, int(end%200))}); err != nil {
				t.Fatal(err)
			}
		}
	}
	end, lines := x.End()
	if rest := data[end:]; len(rest) > 0 {
		if b, err = NewBuilder(o.Rest(rest)); err != nil {
			t.Fatal(err)
		}
		b.Start(x, s, clock)
		if err := b.Feed(rest); err != nil {
			t.Fatal(err)
		}
		if lines, err = b.End(); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Complete(Content{Size: int64(len(data)), Lines: lines, Longest: 99, Untimed: 5, Rules: 3, Head: data[:100]}, bytes.NewReader(archive), s); err != nil {
		t.Fatal(err)
	}
	return x
}

// What version 3 wrote is read, and what is written of an archive now is version 3; what version 2 wrote is made anew.
func TestPackedFixture(t *testing.T) {
	data, err := os.ReadFile("testdata/v1.log")
	if err != nil {
		t.Fatal(err)
	}
	data = data[:len(data)-1] // the last line has no end
	archive := bytes.Repeat([]byte("not looked into "), 300)
	state := State{Size: int64(len(archive)), ModTime: 1e18, Changed: 1e18 + 1}
	dir := t.TempDir()
	packedIndex(t, dir, archive, data, state, crashOptions)
	name := filepath.Join(dir, Name(0xfd00, 777))
	written, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/v3.blocks", written, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile("testdata/v3.blocks")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(golden, written) {
		t.Error("the index of an archive is not written as the fixture is: a change of the format needs a version")
	}
	if err := os.WriteFile(name, golden, 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := Open(dir, 0xfd00, 777)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	c := x.Content()
	if !x.File().Packed || c == nil || c.Size != int64(len(data)) || c.Lines != int64(bytes.Count(data, []byte("\n"))+1) ||
		c.Longest != 99 || c.Untimed != 5 || c.Rules != 3 || !bytes.Equal(c.Head, data[:100]) {
		t.Fatalf("content %+v", c)
	}
	first := x.Blocks()[0].To
	for out, want := range map[int64]int64{0: 0, first - 1: 0, first: first, first + 1: first} {
		if p, err := x.PointBefore(out); err != nil || p.Out != want || p.Bit != want*3 || want > 0 && len(p.Window) != int(want%200) {
			t.Errorf("point before %d: %+v, %v", out, p, err)
		}
	}
	for _, p := range []string{"shop-3", "ſong", "fffe", "nowhere"} {
		same(t, x, data, match.Spec{Patterns: []string{p}, Terminator: '\n', IgnoreCase: true})
	}
	v2, err := os.ReadFile("testdata/v2.blocks")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, v2, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, 0xfd00, 777); !errors.Is(err, ErrForeign) {
		t.Errorf("version 2: %v", err)
	}
	other := slices.Clone(archive)
	other[len(other)/2] ^= 1
	for _, tt := range []struct {
		archive []byte
		change  func(s *State)
		want    Verdict
	}{
		{archive, func(*State) {}, Fresh},
		{archive, func(s *State) { s.ModTime++ }, Stale},
		{archive, func(s *State) { s.Size++ }, Stale},
		{other, func(s *State) { s.Changed++ }, Stale},
		{archive, func(s *State) { s.Changed++ }, Fresh}, // renamed
	} {
		s := state
		tt.change(&s)
		if v, err := x.Check(bytes.NewReader(tt.archive), s); v != tt.want || err != nil {
			t.Errorf("%+v: %v, %v; want %v", s, v, err, tt.want)
		}
	}
}

// All of an archive is in its blocks, whatever its lines; and nothing that matches is left out.
func TestPackedIsExhaustive(t *testing.T) {
	blocks, kept, strips := 0, 0, 0
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 9))
		var lines [][]byte
		for range 1 + r.IntN(700) {
			lines = append(lines, randomLine(r))
		}
		data := bytes.Join(lines, nil)
		if r.IntN(2) == 0 && len(data) > 100 {
			data = bytes.TrimSuffix(data, []byte("\n"))
		}
		if len(data) < 100 {
			continue
		}
		o := Options{Strips: 64, StripLines: 1 + r.IntN(4), RowsPerKey: 2, Common: 0.4}
		x := packedIndex(t, t.TempDir(), data, data, State{Size: int64(len(data))}, o)
		if end, _ := x.End(); end != int64(len(data)) {
			t.Fatalf("seed %d: indexed to %d of %d", seed, end, len(data))
		}
		for range 30 {
			counts := same(t, x, data, randomSpec(r, lines))
			blocks, kept, strips = blocks+counts.Blocks, kept+counts.Kept, strips+counts.Strips
		}
		err := x.Verify(context.Background(), bytes.NewReader(data), func(b Block, err error) bool {
			if err != nil {
				t.Errorf("seed %d: block at %d: %v", seed, b.From, err)
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if blocks < 1000 || kept > strips/2 {
		t.Errorf("%d blocks, of %d strips %d were kept", blocks, strips, kept)
	}
}

// What differs from what was indexed is found as soon as its strip was taken from the start to the end, wherever
// decompression began and in whatever pieces it comes; what was not changed never differs.
func TestChecker(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	var data []byte
	for range 700 {
		data = append(data, randomLine(r)...)
	}
	x := packedIndex(t, t.TempDir(), data, data, State{Size: int64(len(data))}, Options{Strips: 64, StripLines: 3, RowsPerKey: 2, Common: 0.4})
	if n := len(x.Blocks()); n != 4 { // the last one of other strips
		t.Fatalf("%d blocks", n)
	}
	noticed := 0
	for i := range 3000 {
		wrong := slices.Clone(data)
		at := r.IntN(len(data))
		if i%3 > 0 {
			wrong[at] ^= 1 << r.IntN(8)
		}
		from := int(x.Blocks()[r.IntN(4)].From) + r.IntN(2)*r.IntN(500)
		to := min(from+r.IntN(len(data)/2), len(data))
		c := x.Checker()
		var err error
		if r.IntN(2) == 0 { // another place first
			err = c.Take(int64(r.IntN(from+1)), nil)
		}
		for off := from; off < to && err == nil; {
			n := min(1+r.IntN(9000), to-off)
			err = c.Take(int64(off), wrong[off:off+n])
			off += n
		}
		whole := i%3 > 0 && stripWithin(t, x, int64(at), int64(from), int64(to))
		if whole != errors.Is(err, ErrDiffers) || !whole && err != nil {
			t.Fatalf("%d: byte %d, taken from %d to %d: %v", i, at, from, to, err)
		}
		if whole {
			noticed++
		}
	}
	if noticed < 200 {
		t.Errorf("%d changes were to be noticed", noticed)
	}
}

// stripWithin says whether the strip that an offset is in lies within a range.
func stripWithin(t *testing.T, x *Index, at, from, to int64) bool {
	t.Helper()
	c := x.Checker()
	c.at = at
	if ok, err := c.open(); err != nil || !ok {
		t.Fatalf("no block at %d: %v", at, err)
	}
	_, start, end := c.strip()
	if start > at || end <= at {
		t.Fatalf("%d is in the strip from %d to %d", at, start, end)
	}
	return from <= start && end <= to
}

// An index of an archive that was cut anywhere, or written wrong, is not complete, or what it was.
func TestPackedDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	var data []byte
	for range 300 {
		data = append(data, randomLine(r)...)
	}
	dir := t.TempDir()
	packedIndex(t, dir, data, data, State{Size: int64(len(data))}, crashOptions)
	name := filepath.Join(dir, Name(0xfd00, 777))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range 400 {
		p := slices.Clone(whole)
		if i%2 == 0 {
			p = p[:r.IntN(len(p))]
		} else {
			p[r.IntN(len(p))] ^= 1 << r.IntN(8)
		}
		if err := os.WriteFile(name, p, 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := Open(dir, 0xfd00, 777)
		if err != nil || x.Content() == nil {
			if err == nil {
				x.Close()
			}
			refused++
			continue
		}
		for _, b := range x.Blocks() {
			if p, err := x.PointBefore(b.To); err != nil && !errors.Is(err, ErrDamaged) || err == nil && p.Out > 0 && p.Bit != p.Out*3 {
				t.Fatalf("point %+v, %v", p, err)
			}
		}
		same(t, x, data, randomSpec(r, bytes.SplitAfter(data, []byte("\n"))[:300]))
		x.Close()
	}
	if refused < 200 || refused == 400 {
		t.Errorf("%d of 400 were refused", refused)
	}
}
