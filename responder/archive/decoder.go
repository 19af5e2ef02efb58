package archive

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// inputSize is how much is read of a file at once.
const inputSize = 64 << 10

// What a decoder takes beside its window, about.
const (
	gzipMemory  = 128 << 10
	bzip2Memory = 4 << 20
	zstdMemory  = 1 << 20
	xzMemory    = 256 << 10
)

var errTrailing = errors.New("what follows it is none")

// decoder waits for its turn and gives the content as the format's decoder sees it.
func (a *Reader) decoder() (io.Reader, error) {
	in := bufio.NewReaderSize(&a.in, int(min(inputSize, max(a.in.size, 16))))
	enter := func(n int64) error {
		err := a.ticket.enter(n, a.in.quit)
		if err == nil {
			a.holds = n
		}
		return err
	}
	switch a.kind {
	case Gzip:
		if err := enter(gzipMemory); err != nil {
			return nil, err
		}
		if a.start.Out > 0 {
			return newGzipStream(&a.in, &a.start)
		}
		return &gzipMembers{in: in}, nil
	case Zstd:
		a.in.off = a.start.Bit / 8
		return a.zstd(in, enter)
	case XZ:
		return a.xz(in, enter)
	case Bzip2:
		if err := enter(bzip2Memory); err != nil {
			return nil, err
		}
		return bzip2.NewReader(in), nil
	}
	return nil, fmt.Errorf("%v file opened as an archive", a.kind)
}

func windowError(window, limit int64) error {
	return fmt.Errorf("%w: %d bytes, more than %d", ErrWindow, window, limit)
}

// gzipMembers reads one member after another. As gzip does, it takes zeros after the last for
// padding (tapes have blocks). Anything else that is no member is an error.
type gzipMembers struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func (g *gzipMembers) Read(p []byte) (int, error) {
	if g.z == nil {
		if err := g.open(); err != nil {
			return 0, err
		}
	}
	n, err := g.z.Read(p)
	if err != io.EOF {
		return n, err
	}
	if err = skipZeros(g.in); err != nil {
		return n, err
	}
	return n, g.open()
}

func (g *gzipMembers) open() (err error) {
	head, err := g.in.Peek(4)
	if len(head) == 0 || g.z != nil && err == nil && Detect(head) != Gzip {
		if err == nil {
			err = errTrailing
		}
		return err
	}
	if g.z == nil {
		g.z, err = gzip.NewReader(g.in)
	} else {
		err = g.z.Reset(g.in)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		g.z.Multistream(false)
	}
	return err
}

// skipZeros skips the padding behind a member.
func skipZeros(in io.ByteScanner) error {
	skipped := false
	for {
		b, err := in.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			if skipped {
				return errTrailing
			}
			return in.UnreadByte()
		}
		skipped = true
	}
}

// zstd opens a decoder without goroutines of its own: a panic in one of those would be the process's
// end, and this one runs beside the search already.
func (a *Reader) zstd(in *bufio.Reader, enter func(int64) error) (io.Reader, error) {
	need := int64(zstdMemory)
	head, _ := in.Peek(int(min(a.in.size, zstd.HeaderMaxSize)))
	var h zstd.Header
	if h.Decode(head) == nil && !h.Skippable {
		window := h.WindowSize
		if h.SingleSegment {
			window = h.FrameContentSize
		}
		window = min(window, 1<<62)
		if a.limits.Window > 0 && int64(window) > a.limits.Window {
			return nil, windowError(int64(window), a.limits.Window)
		}
		need += int64(window)
	}
	if err := enter(need); err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(in, a.zstdOptions()...)
	if err != nil {
		return nil, err
	}
	return &zstdFrames{z: z, limit: a.limits.Window}, nil
}

func (a *Reader) zstdOptions() []zstd.DOption {
	options := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true)}
	if a.limits.Window > 0 {
		options = append(options, zstd.WithDecoderMaxWindow(uint64(max(a.limits.Window, zstd.MinWindowSize))))
	}
	return options
}

// zstdFrames reads one frame after another.
type zstdFrames struct {
	z     *zstd.Decoder
	limit int64
}

func (f *zstdFrames) Read(p []byte) (int, error) {
	n, err := f.z.Read(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		err = fmt.Errorf("%w: more than %d bytes", ErrWindow, f.limit)
	case errors.Is(err, zstd.ErrMagicMismatch):
		err = errTrailing
	}
	f.z.Close()
	return n, err
}
