package seal

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
)

// frameBytes is from which size on a frame ends with the next line: what a search that needs one line has
// to unpack. docs/store.md has what other sizes come to.
const frameBytes = 256 << 10

var encoders = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // its options are constants
	}
	return e
})

func countLines(p []byte) int { return bytes.Count(p, []byte{'\n'}) }

func checksumOf(end []byte) uint64 { return binary.LittleEndian.Uint64(end[8:]) }

// write writes a block of whole lines, those of its runs. It sets what follows from them. packed, if set,
// hears of each frame that was made.
func write(w io.Writer, b *Block, text []byte, packed func() error) error {
	header := encodeHeader(b.ID)
	if _, err := w.Write(header); err != nil {
		return err
	}
	b.Bytes, b.Lines, b.NUL = int64(len(text)), 0, bytes.IndexByte(text, 0) >= 0
	var frames []frame
	var out []byte
	at := int64(len(header))
	for from := 0; from < len(text); {
		part := nextFrame(text[from:])
		out = encoders().EncodeAll(part, out[:0])
		if _, err := w.Write(out); err != nil {
			return err
		}
		f := frame{at: at, stored: len(out), from: int64(from), size: len(part), lines: countLines(part), sum: xxhash.Sum64(part)}
		frames = append(frames, f)
		b.Lines += int64(f.lines)
		at, from = at+int64(f.stored), from+f.size
		if packed != nil {
			if err := packed(); err != nil {
				return err
			}
		}
	}
	end := encodeEnd(b, frames, header)
	b.Stored = at + int64(len(end))
	_, err := w.Write(end)
	return err
}

// nextFrame is the first frame of whole lines.
func nextFrame(text []byte) []byte {
	if len(text) <= frameBytes+frameBytes/4 { // no short last frame
		return text
	}
	return text[:frameBytes+bytes.IndexByte(text[frameBytes-1:], '\n')]
}
