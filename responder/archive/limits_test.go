package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/mikelolasagasti/xz"
)

// zeros compresses n zero bytes.
func zeros(t *testing.T, n int64, tool ...string) []byte {
	t.Helper()
	needTool(t, tool[0])
	c := exec.CommandContext(context.Background(), tool[0], append(tool[1:], "-c")...)
	dev, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	c.Stdin = io.LimitReader(dev, n)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v", tool, err)
	}
	return out
}

// allocated is what f allocates, in bytes, live or not.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// drain reads all and returns how much that was.
func drain(data []byte, k Kind, l Limits) (int64, error) {
	a := Open(bytes.NewReader(data), int64(len(data)), k, l, nil)
	defer a.Close()
	n, buf := int64(0), make([]byte, blockSize)
	for {
		k, err := a.Read(buf)
		n += int64(k)
		if err != nil {
			return n, err
		}
	}
}

func TestBombs(t *testing.T) {
	for k, tool := range map[Kind][]string{Gzip: {"gzip", "-9"}, Zstd: {"zstd", "-q"}, XZ: {"xz", "-0"}, Bzip2: {"bzip2", "-9"}} {
		data := zeros(t, RatioFrom+1<<20, tool...)
		used := allocated(func() {
			if n, err := drain(data, k, Limits{Window: 8 << 20, Ratio: 500}); !errors.Is(err, ErrRatio) || n < RatioFrom || n > RatioFrom+blockSize {
				t.Errorf("%v: %d bytes from %d, %v", k, n, len(data), err)
			}
		})
		if used > 32<<20 {
			t.Errorf("%v: a bomb allocates %d bytes", k, used)
		}
		const size = 3 << 20
		data = zeros(t, size, tool...)
		for _, most := range []int64{0, 1, 1 << 20, 1<<20 + 1} {
			n, err := drain(data, k, Limits{Window: 8 << 20, Output: most})
			if most == 0 && (err != io.EOF || n != size) || most > 0 && (!errors.Is(err, ErrOutput) || n != most) {
				t.Errorf("%v: %d bytes of %d, %v", k, n, most, err)
			}
		}
	}
}

// withWindow changes what the first block of an xz file says of its window.
func withWindow(data []byte, bits byte) []byte {
	data = bytes.Clone(data)
	h := data[xzHeaderSize:]
	h = h[:(int(h[0])+1)*4]
	i := bytes.Index(h, []byte{lzma2Filter, 1})
	h[i+2] = bits
	binary.LittleEndian.PutUint32(h[len(h)-4:], crc32.ChecksumIEEE(h[:len(h)-4]))
	return data
}

func TestWindows(t *testing.T) {
	lines := text(100)
	plain := compress(t, []string{"zstd", "-q"}, lines)
	small := compress(t, []string{"xz", "-0"}, lines)
	block := "\x01\x00\x00" // the last, empty
	for name, tt := range map[string]struct {
		kind  Kind
		data  string
		limit int64
		first int // bytes delivered before
		want  error
	}{
		"zstd 2 GiB":            {Zstd, zstdMagic + "\x00\xa8" + block, 32 << 20, 0, ErrWindow},
		"zstd 3.75 TiB":         {Zstd, zstdMagic + "\x00\xff" + block, 32 << 20, 0, ErrWindow},
		"zstd, all in one":      {Zstd, zstdMagic + "\xe0\x00\x00\x00\x00\x00\x01\x00\x00" + block, 32 << 20, 0, ErrWindow},
		"zstd, too large":       {Zstd, zstdMagic + "\xe0\xff\xff\xff\xff\xff\xff\xff\xff" + block, 32 << 20, 0, ErrWindow},
		"zstd, second frame":    {Zstd, string(plain) + zstdMagic + "\x00\xa8" + block, 32 << 20, len(lines), ErrWindow},
		"zstd 4 MiB":            {Zstd, zstdMagic + "\x00\x60" + block, 4 << 20, 0, io.EOF},
		"zstd 8 MiB":            {Zstd, zstdMagic + "\x00\x68" + block, 8<<20 - 1, 0, ErrWindow},
		"zstd, skips 4 GiB":     {Zstd, "\x50\x2a\x4d\x18\xff\xff\xff\xff....", 32 << 20, 0, io.ErrUnexpectedEOF},
		"xz 4 GiB":              {XZ, string(withWindow(small, 40)) + string(small), 32 << 20, 0, ErrWindow},
		"xz 64 MiB":             {XZ, string(withWindow(small, 28)) + string(small), 64<<20 - 1, 0, ErrWindow},
		"xz second stream":      {XZ, string(small) + string(withWindow(small, 28)), 64<<20 - 1, len(lines), ErrWindow},
		"xz 64 MiB, but small":  {XZ, string(withWindow(small, 28)), 1 << 20, len(lines), io.EOF},
		"xz 4 GiB and no limit": {XZ, string(withWindow(small, 40)), 0, len(lines), io.EOF},
		"xz, no such window":    {XZ, string(withWindow(small, 41)), 0, 0, xz.ErrOptions},
	} {
		used := allocated(func() {
			n, err := drain([]byte(tt.data), tt.kind, Limits{Window: tt.limit})
			if n != int64(tt.first) || !errors.Is(err, tt.want) {
				t.Errorf("%s: %d bytes, %v", name, n, err)
			}
		})
		if most := min(tt.limit, 8<<20) + 4<<20; used > most {
			t.Errorf("%s: %d bytes allocated", name, used)
		}
	}
}

// Executables' filters are rare before logs, but nothing forbids them.
func TestFilters(t *testing.T) {
	want := text(1000)
	for _, filter := range []string{"--x86", "--arm", "--delta=dist=4"} {
		if got, err := read(t, XZ, compress(t, []string{"xz", filter, "--lzma2=preset=0"}, want)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d, %v", filter, len(got), len(want), err)
		}
	}
}

func TestClose(t *testing.T) {
	for k, all := range tools {
		data := compress(t, all[0], text(3000))
		open := func(at io.ReaderAt) *Reader { return Open(at, int64(len(data)), k, limits, nil) }
		a := open(bytes.NewReader(data)) // never read
		a.Close()
		a.Close()
		a = open(bytes.NewReader(data)) // in the middle
		if _, err := a.Read(make([]byte, 10)); err != nil {
			t.Error(err)
		}
		a.Close()
		if n, err := a.Read(make([]byte, blockSize)); n != 0 && err == nil {
			t.Errorf("%v: read on after Close", k)
		}

		reached, release := make(chan bool, 1), make(chan bool) // while the file hangs
		a = open(readerAt(func(p []byte, off int64) (int, error) {
			select {
			case reached <- true:
			default:
			}
			<-release
			return 0, io.ErrUnexpectedEOF
		}))
		done := make(chan error)
		go func() {
			_, err := a.Read(make([]byte, 10))
			done <- err
		}()
		<-reached
		a.Close()
		select {
		case err := <-done:
			if !errors.Is(err, errClosed) {
				t.Errorf("%v: %v", k, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%v: Close does not end a Read", k)
		}
		close(release)
	}
}

func TestPanicIsAnError(t *testing.T) {
	a := Open(readerAt(func([]byte, int64) (int, error) { panic("a bug") }), 100, Gzip, limits, nil)
	defer a.Close()
	_, err := a.Read(make([]byte, 10))
	var panicked *PanicError
	if !errors.As(err, &panicked) || panicked.Value != "a bug" || !bytes.Contains(panicked.Stack, []byte("TestPanicIsAnError")) {
		t.Errorf("%v", err)
	}
}

// entered asks for room in another goroutine; what it returns gets the outcome.
func entered(t *ticket, n int64, quit chan struct{}) <-chan error {
	done := make(chan error, 1)
	go func() { done <- t.enter(n, quit) }()
	return done
}

func TestGate(t *testing.T) {
	g := NewGate(100)
	first, second, third, fourth := g.ticket(), g.ticket(), g.ticket(), g.ticket()
	quit := make(chan struct{})
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	must("there is room", second.enter(60, quit))
	must("the first never waits", first.enter(1000, quit))
	waiting, quits := entered(third, 40, quit), entered(fourth, 40, quit)
	close(quit)
	if err := <-quits; !errors.Is(err, errClosed) {
		t.Errorf("closed while it waits: %v", err)
	}
	<-waiting // closed as well
	waiting = entered(third, 40, nil)
	fourth.leave()
	select {
	case err := <-waiting:
		t.Errorf("in a full gate: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	first.leave()
	first.leave()
	must("there is room again", <-waiting)
	second.leave()
	must("it is the first now", third.enter(1000, nil))
	third.leave()
	if g.used != 0 || len(g.tickets) != 0 {
		t.Errorf("%d bytes of %d archives are left", g.used, len(g.tickets))
	}
	var none *Gate
	must("no gate", none.ticket().enter(1<<60, nil))
	none.ticket().leave()
}

// The decoders of many archives, read in order as a search does, take turns.
func TestGateBoundsDecoders(t *testing.T) {
	want := text(3000)
	data := compress(t, []string{"xz", "--lzma2=preset=0,dict=1MiB"}, want)
	g := NewGate(1 << 20)
	var open []*Reader
	for range 8 {
		a := Open(bytes.NewReader(data), int64(len(data)), XZ, limits, g)
		go a.Read(nil) // a worker may be ahead
		open = append(open, a)
	}
	for i, a := range open {
		if got, err := io.ReadAll(a); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d: %d bytes, %v", i, len(got), err)
		}
		a.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		g.mu.Lock()
		used := g.used
		g.mu.Unlock()
		if used == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are never given back", used)
		}
	}
}

// FuzzOpen holds that no input panics, hangs, or takes more memory than the limits say.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"gz", "zst", "xz", "bz2"} {
		data, err := os.ReadFile("testdata/lines." + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(append(bytes.Clone(data), data...))
		f.Add(data[:len(data)/2])
	}
	l := Limits{Window: 1 << 20, Ratio: 1000, Output: 8 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		k := Detect(data)
		if k == Plain || len(data) > 1<<16 {
			return
		}
		Size(bytes.NewReader(data), int64(len(data)), k)
		used := allocated(func() {
			n, err := drain(data, k, l)
			var panicked *PanicError
			if errors.As(err, &panicked) {
				t.Fatalf("%v\n%s", err, panicked.Stack)
			}
			if n > l.Output {
				t.Errorf("%d bytes", n)
			}
		})
		if used > 24<<20 {
			t.Errorf("%d bytes are allocated", used)
		}
	})
}

// BenchmarkRead compares reading with decompression beside it, as Reader does, and in between: work
// is a search of about 2 GB/s.
func BenchmarkRead(b *testing.B) {
	lines := text(200_000)
	needle := []byte("no such thing")
	work := func(p []byte) {
		for range 4 {
			if bytes.Contains(p, needle) {
				b.Error("found")
			}
		}
	}
	for k, tool := range map[Kind][]string{Gzip: {"gzip"}, Zstd: {"zstd", "-q"}, XZ: {"xz", "-0"}, Bzip2: {"bzip2"}} {
		data := compress(b, tool, lines)
		buf := make([]byte, blockSize)
		run := func(name string, open func() io.ReadCloser) {
			b.Run(k.String()+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(lines)))
				b.ReportAllocs()
				for b.Loop() {
					r := open()
					for {
						n, err := io.ReadFull(r, buf)
						work(buf[:n])
						if err != nil {
							break
						}
					}
					r.Close()
				}
			})
		}
		run("pipelined", func() io.ReadCloser { return Open(bytes.NewReader(data), int64(len(data)), k, limits, nil) })
		run("sequential", func() io.ReadCloser {
			a := Open(bytes.NewReader(data), int64(len(data)), k, limits, nil)
			r, err := a.decoder()
			if err != nil {
				b.Fatal(err)
			}
			return io.NopCloser(r)
		})
	}
}
