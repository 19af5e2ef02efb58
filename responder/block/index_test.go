package block

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/match"
)

var update = flag.Bool("update", false, "write the fixture of this version")

// fixture makes the index that testdata/v1.blocks is.
func fixture(t *testing.T, dir string) (*Index, []byte) {
	t.Helper()
	data, err := os.ReadFile("testdata/v1.log")
	if err != nil {
		t.Fatal(err)
	}
	f := File{Dev: 0xfd00, Ino: 12345, Service: "shop", Form: 7}
	if err := f.Fingerprint(bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
	x, err := Create(dir, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	b, err := NewBuilder(crashOptions)
	if err != nil {
		t.Fatal(err)
	}
	b.Start(x, State{Size: int64(len(data)), ModTime: 1e18, Changed: 1e18 + 1}, clock)
	if err := b.Feed(data); err != nil {
		t.Fatal(err)
	}
	return x, data
}

// clock reads the times of the fixture's lines; continuations have none.
func clock(line []byte) (int64, bool) {
	t, err := time.Parse(time.DateTime, string(line[:min(len(line), len(time.DateTime))]))
	return t.UnixNano(), err == nil
}

// What version 1 wrote is read, and what is written now is version 1.
func TestFixture(t *testing.T) {
	dir := t.TempDir()
	_, data := fixture(t, dir)
	name := filepath.Join(dir, Name(0xfd00, 12345))
	written, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/v1.blocks", written, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile("testdata/v1.blocks")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(golden, written) {
		t.Error("an index is not written as the fixture is: a change of the format needs a version")
	}
	if err := os.WriteFile(name, golden, 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := Open(dir, 0xfd00, 12345)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if f := x.File(); f.Service != "shop" || f.Form != 7 || f.HeadBytes != 4096 {
		t.Errorf("file %+v", f)
	}
	blocks := x.Blocks()
	if len(blocks) != 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	day := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for i, want := range []struct{ first, last time.Time }{{day, day.Add(63 * time.Second)}, {day.Add(64 * time.Second), day.Add(127 * time.Second)}} {
		b := blocks[i]
		if b.FirstLine != int64(64*i) || b.Lines != 64 || !b.Timed || b.MinTime != want.first.UnixNano() || b.MaxTime != want.last.UnixNano() {
			t.Errorf("block %+v", b)
		}
	}
	for _, p := range []string{"shop-3", "ſong", "fffe", "nowhere"} {
		same(t, x, data, match.Spec{Patterns: []string{p}, Terminator: '\n', IgnoreCase: true})
	}
	var verdict Verdict
	if verdict, err = x.Check(bytes.NewReader(data), State{int64(len(data)), 1e18, 1e18 + 1}); verdict != Fresh || err != nil {
		t.Errorf("%v %v", verdict, err)
	}
}

// An index of another version, or file, or none at all, is not opened.
func TestForeign(t *testing.T) {
	dir := t.TempDir()
	fixture(t, dir)
	name := filepath.Join(dir, Name(0xfd00, 12345))
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	put := func(ino uint64, p []byte) {
		if err := os.WriteFile(filepath.Join(dir, Name(0xfd00, ino)), p, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := slices.Clone(good)
	other[8] = packed + 1
	put(1, other)
	put(2, good)
	put(3, nil)
	put(4, good[:100])
	for ino, want := range map[uint64]error{1: ErrForeign, 2: ErrForeign, 3: ErrDamaged, 4: ErrDamaged, 5: fs.ErrNotExist} {
		if x, err := Open(dir, 0xfd00, ino); !errors.Is(err, want) {
			t.Errorf("inode %d: %v %v, want %v", ino, x, err, want)
		}
	}
}

// Whatever happens to an index's bytes, no line is lost.
func TestDamageIsHarmless(t *testing.T) {
	dir := t.TempDir()
	x, data := fixture(t, dir)
	name := filepath.Join(dir, Name(0xfd00, 12345))
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	specs := []match.Spec{
		{Patterns: []string{"shop-3"}, Terminator: '\n'}, {Patterns: []string{"request 1[0-9a-f]+ served|ſONG"}, Terminator: '\n', IgnoreCase: true},
		{Patterns: []string{"2026-11-22 10:01:2"}, Terminator: '\n'},
	}
	r := rand.New(rand.NewPCG(1, 2))
	noticed := 0
	for i := range 200 {
		bad := slices.Clone(good)
		switch i % 4 {
		case 0:
			bad = bad[:r.IntN(len(bad))]
		case 1: // as a lost write leaves it
			at := r.IntN(len(bad))
			clear(bad[at:min(at+512, len(bad))])
		default:
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
		}
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		y, err := Open(dir, 0xfd00, 12345)
		if err != nil {
			noticed++
			continue
		}
		damaged := len(y.Blocks()) < len(x.Blocks())
		for _, s := range specs {
			damaged = same(t, y, data, s).Damaged > 0 || damaged
		}
		err = y.Verify(context.Background(), bytes.NewReader(data), func(_ Block, err error) bool {
			damaged = err != nil || damaged
			return true
		})
		if err != nil {
			t.Error(err)
		}
		if damaged || bytes.Equal(bad, good) {
			noticed++
		}
		y.Close()
	}
	if noticed < 198 { // a bit of an unknown use may be flipped in the header's padding, and the sum notices that too
		t.Errorf("%d of 200 damages were noticed", noticed)
	}
}

// As a file grows, so does its index; each block once, wherever the pieces end.
func TestGrowth(t *testing.T) {
	data := crashLog()
	x := indexed(t, data[:5000], crashOptions, 700)
	whole := indexed(t, data, crashOptions, len(data))
	for end := 5000; end < len(data); end += 333 {
		b := extend(t, x, data[:end], crashOptions, 100)
		if due, have := b.Due(), int64(end); due < have || len(x.Blocks()) < 3 && due > have+6000 {
			t.Errorf("at %d: due at %d", have, due)
		}
		same(t, x, data[:end], match.Spec{Patterns: []string{"shop-5"}, Terminator: '\n'})
	}
	extend(t, x, data, crashOptions, 100)
	a, b := x.Blocks(), whole.Blocks()
	if len(a) != 3 || len(b) != 3 {
		t.Fatalf("%d and %d blocks", len(a), len(b))
	}
	for i := range a {
		if a[i].From != b[i].From || a[i].To != b[i].To || a[i].Content != b[i].Content || a[i].FirstLine != b[i].FirstLine {
			t.Errorf("block %+v, not %+v", a[i], b[i])
		}
	}
	sound(t, x, data)
}

// Blocks are left out by their times, if they speak of the same form of time.
func TestWalkByTime(t *testing.T) {
	x, data := fixture(t, t.TempDir())
	day := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).UnixNano()
	blocks := x.Blocks()
	size := int64(len(data))
	for _, c := range []struct {
		q    Query
		from int64
		read int64
	}{
		{Query{Since: NoTime, Until: NoTime, Form: 7}, 0, size},
		{Query{Since: day + 64e9, Until: NoTime, Form: 7}, blocks[1].From, size - blocks[1].From},
		{Query{Since: day + 63e9, Until: NoTime, Form: 7}, 0, size},
		{Query{Since: NoTime, Until: day + 64e9, Form: 7}, 0, blocks[0].To + size - blocks[1].To},
		{Query{Since: day + 1000e9, Until: NoTime, Form: 7}, blocks[1].To, size - blocks[1].To},
		{Query{Since: day + 1000e9, Until: NoTime, Form: 8}, 0, size},
	} {
		first := int64(-1)
		counts, err := x.Walk(c.q, size, func(r Range) bool {
			if first < 0 {
				first = r.From
			}
			return true
		})
		if err != nil || first != c.from || counts.Read != c.read {
			t.Errorf("%+v: from %d, %+v, %v; want from %d, %d bytes", c.q, first, counts, err, c.from, c.read)
		}
	}
}

// Lines before the first time of a file have none that is known; later ones without belong to those above.
func TestTimesOfBlocks(t *testing.T) {
	var data []byte
	for i := range 200 {
		if i == 0 || i%3 == 0 && i > 60 {
			data = append(data, "  at some.place(File:1)\n"...)
		} else {
			data = fmt.Appendf(data, "2026-11-22 10:%02d:%02d line\n", i/60, i%60)
		}
	}
	for _, piece := range []int{7, 100, len(data)} {
		x := indexed(t, nil, crashOptions, 1)
		b, err := NewBuilder(crashOptions)
		if err != nil {
			t.Fatal(err)
		}
		b.Start(x, State{}, clock)
		for p := range slices.Chunk(data, piece) {
			if err := b.Feed(p); err != nil {
				t.Fatal(err)
			}
		}
		blocks := x.Blocks()
		if len(blocks) != 3 || blocks[0].Timed || !blocks[1].Timed || !blocks[2].Timed {
			t.Fatalf("pieces of %d: %+v", piece, blocks)
		}
		day := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).UnixNano()
		if min, max := blocks[1].MinTime-day, blocks[1].MaxTime-day; min != 64e9 || max != 127e9 {
			t.Errorf("pieces of %d: times from %d to %d", piece, min, max)
		}
	}
}

// Indexes are listed the oldest first; halves of some are removed.
func TestList(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		x, err := Create(dir, File{Dev: 1, Ino: uint64(i)})
		if err != nil {
			t.Fatal(err)
		}
		x.Close()
		when := time.Unix(int64(1000-i), 0)
		if err := os.Chtimes(filepath.Join(dir, Name(1, uint64(i))), when, when); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"other.txt", Name(1, 9) + suffixTmp} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 5000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := List(dir)
	if err != nil || len(list) != 4 {
		t.Fatalf("%+v %v", list, err)
	}
	for i, x := range list {
		if x.Dev != 1 || x.Ino != uint64(3-i) || x.Bytes != headerBytes || !x.ModTime.Equal(time.Unix(int64(997+i), 0)) {
			t.Errorf("%d: %+v", i, x)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 5 {
		t.Errorf("%v %v", left, err)
	}
}

func FuzzOpen(f *testing.F) {
	good, err := os.ReadFile("testdata/v1.blocks")
	if err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile("testdata/v1.log")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:headerBytes])
	archive, err := os.ReadFile("testdata/v3.blocks")
	if err != nil {
		f.Fatal(err)
	}
	binary.LittleEndian.PutUint64(archive[24:], 12345) // for Open to find it
	archive = append(appendSum(archive[:headerBytes-sumBytes:headerBytes-sumBytes], 0), archive[headerBytes:]...)
	f.Add(archive)
	f.Fuzz(func(t *testing.T, p []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, Name(0xfd00, 12345)), p, 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := Open(dir, 0xfd00, 12345)
		if err != nil {
			return
		}
		defer x.Close()
		for _, b := range x.Blocks() {
			if b.To > int64(len(data)) {
				return
			}
			_, _ = x.PointBefore(b.To) // whatever it is
		}
		q := Query{Filter: NewFilter([][][][]byte{{{[]byte("shop-3")}}}, true), Since: NoTime, Until: NoTime}
		if _, err := x.Walk(q, int64(len(data)), func(Range) bool { return true }); err != nil {
			t.Error(err)
		}
	})
}

// A search sees the blocks that are whole, while others are appended.
func TestWalkWhileBuilding(t *testing.T) {
	data := crashLog()
	x := indexed(t, data[:4000], crashOptions, 4000)
	p, err := match.Compile(match.Spec{Patterns: []string{"shop-5"}, Terminator: '\n'})
	if err != nil {
		t.Fatal(err)
	}
	needs := p.Needs()
	q := Query{Filter: NewFilter(needs.Any, needs.Plain), Since: NoTime, Until: NoTime}
	want := found(p, data, []Range{{0, int64(len(data)), 0}})
	done := make(chan error)
	go func() {
		var err error
		for range 50 {
			var ranges []Range
			_, err = x.Walk(q, int64(len(data)), func(r Range) bool { ranges = append(ranges, r); return true })
			if got := found(p, data, ranges); err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("found %q, not %q", got, want)
			}
			if err != nil {
				break
			}
		}
		done <- err
	}()
	extend(t, x, data, crashOptions, 10)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
