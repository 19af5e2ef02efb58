package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"github.com/trawl-logs/trawl/needs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// text is like a log, of so many lines.
func text(lines int) []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(1, 2))
	for i := range lines {
		fmt.Fprintf(&b, "2026-01-01T00:%02d:%02d.%03dZ level=%s id=%08x request %d handled in %d ms\n",
			i/60%60, i%60, r.IntN(1000), []string{"info", "warn", "error"}[r.IntN(3)], r.Uint32(), i, r.IntN(900))
	}
	return b.Bytes()
}

// tools compress standard input; each is the format's own tool, with the options that change the
// shape of what it writes.
var tools = map[Kind][][]string{
	Gzip:  {{"gzip", "-1"}, {"gzip", "-9"}},
	Zstd:  {{"zstd", "-q"}, {"zstd", "-q", "-19", "--no-check"}, {"zstd", "-q", "--long=24"}},
	XZ:    {{"xz"}, {"xz", "-0", "--check=crc32"}, {"xz", "-9", "--check=sha256"}, {"xz", "--check=none", "-T2", "--block-size=100000"}, {"xz", "--lzma2=preset=1,lc=2,lp=2,pb=0"}},
	Bzip2: {{"bzip2", "-1"}, {"bzip2", "-9"}},
}

// small are the tools for tests that open an archive again and again: their decoders allocate little.
var small = map[Kind][][]string{
	Gzip:  {{"gzip", "-9"}},
	Zstd:  {{"zstd", "-q", "--zstd=wlog=17"}, {"zstd", "-q", "-19", "--zstd=wlog=17", "--no-check"}},
	XZ:    {{"xz", "--lzma2=dict=64KiB"}, {"xz", "--check=sha256", "--lzma2=preset=0,dict=64KiB"}, {"xz", "--check=none", "-T2", "--block-size=100000", "--lzma2=dict=64KiB"}},
	Bzip2: {{"bzip2", "-1"}},
}

func needTool(t testing.TB, tool string) {
	t.Helper()
	debian := tool
	if tool == "xz" {
		debian = "xz-utils"
	}
	needs.Tool(t, tool, debian)
}

func compress(t testing.TB, tool []string, data []byte) []byte {
	t.Helper()
	needTool(t, tool[0])
	c := exec.Command(tool[0], append(tool[1:len(tool):len(tool)], "-c")...)
	c.Stdin = bytes.NewReader(data)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v", tool, err)
	}
	return out
}

func eachTool(t *testing.T, tools map[Kind][][]string, f func(t *testing.T, k Kind, tool []string)) {
	for k, all := range tools {
		for _, tool := range all {
			t.Run(strings.Join(tool, ""), func(t *testing.T) { f(t, k, tool) })
		}
	}
}

// limits are those of a responder, small.
var limits = Limits{Window: 64 << 20, Ratio: 1000, Output: 1 << 30}

func read(t testing.TB, k Kind, data []byte) ([]byte, error) {
	t.Helper()
	a := Open(bytes.NewReader(data), int64(len(data)), k, limits, nil)
	defer a.Close()
	out, err := io.ReadAll(a)
	if n, all := a.Total(); n != int64(len(out)) || all != (err == nil) {
		t.Errorf("Total says %d, %v; %d were read, %v", n, all, len(out), err)
	}
	return out, err
}

func TestTools(t *testing.T) {
	eachTool(t, tools, func(t *testing.T, k Kind, tool []string) {
		for _, n := range []int{0, 1, 100, 3000} {
			want := text(n)
			data := compress(t, tool, want)
			if got := Detect(data[:min(len(data), HeadSize)]); got != k {
				t.Errorf("%d lines: Detect says %v", n, got)
			}
			got, err := read(t, k, data)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d lines: %d bytes of %d, %v", n, len(got), len(want), err)
			}
			if size, ok := Size(bytes.NewReader(data), int64(len(data)), k); ok && size != int64(len(want)) || !ok && n > 0 && (k == Gzip || k == XZ) {
				t.Errorf("%d lines: Size says %d, %v of %d", n, size, ok, len(want))
			}
		}
	})
}

// What does not compress is stored, in all formats.
func TestStored(t *testing.T) {
	noise := make([]byte, 150_000)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	mixed := append(append(text(1500), noise...), text(1500)...)
	eachTool(t, tools, func(t *testing.T, k Kind, tool []string) {
		if got, err := read(t, k, compress(t, tool, mixed)); err != nil || !bytes.Equal(got, mixed) {
			t.Errorf("%d bytes of %d, %v", len(got), len(mixed), err)
		}
	})
}

func TestSeveralInOneFile(t *testing.T) {
	zeros := make([]byte, 512)
	skip := []byte("\x53\x2a\x4d\x18\x05\x00\x00\x00hello")
	eachTool(t, tools, func(t *testing.T, k Kind, tool []string) {
		a, b := text(2000), text(500)
		one, two, none := compress(t, tool, a), compress(t, tool, b), compress(t, tool, nil)
		want := append(bytes.Clone(a), b...)
		data := bytes.Join([][]byte{one, none, two}, nil)
		if k == Zstd {
			data = bytes.Join([][]byte{skip, one, skip, none, two, skip}, nil)
			if Detect(data[:HeadSize]) != Zstd {
				t.Error("a frame to skip comes first: not detected")
			}
		}
		if k == XZ {
			data = bytes.Join([][]byte{one, zeros[:8], none, two, zeros}, nil)
		}
		if k == Gzip {
			data = append(data, zeros...)
		}
		if got, err := read(t, k, data); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
		}
		if size, ok := Size(bytes.NewReader(data), int64(len(data)), k); ok && k == XZ {
			t.Errorf("Size says %d of several streams", size)
		}
		for _, trash := range []string{"not an archive", "\x00\x00\x00\x00\x00more"} {
			got, err := read(t, k, append(bytes.Clone(one), trash...))
			var damage *DamagedError
			if !errors.As(err, &damage) || !bytes.Equal(got, a) || damage.After != int64(len(a)) {
				t.Errorf("with %q after it: %d bytes of %d, %v", trash, len(got), len(a), err)
			}
		}
	})
}

// Of a file that is cut short at any byte, what is delivered is the start of the content, then comes
// an error that says so.
func TestCutShort(t *testing.T) {
	eachTool(t, small, func(t *testing.T, k Kind, tool []string) {
		want := text(12)
		data := compress(t, tool, want)
		most := 0
		for n := 1; n < len(data); n++ {
			got, err := read(t, k, data[:n])
			var damage *DamagedError
			if !errors.As(err, &damage) || damage.Kind != k || damage.After != int64(len(got)) || !bytes.HasPrefix(want, got) {
				t.Fatalf("%d bytes of %d: got %d, %v", n, len(data), len(got), err)
			}
			most = max(most, len(got))
		}
		if most != len(want) && k != Zstd { // whose blocks, of up to 128 KiB, are decoded whole
			t.Errorf("without the last byte %d of %d bytes are delivered", most, len(want))
		}
	})
}

// A large file that is cut short gives nearly all before the cut.
func TestCutShortLarge(t *testing.T) {
	eachTool(t, small, func(t *testing.T, k Kind, tool []string) {
		want := text(5000)
		data := compress(t, tool, want)
		got, err := read(t, k, data[:len(data)*3/4])
		var damage *DamagedError
		if !errors.As(err, &damage) || !strings.HasSuffix(err.Error(), "it is cut short") || !bytes.HasPrefix(want, got) {
			t.Fatalf("got %d, %v", len(got), err)
		}
		block := map[Kind]int{Gzip: 64 << 10, Zstd: 256 << 10, XZ: 64 << 10, Bzip2: 200 << 10}[k]
		if lost := len(want)*3/4 - len(got); lost > block {
			t.Errorf("%d bytes before the cut are lost", lost)
		}
	})
}

// A flipped bit is an error, or changes nothing of the content.
func TestFlippedBits(t *testing.T) {
	eachTool(t, small, func(t *testing.T, k Kind, tool []string) {
		if strings.Contains(fmt.Sprint(tool), "no") {
			return // without a checksum, damage may be content
		}
		want := text(4)
		data := compress(t, tool, want)
		for i := range data {
			for bit := range 8 {
				bad := bytes.Clone(data)
				bad[i] ^= 1 << bit
				got, err := read(t, k, bad)
				if err == nil && !bytes.Equal(got, want) {
					t.Fatalf("byte %d bit %d: %d bytes and no error", i, bit, len(got))
				}
				var panicked *PanicError
				if errors.As(err, &panicked) {
					t.Errorf("byte %d bit %d: %v\n%s", i, bit, err, panicked.Stack)
				}
			}
		}
	})
}

func TestDetectNone(t *testing.T) {
	for _, head := range []string{"", "\x1f", "\x1f\x8b", "\x1f\x8b\x07\x00", "\x1f\x8b\x08\xe0", "BZh9 is a fine name", "BZh", "BZh0\x31\x41\x59\x26\x53\x59",
		"\x28\xb5\x2f\xfd", "\x28\xb5\x2f\xfd\x08", "\xfd7zXZ", "P*M\x18", "2026-01-01 a line\n", "PK\x03\x04", "\x1f\x9d\x90"} {
		if k := Detect([]byte(head)); k != Plain {
			t.Errorf("%q: %v", head, k)
		}
	}
}

// An error of the file is no damage of the archive.
func TestFileError(t *testing.T) {
	broken := errors.New("the disk is gone")
	for k, all := range tools {
		data := compress(t, all[0], text(3000))
		at := readerAt(func(p []byte, off int64) (int, error) {
			if off > 0 {
				return 0, broken
			}
			return copy(p[:min(len(p), 1000)], data), broken
		})
		a := Open(at, int64(len(data)), k, limits, nil)
		_, err := io.ReadAll(a)
		a.Close()
		var damage *DamagedError
		if !errors.Is(err, broken) || errors.As(err, &damage) {
			t.Errorf("%v: %v", k, err)
		}
	}
}

type readerAt func(p []byte, off int64) (int, error)

func (f readerAt) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

func TestReadSizes(t *testing.T) {
	want := text(5000)
	for k, all := range tools {
		data := compress(t, all[0], want)
		a := Open(bytes.NewReader(data), int64(len(data)), k, limits, nil)
		if err := iotest.TestReader(io.Reader(a), want); err != nil {
			t.Errorf("%v: %v", k, err)
		}
		a.Close()
		if _, err := a.Read(make([]byte, 1)); err == nil {
			t.Errorf("%v: a Read after Close is no error", k)
		}
	}
}

// The files in testdata were written by the formats' tools; they hold for machines without those, and
// for the versions of today.
func TestFixtures(t *testing.T) {
	want, err := os.ReadFile("testdata/lines.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]Kind{"lines.gz": Gzip, "lines.zst": Zstd, "lines.xz": XZ, "lines.bz2": Bzip2} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := Detect(data[:HeadSize]); got != k {
			t.Errorf("%s: Detect says %v", name, got)
		}
		if got, err := read(t, k, data); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(want), err)
		}
	}
}
