package archive

import (
	"bufio"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
)

// frameRuns is the content of a zstd archive, decoded in runs of whole frames, whose starts are Points.
type frameRuns struct {
	s   *Survey
	run run
	in  *bufio.Reader
	z   *zstd.Decoder
}

// run is the part of an input before to.
type run struct {
	in *input
	to int64
}

func (r *run) Read(p []byte) (int, error) {
	left := r.to - r.in.off
	if left <= 0 {
		return 0, io.EOF
	}
	return r.in.Read(p[:min(int64(len(p)), left)])
}

func newFrameRuns(s *Survey) (*frameRuns, error) {
	f := &frameRuns{s: s, run: run{in: &s.a.in}}
	f.run.to = f.runEnd(0)
	f.in = bufio.NewReaderSize(&f.run, inputSize)
	var err error
	f.z, err = zstd.NewReader(f.in, s.a.zstdOptions()...)
	return f, err
}

func (f *frameRuns) Read(p []byte) (int, error) {
	n, err := f.z.Read(p)
	if at := f.run.to; err == io.EOF && at < f.s.a.in.size {
		f.run.to = f.runEnd(at)
		f.in.Reset(&f.run)
		if err = f.z.Reset(f.in); err == nil {
			f.s.points = append(f.s.points, Point{Out: f.s.a.total.Load() + int64(n), Bit: at * 8})
		}
	}
	return n, err
}

// runEnd is where a run that starts with the frame at off ends: behind framesEvery or more, or at the end
// of the file if what comes there is no whole frame. Then the decoder says what is wrong with it.
func (f *frameRuns) runEnd(off int64) int64 {
	in := &f.s.a.in
	for at := off; ; {
		next := frameEnd(in.r, at)
		if next <= at || next >= in.size {
			return in.size
		}
		if at = next; at-off >= framesEvery {
			return at
		}
	}
}

// frameEnd returns where the zstd frame at off ends; 0 if there is none that is whole (RFC 8878, 3.1):
//
//	frame     = magic:u32 descriptor:u8 [window:u8] [dictionary] [size] block* [checksum:u32]
//	block     = last:1 kind:2 size:21 bytes    of kind 1 a single one, whatever the size
//	skippable = 184D2A50…5F:u32 size:u32 bytes
func frameEnd(r io.ReaderAt, off int64) int64 {
	var head [8]byte
	if readAt(r, head[:], off) != nil {
		return 0
	}
	e := binary.LittleEndian
	if e.Uint32(head[:])&^15 == 0x184D2A50 {
		return off + 8 + int64(e.Uint32(head[4:]))
	}
	if string(head[:4]) != zstdMagic {
		return 0
	}
	descriptor := head[4]
	single := descriptor>>5&1 != 0
	size := [4]int64{0, 2, 4, 8}[descriptor>>6]
	if single && size == 0 {
		size = 1
	}
	at := off + 5 + size + [4]int64{0, 1, 2, 4}[descriptor&3]
	if !single {
		at++
	}
	for last := false; !last; {
		var b [3]byte
		if readAt(r, b[:], at) != nil {
			return 0
		}
		h := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		last = h&1 != 0
		switch at += 3; h >> 1 & 3 {
		case 1:
			at++
		case 3:
			return 0
		default:
			at += int64(h >> 3)
		}
	}
	if descriptor&4 != 0 {
		at += 4
	}
	return at
}
