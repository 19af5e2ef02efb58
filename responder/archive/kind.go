package archive

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Kind is a format of compressed files.
type Kind uint8

const (
	Plain Kind = iota // none that is known: the file is searched as it is
	Gzip
	Zstd
	XZ
	Bzip2
)

var kindNames = [...]string{Plain: "plain", Gzip: "gzip", Zstd: "zstd", XZ: "xz", Bzip2: "bzip2"}

func (k Kind) String() string { return kindNames[k] }

// HeadSize is how many of a file's first bytes Detect needs to see; fewer if the file has fewer.
const HeadSize = 18

const (
	xzMagic      = "\xfd7zXZ\x00"
	zstdMagic    = "\x28\xb5\x2f\xfd"
	bzip2Block   = "\x31\x41\x59\x26\x53\x59" // the digits of pi begin a block
	bzip2End     = "\x17\x72\x45\x38\x50\x90" // and those of its square root the end
	gzipReserved = 0xe0
)

// Detect tells a file's kind from its head. It asks for more than the magic number where that is
// short: a gzip header has deflate as its method and no reserved flag, bzip2's "BZh9" must be
// followed by the start of a block. What fails that is no archive, but a file as any other. What
// passes is an archive: if it cannot be decompressed, that is an error, and it is not searched raw.
func Detect(head []byte) Kind {
	switch {
	case len(head) >= 3 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8:
		if len(head) > 3 && head[3]&gzipReserved != 0 {
			return Plain
		}
		return Gzip
	case len(head) >= 5 && string(head[:4]) == zstdMagic:
		if head[4]&8 != 0 { // the reserved bit of the frame header
			return Plain
		}
		return Zstd
	case len(head) >= 8 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18": // a frame to skip
		return Zstd
	case len(head) >= 6 && string(head[:6]) == xzMagic:
		return XZ
	case len(head) >= 10 && string(head[:3]) == "BZh" && '1' <= head[3] && head[3] <= '9':
		if s := string(head[4:10]); s == bzip2Block || s == bzip2End {
			return Bzip2
		}
	}
	return Plain
}

// Size returns how large an archive of size bytes says that it is when it is decompressed; false if
// it does not say, or what it says cannot be true. It reads only the head and the end, and so
// believes of gzip that it has one member, and of zstd and xz one frame or stream.
func Size(r io.ReaderAt, size int64, kind Kind) (int64, bool) {
	switch kind {
	case Gzip:
		var tail [4]byte
		if size < 18 || readAt(r, tail[:], size-4) != nil {
			return 0, false
		}
		n := int64(binary.LittleEndian.Uint32(tail[:]))
		return n, n >= size/2 && n <= 1032*size // deflate cannot do better
	case Zstd:
		head := make([]byte, min(size, zstd.HeaderMaxSize))
		var h zstd.Header
		if readAt(r, head, 0) != nil || h.Decode(head) != nil || !h.HasFCS || h.FrameContentSize > 1<<62 {
			return 0, false
		}
		return int64(h.FrameContentSize), int64(h.FrameContentSize) >= size/2
	case XZ:
		return xzSize(r, size)
	}
	return 0, false
}

func readAt(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// xzSize reads the index at the end of an xz file.
func xzSize(r io.ReaderAt, size int64) (int64, bool) {
	var foot [xzFooterSize]byte
	if size < 2*xzFooterSize || readAt(r, foot[:], size-xzFooterSize) != nil {
		return 0, false
	}
	if string(foot[10:]) != xzFooterMagic || crc32.ChecksumIEEE(foot[4:10]) != binary.LittleEndian.Uint32(foot[:]) {
		return 0, false
	}
	n := (int64(binary.LittleEndian.Uint32(foot[4:])) + 1) * 4
	if n > size-2*xzFooterSize || n > 1<<20 {
		return 0, false
	}
	index := make([]byte, n)
	if readAt(r, index, size-xzFooterSize-n) != nil || index[0] != 0 {
		return 0, false
	}
	b := bytes.NewReader(index[1:])
	records, err := binary.ReadUvarint(b)
	packed, total := uint64(xzHeaderSize+n+xzFooterSize), uint64(0)
	for ; err == nil && records > 0; records-- {
		var p, u uint64
		if p, err = binary.ReadUvarint(b); err == nil {
			u, err = binary.ReadUvarint(b)
		}
		if p > 1<<62 || u > 1<<62 || packed > 1<<62 || total > 1<<62 {
			return 0, false
		}
		packed, total = packed+(p+3)&^3, total+u
	}
	return int64(total), err == nil && packed == uint64(size)
}
