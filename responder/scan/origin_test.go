package scan

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// tenfold is the Origin of a text: the line at off is of the time 10·off, number 100·off, offset
// 1000·off. It fails the test if it is asked for what was released.
type tenfold struct {
	t        *testing.T
	released int64
	known    int64 // up to where it knows lines; 0: all
}

func (o *tenfold) Line(off int64) (ns, number, offset int64, ok bool) {
	if off < o.released {
		o.t.Errorf("asked for byte %d, and %d was released", off, o.released)
	}
	return 10 * off, 100 * off, 1000 * off, o.known == 0 || off < o.known
}

func (o *tenfold) Release(off int64) { o.released = max(o.released, off) }

func TestOrigin(t *testing.T) {
	o := lines()
	o.geometry = geometry{window: 64, block: 64, segment: 256}
	o.Times, o.Numbers, o.Offsets = true, true, true
	o.NewClock = func(int) Clock { return nil }
	o.Before, o.Since, o.Until = 1, 20, 10*4000
	text := strings.Repeat("abcdefgh\nx\n", 1000) // x at 9, 20, 31 …
	type place struct{ number, offset, ns int64 }
	for name, cut := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "bytes": iotest.OneByteReader,
	} {
		origin := &tenfold{t: t}
		in := Input{Name: "f", Open: func() (File, error) {
			return File{Stream: cut(strings.NewReader(text)), Origin: origin}, nil
		}}
		var got []place
		_, err := Run(t.Context(), []Input{in}, matching("x", '\n'), o, func(b *Batch) error {
			for i := range b.Numbers {
				got = append(got, place{b.Numbers[i], b.Offsets[i], b.Times[i]})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var want []place
		for off := int64(0); off < 4000; off += 11 {
			for _, at := range []int64{off, off + 9} {
				if off+9 < 4000 {
					want = append(want, place{100 * at, 1000 * at, 10 * at})
				}
			}
		}
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("%s, row %d of %d: %v, want %v of %d", name, i, len(got), got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))], len(want))
			}
		}
		if origin.released < int64(len(text))-200 {
			t.Errorf("%s: released up to %d of %d", name, origin.released, len(text))
		}
	}
}

// A line whose origin is not known any more is an error of the file.
func TestOriginIsLost(t *testing.T) {
	o := lines()
	o.Numbers = true
	in := Input{Name: "f", Open: func() (File, error) {
		return File{Stream: bytes.NewReader([]byte("x\nx\n")), Origin: &tenfold{t: t, known: 1}}, nil
	}}
	got, stats := record(t, []Input{in}, matching("x", '\n'), o)
	if stats.Errors != 1 || !strings.Contains(got, "line at byte 2") {
		t.Errorf("%q, %+v", got, stats)
	}
}
