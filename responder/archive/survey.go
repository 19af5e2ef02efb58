package archive

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Point is a place of an archive at which decompression can begin, as a Survey found it.
type Point struct {
	Out int64 // offset in the content
	Bit int64 // of the file
	// Window is what stands before Out, of which what follows repeats parts, packed; nil where a member
	// or a frame starts, which need none.
	Window []byte
}

const (
	// pointEvery is how much content lies between two Points at least, where Every does not say it: a window
	// takes 6 KB, packed, so that they are 0.16 % of the content.
	pointEvery = 4 << 20
	// framesEvery is how much of a zstd archive does, whose Points have no window.
	framesEvery = 64 << 10
	// surveyed is the part of the allowed ratio that a Survey admits: a search counts what is read a
	// little otherwise, and must not fail where a Survey did not.
	surveyed = 0.75
)

// Survey reads an archive once, in the goroutine that Reads it, and finds its Points: in gzip the starts of
// members and of deflate's blocks, in zstd those of frames. What a search would refuse, and some that it
// would just admit, is an error. One goroutine uses it.
type Survey struct {
	// Every, if set before a Read, is how much content lies between two Points of a gzip archive at least.
	Every int64

	a       *Reader
	content io.Reader
	points  []Point
	last    int64 // Out of the last Point
}

// NewSurvey returns a Survey of the archive in the first size bytes of r.
func NewSurvey(r io.ReaderAt, size int64, kind Kind, limits Limits) *Survey {
	limits.Ratio = int64(float64(limits.Ratio) * surveyed)
	return &Survey{Every: pointEvery, a: open(r, size, kind, limits, (*Gate)(nil).ticket(), Point{})}
}

// Read reads the content. It returns io.EOF where all of it was read and is sound; the other errors are
// those of a Reader.
func (s *Survey) Read(p []byte) (int, error) {
	if s.content == nil {
		if err := s.begin(); err != nil {
			b := block{err: err}
			s.a.settle(&b)
			return 0, b.err
		}
	}
	b := block{}
	b.n, b.err = s.content.Read(p)
	s.a.settle(&b)
	return b.n, b.err
}

func (s *Survey) begin() (err error) {
	switch s.a.kind {
	case Gzip:
		var g *gzipStream
		if g, err = newGzipStream(&s.a.in, &Point{}); err == nil {
			g.place = func(bit int64, window []byte) { s.place(g, bit, window) }
			s.content = g
		}
	case Zstd:
		s.content, err = newFrameRuns(s)
	default:
		s.content, err = s.a.decoder()
	}
	return err
}

// place takes a place of a gzip archive, if the last one is far enough away.
func (s *Survey) place(g *gzipStream, bit int64, window []byte) {
	b := &g.body
	out := s.a.total.Load()
	if window != nil {
		out += int64(b.w - b.at)
	}
	if out-s.last < s.Every {
		return
	}
	p := Point{Out: out, Bit: bit}
	if window != nil {
		p.Window = Pack(window)
	}
	s.points, s.last = append(s.points, p), out
}

// Points returns those that were found since it was called last. They may lie a little behind what was
// read by then.
func (s *Survey) Points() []Point {
	p := s.points
	s.points = nil
	return p
}

// Close frees what the Survey takes.
func (s *Survey) Close() {
	if f, ok := s.content.(*frameRuns); ok {
		f.z.Close()
	}
}

var windowPacker = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(historyBytes),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(true), zstd.WithEncoderLevel(zstd.SpeedDefault))
})

var windowUnpacker = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(mostPacked))
})

// mostPacked bounds what Unpack makes.
const mostPacked = 64 << 10

// Pack compresses a piece of text, up to 64 KiB.
func Pack(window []byte) []byte {
	z, err := windowPacker()
	if err != nil {
		panic(err) // of options that are constants
	}
	return z.EncodeAll(window, nil)
}

// Unpack is the reverse of Pack.
func Unpack(packed []byte) ([]byte, error) {
	z, err := windowUnpacker()
	if err != nil {
		panic(err) // of options that are constants
	}
	window, err := z.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("packed piece of an archive: %w", err)
	}
	return window, nil
}
