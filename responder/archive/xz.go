package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"sync"
)

// An xz file, numbers little-endian but for varints of seven bits a byte, the lowest first:
//
//	file    = { stream { 00 00 00 00 } }
//	stream  = header { block } index footer
//	header  = magic:6 00 check:u8 crc32:u32
//	block   = size/4-1:u8 flags:u8 [packed:varint] [unpacked:varint] filter… pad crc32:u32 lzma2 pad check
//	filter  = id:varint size:varint bytes       ours is 21 01 window: bits<<1 of 2^(bits/2+12), half more if odd
//	index   = 00 records:varint { packed:varint unpacked:varint } pad crc32:u32
//	footer  = crc32:u32 index-size/4-1:u32 00 check:u8 "YZ"
const (
	xzHeaderSize  = 12
	xzFooterSize  = 12
	xzFooterMagic = "YZ"
	lzma2Filter   = 0x21
)

var (
	errXZ       = errors.New("invalid xz data")
	errChecksum = errors.New("the checksum is wrong")
	// Made when it is needed: it takes 0.1 ms, which every start of the program would pay for.
	ecma = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(crc64.ECMA) })
)

// xzReader reads the streams of a file.
type xzReader struct {
	in    *counter
	grant func(window int64) (use, now int64, err error)
	open  bool // within a stream
	check byte

	block    *lzma2
	start    int64 // offset of the block's header
	unpacked int64 // bytes of the block until now
	promised [2]int64
	data     int64 // where its data begin
	sum      hash.Hash
	records  hash.Hash64 // of the blocks' sizes, to be compared with those of the index
	blocks   uint64
	granted  [3]int64 // what was asked of grant last, and what it said
}

// newXZ reads xz data. grant is asked before a window of so many bytes is used, and says how many are
// enough, and how many of those to allocate at once.
func newXZ(in *bufio.Reader, grant func(window int64) (use, now int64, err error)) *xzReader {
	return &xzReader{in: &counter{r: in}, grant: grant}
}

// counter counts what is read, and sums it up if it has a sum.
type counter struct {
	r   *bufio.Reader
	n   int64
	sum hash.Hash32
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.sum != nil {
		c.sum.Write(p[:n])
	}
	return n, err
}

func (c *counter) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(c, b[:])
	return b[0], err
}

func (x *xzReader) Read(p []byte) (int, error) {
	for {
		if x.block != nil {
			n, err := x.block.Read(p)
			x.sum.Write(p[:n])
			x.unpacked += int64(n)
			if err == io.EOF {
				err = x.endBlock()
			}
			if n > 0 || err != nil {
				return n, err
			}
			continue
		}
		step := x.next
		if !x.open {
			step = x.header
		}
		if err := step(); err != nil {
			return 0, err
		}
	}
}

// header begins a stream; io.EOF means that none follows.
func (x *xzReader) header() error {
	var h [xzHeaderSize]byte
	for first := x.in.n == 0; ; {
		n, err := io.ReadFull(x.in, h[:4])
		if n == 0 && err == io.EOF && !first {
			return io.EOF
		}
		if err != nil {
			return unexpected(err)
		}
		if first || !bytes.Equal(h[:4], make([]byte, 4)) {
			break
		}
	}
	if string(h[:4]) != xzMagic[:4] {
		return errTrailing
	}
	if _, err := io.ReadFull(x.in, h[4:]); err != nil {
		return unexpected(err)
	}
	if string(h[:6]) != xzMagic || h[6] != 0 || h[7] > 15 || crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) {
		return errXZ
	}
	x.open, x.check, x.records, x.blocks = true, h[7], crc64.New(ecma()), 0
	return nil
}

// next begins a block, or reads what is after the last.
func (x *xzReader) next() error {
	x.start = x.in.n
	size, err := x.in.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	if size == 0 {
		x.open = false
		return x.tail()
	}
	h := make([]byte, (int(size)+1)*4)
	h[0] = size
	if _, err := io.ReadFull(x.in, h[1:]); err != nil {
		return unexpected(err)
	}
	end := len(h) - 4
	if crc32.ChecksumIEEE(h[:end]) != binary.LittleEndian.Uint32(h[end:]) {
		return errChecksum
	}
	window, err := x.blockHeader(h[1:end])
	if err != nil {
		return err
	}
	if window > x.granted[0] { // the window before is garbage by now
		use, now, err := x.grant(window)
		if err != nil {
			return err
		}
		x.granted = [3]int64{window, use, now}
	}
	x.data, x.unpacked, x.sum = x.in.n, 0, newSum(x.check)
	x.block = newLZMA2(x.in, min(window, x.granted[1]), x.granted[2])
	return nil
}

// blockHeader reads the flags and filters of a block, and gives the size of its window.
func (x *xzReader) blockHeader(h []byte) (window int64, err error) {
	b := bytes.NewReader(h[1:])
	x.promised = [2]int64{-1, -1}
	for i := range x.promised {
		if h[0]&(0x40<<i) != 0 {
			n, err := binary.ReadUvarint(b)
			if err != nil || n > 1<<62 {
				return 0, errXZ
			}
			x.promised[i] = int64(n)
		}
	}
	id, err := binary.ReadUvarint(b)
	if h[0]&0x3c != 0 || err != nil {
		return 0, errXZ
	}
	if h[0]&3 != 0 || id != lzma2Filter {
		return 0, fmt.Errorf("xz filters other than LZMA2 are not supported, it has %#x", id)
	}
	n, _ := b.ReadByte()
	bits, err := b.ReadByte()
	if n != 1 || err != nil || bits > 40 {
		return 0, errXZ
	}
	for b.Len() > 0 {
		if c, _ := b.ReadByte(); c != 0 {
			return 0, errXZ
		}
	}
	return (2 + int64(bits&1)) << (bits/2 + 11), nil
}

// endBlock checks what a block's header and its check say of it.
func (x *xzReader) endBlock() error {
	x.block = nil
	packed := x.in.n - x.data
	if err := x.pad(x.in.n - x.start); err != nil {
		return err
	}
	sum := x.sum.Sum(nil)
	if x.check != 10 { // those of CRC are written with the lowest byte first
		for i, j := 0, len(sum)-1; i < j; i, j = i+1, j-1 {
			sum[i], sum[j] = sum[j], sum[i]
		}
	}
	check := make([]byte, checkSize(x.check))
	if _, err := io.ReadFull(x.in, check); err != nil {
		return unexpected(err)
	}
	if len(sum) > 0 && !bytes.Equal(sum, check) {
		return errChecksum
	}
	if p := x.promised; p[0] >= 0 && p[0] != packed || p[1] >= 0 && p[1] != x.unpacked {
		return errXZ
	}
	x.blocks++
	x.record(x.data-x.start+packed+int64(len(check)), x.unpacked)
	return nil
}

func (x *xzReader) record(packed, unpacked int64) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(packed))
	binary.LittleEndian.PutUint64(b[8:], uint64(unpacked))
	x.records.Write(b[:])
}

// pad reads the zeros that make n a multiple of four.
func (x *xzReader) pad(n int64) error {
	for ; n%4 != 0; n++ {
		b, err := x.in.ReadByte()
		if err != nil {
			return unexpected(err)
		}
		if b != 0 {
			return errXZ
		}
	}
	return nil
}

// tail reads the index, whose first byte was read, and the footer.
func (x *xzReader) tail() error {
	x.in.sum = crc32.NewIEEE()
	x.in.sum.Write([]byte{0})
	err := x.index()
	sum := x.in.sum.Sum32()
	x.in.sum = nil
	if err != nil {
		return unexpected(err)
	}
	var crc [4]byte
	if _, err := io.ReadFull(x.in, crc[:]); err != nil {
		return unexpected(err)
	}
	size := x.in.n - x.start
	var f [xzFooterSize]byte
	if _, err := io.ReadFull(x.in, f[:]); err != nil {
		return unexpected(err)
	}
	switch {
	case sum != binary.LittleEndian.Uint32(crc[:]), crc32.ChecksumIEEE(f[4:10]) != binary.LittleEndian.Uint32(f[:]):
		return errChecksum
	case (int64(binary.LittleEndian.Uint32(f[4:]))+1)*4 != size, f[8] != 0, f[9] != x.check, string(f[10:]) != xzFooterMagic:
		return errXZ
	}
	return nil
}

// index compares the index with the blocks that were read.
func (x *xzReader) index() error {
	want := x.records.Sum64()
	n, err := binary.ReadUvarint(x.in)
	if err != nil {
		return err
	}
	if n != x.blocks {
		return errXZ
	}
	x.records.Reset()
	for range n {
		var record [2]uint64
		for i := range record {
			if record[i], err = binary.ReadUvarint(x.in); err != nil {
				return err
			}
		}
		x.record(int64(record[0]), int64(record[1]))
	}
	if x.records.Sum64() != want {
		return errXZ
	}
	return x.pad(x.in.n - x.start)
}

// checkSize is how many bytes a block's check of a kind has.
func checkSize(check byte) int {
	if check == 0 {
		return 0
	}
	return 4 << ((check - 1) / 3)
}

// noSum is for checks that are unknown: they are not verified.
type noSum struct{ hash.Hash }

func (noSum) Write(p []byte) (int, error) { return len(p), nil }
func (noSum) Sum([]byte) []byte           { return nil }

func newSum(check byte) hash.Hash {
	switch check {
	case 1:
		return crc32.NewIEEE()
	case 4:
		return crc64.New(ecma())
	case 10:
		return sha256.New()
	}
	return noSum{}
}
