package archive

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// survey reads an archive with a Survey.
func survey(data []byte, kind Kind, piece int) (content []byte, points []Point, err error) {
	s := NewSurvey(bytes.NewReader(data), int64(len(data)), kind, Limits{})
	s.Every = 1 << 20
	defer s.Close()
	p := make([]byte, piece)
	for err == nil {
		var n int
		n, err = s.Read(p)
		content = append(content, p[:n]...)
		points = append(points, s.Points()...)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return content, points, err
}

// before gives the last point at an offset or before it.
func before(points []Point) func(int64) (Point, error) {
	return func(out int64) (Point, error) {
		i := sort.Search(len(points), func(i int) bool { return points[i].Out > out })
		if i == 0 {
			return Point{}, nil
		}
		return points[i-1], nil
	}
}

// deflated packs text by a level of deflate in some members, flushed here and there, with names.
func deflated(r *rand.Rand, text []byte) []byte {
	var out bytes.Buffer
	for len(text) > 0 {
		member := text[:1+r.IntN(len(text))]
		text = text[len(member):]
		levels := []int{flate.HuffmanOnly, 0, 1, 5, 6, 9}
		z, _ := gzip.NewWriterLevel(&out, levels[r.IntN(len(levels))])
		z.Name = []string{"", "app.log"}[r.IntN(2)]
		for len(member) > 0 {
			n := min(len(member), 1+r.IntN(600_000))
			z.Write(member[:n])
			if member = member[n:]; r.IntN(3) == 0 {
				z.Flush()
			}
		}
		z.Close()
	}
	return out.Bytes()
}

// framed packs text in frames, with some to be skipped.
func framed(r *rand.Rand, text []byte) []byte {
	var out []byte
	levels := []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault}
	for len(text) > 0 {
		n := min(len(text), 1+r.IntN(700_000))
		z, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(levels[r.IntN(2)]),
			zstd.WithEncoderCRC(r.IntN(2) == 0), zstd.WithSingleSegment(r.IntN(2) == 0), zstd.WithWindowSize(1<<17))
		out = z.EncodeAll(text[:n], out)
		if text = text[n:]; r.IntN(3) == 0 {
			out = append(out, "\x5e\x2a\x4d\x18\x03\x00\x00\x00abc"...)
		}
	}
	return out
}

// A Survey gives what a Reader gives, and a Content reads the same from any place.
func TestContentFromPoints(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	want := text(45_000)
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	want = append(want, noise...)
	for name, tt := range map[string]struct {
		kind   Kind
		data   []byte
		points int // at least
	}{
		"members": {Gzip, deflated(r, want), 3},
		"gzip":    {Gzip, compress(t, []string{"gzip", "-6"}, want), 3},
		"frames":  {Zstd, framed(r, want), 3},
		"zstd":    {Zstd, compress(t, []string{"zstd", "-q", "--zstd=wlog=17"}, want), 0},
		"xz":      {XZ, compress(t, []string{"xz", "--lzma2=dict=64KiB"}, want), 0},
		"bzip2":   {Bzip2, compress(t, []string{"bzip2", "-1"}, want), 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, points, err := survey(tt.data, tt.kind, 50_001)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("a survey read %d bytes of %d, %v", len(got), len(want), err)
			}
			if len(points) < tt.points {
				t.Errorf("only %d points", len(points))
			}
			c := NewContent(t.Context(), bytes.NewReader(tt.data), int64(len(tt.data)), tt.kind, Limits{}, NewGate(1), int64(len(want)), before(points))
			defer c.Close()
			checked := 0
			c.Check = func(off int64, p []byte) {
				if checked += len(p); !bytes.Equal(p, want[off:off+int64(len(p))]) {
					t.Errorf("%d bytes at %d are told to be others", len(p), off)
				}
			}
			reads := 30
			if len(points) == 0 {
				reads = 4
			}
			for range reads {
				off := r.IntN(len(want))
				p := make([]byte, 1+r.IntN(90_000))
				n, err := c.ReadAt(p, int64(off))
				if k := min(len(p), len(want)-off); n != k || !bytes.Equal(p[:n], want[off:off+k]) || err != nil && err != io.EOF {
					t.Fatalf("at %d: %d bytes of %d, %v", off, n, k, err)
				}
			}
			for off := len(want) - 400_000; off > 0 && off > len(want)-2_000_000; off -= 32 << 10 { // as a look back does
				p := make([]byte, 32<<10)
				if _, err := c.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, want[off:off+len(p)]) {
					t.Fatalf("back at %d: %v", off, err)
				}
			}
			if int64(checked) != c.Unpacked() {
				t.Errorf("of %d bytes that were decompressed, %d were told", c.Unpacked(), checked)
			}
		})
	}
}

// What a Reader refuses a Survey does, whatever byte is wrong or missing: else an index would hide it.
func TestSurveyRefusesWhatIsDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	want := text(3000)
	for name, tt := range map[string]struct {
		kind Kind
		data []byte
	}{
		"gzip": {Gzip, deflated(r, want)}, "zstd": {Zstd, framed(r, want)},
	} {
		t.Run(name, func(t *testing.T) {
			refused := 0
			for range 300 {
				data := bytes.Clone(tt.data)
				switch r.IntN(4) {
				case 0:
					data = data[:r.IntN(len(data))]
				case 1:
					data = append(data, make([]byte, r.IntN(20))...)
					if r.IntN(2) == 0 {
						data = append(data, "more"...)
					}
				default:
					data[r.IntN(len(data))] ^= 1 << r.IntN(8)
				}
				if Detect(data[:min(len(data), HeadSize)]) != tt.kind {
					continue
				}
				content, _, err := survey(data, tt.kind, 70_000)
				a := Open(bytes.NewReader(data), int64(len(data)), tt.kind, Limits{}, nil)
				read, readErr := io.ReadAll(a)
				a.Close()
				if (err == nil) != (readErr == nil) || err == nil && !bytes.Equal(content, read) {
					t.Fatalf("survey: %d bytes, %v; reader: %d bytes, %v", len(content), err, len(read), readErr)
				}
				if err != nil {
					refused++
				}
			}
			if refused < 100 {
				t.Errorf("only %d were refused", refused)
			}
		})
	}
}

func FuzzSurvey(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	f.Add(deflated(r, text(20)))
	f.Add(framed(r, text(20)))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x05\xe0\x81\x08\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		kind := Detect(data[:min(len(data), HeadSize)])
		if kind != Gzip && kind != Zstd {
			return
		}
		limits := Limits{Window: 8 << 20, Output: 4 << 20}
		a := Open(bytes.NewReader(data), int64(len(data)), kind, limits, nil)
		defer a.Close()
		want, readErr := io.ReadAll(a)
		s := NewSurvey(bytes.NewReader(data), int64(len(data)), kind, limits)
		defer s.Close()
		got, err := io.ReadAll(s)
		if (err == nil) != (readErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("survey: %d bytes, %v; reader: %d bytes, %v", len(got), err, len(want), readErr)
		}
	})
}

func BenchmarkSurvey(b *testing.B) {
	data := text(200_000)
	for _, tool := range [][]string{{"gzip", "-6"}, {"zstd", "-q"}} {
		kind := Gzip
		if tool[0] == "zstd" {
			kind = Zstd
		}
		packed := compress(b, tool, data)
		b.Run(fmt.Sprint(tool[0], "/survey"), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for range b.N {
				s := NewSurvey(bytes.NewReader(packed), int64(len(packed)), kind, Limits{})
				if _, err := io.Copy(io.Discard, s); err != nil {
					b.Fatal(err)
				}
				windows := 0
				for _, p := range s.Points() {
					windows += len(p.Window)
				}
				b.ReportMetric(float64(windows)/float64(len(data))*100, "windows-%")
				s.Close()
			}
		})
		b.Run(fmt.Sprint(tool[0], "/reader"), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for range b.N {
				a := Open(bytes.NewReader(packed), int64(len(packed)), kind, Limits{}, nil)
				if _, err := io.Copy(io.Discard, a); err != nil {
					b.Fatal(err)
				}
				a.Close()
			}
		})
	}
}
