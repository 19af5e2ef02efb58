package archive

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"math/bits"

	"github.com/mikelolasagasti/xz"
)

// The head of an xz file, as far as it says how large a window its content wants, numbers little-endian
// but for varints of seven bits a byte, the lowest first:
//
//	file    = magic:6 00 check:u8 crc32:u32 block …
//	block   = size/4-1:u8 flags:u8 [packed:varint] [unpacked:varint] filter… pad crc32:u32 …
//	filter  = id:varint size:varint bytes       the last is 21 01 window: bits<<1 of 2^(bits/2+12), half more if odd
const (
	xzHeaderSize  = 12
	xzFooterSize  = 12
	xzFooterMagic = "YZ"
	lzma2Filter   = 0x21
	maxXZBlock    = 1024 // a block's header
	lastWindow    = 40   // 4 GiB
)

// xzStep is how much is asked of the decoder at once. What it has decoded when it finds a damage within
// one step it drops.
const xzStep = 4 << 10

// xz opens a decoder. A small file asks for the window of its preset all the same, more than it can
// use: the decoder is told of a smaller one, which it allocates at once.
func (a *Reader) xz(in *bufio.Reader, enter func(int64) error) (io.Reader, error) {
	head, _ := in.Peek(int(min(a.in.size, xzHeaderSize+maxXZBlock)))
	head = bytes.Clone(head)
	window, at := xzWindow(head)
	if known, ok := Size(a.in.r, a.in.size, XZ); ok && at > 0 && known < window {
		head[at] = windowCode(known)
		sumBlock(head)
		window, _ = xzWindow(head)
	}
	most := uint32(math.MaxUint32)
	if limit := a.limits.Window; limit > 0 {
		if window > limit {
			return nil, windowError(window, limit)
		}
		most = uint32(min(limit, math.MaxUint32))
	}
	if err := enter(window + xzMemory); err != nil {
		return nil, err
	}
	if _, err := in.Discard(len(head)); err != nil {
		return nil, err
	}
	z, err := xz.NewReader(io.MultiReader(bytes.NewReader(head), in), most)
	return &xzReader{z, a.limits.Window}, xzError(err, a.limits.Window)
}

// xzReader reads in steps, and names the library's errors as those of the other formats.
type xzReader struct {
	z     *xz.Reader
	limit int64
}

func (x *xzReader) Read(p []byte) (int, error) {
	n, err := x.z.Read(p[:min(len(p), xzStep)])
	return n, xzError(err, x.limit)
}

func xzError(err error, limit int64) error {
	switch {
	case errors.Is(err, xz.ErrMemlimit):
		return windowError(limit+1, limit)
	case errors.Is(err, xz.ErrBuf):
		return io.ErrUnexpectedEOF
	case errors.Is(err, xz.ErrFormat):
		return errTrailing
	}
	return err
}

// xzWindow returns the window, in bytes, that the first block of an xz file asks for, and where in its
// head that is said; 0 if it is not.
func xzWindow(head []byte) (window int64, at int) {
	if len(head) < xzHeaderSize+1 || head[xzHeaderSize] == 0 {
		return 0, 0
	}
	end := xzHeaderSize + (int(head[xzHeaderSize])+1)*4 - 4
	if end+4 > len(head) || crc32.ChecksumIEEE(head[xzHeaderSize:end]) != binary.LittleEndian.Uint32(head[end:]) {
		return 0, 0
	}
	flags := head[xzHeaderSize+1]
	b := bytes.NewReader(head[xzHeaderSize+2 : end])
	for _, has := range []byte{0x40, 0x80} {
		if flags&has != 0 {
			if _, err := binary.ReadUvarint(b); err != nil {
				return 0, 0
			}
		}
	}
	for range flags&3 + 1 {
		id, err := binary.ReadUvarint(b)
		size, err2 := binary.ReadUvarint(b)
		if err != nil || err2 != nil || size > uint64(b.Len()) {
			return 0, 0
		}
		at = end - b.Len()
		if id == lzma2Filter && size == 1 && head[at] <= lastWindow {
			return windowOf(head[at]), at
		}
		b.Seek(int64(size), io.SeekCurrent)
	}
	return 0, 0
}

// windowOf returns the size that a code stands for.
func windowOf(code byte) int64 { return (2 + int64(code&1)) << (code/2 + 11) }

// windowCode returns the code of the least window of at least n bytes.
func windowCode(n int64) byte {
	code := byte(max(bits.Len64(uint64(n)), 13)-13) * 2
	for windowOf(code) < n {
		code++
	}
	return code
}

// sumBlock mends the checksum of the first block's header.
func sumBlock(head []byte) {
	block := head[xzHeaderSize:]
	block = block[:(int(block[0])+1)*4]
	end := len(block) - 4
	binary.LittleEndian.PutUint32(block[end:], crc32.ChecksumIEEE(block[:end]))
}
