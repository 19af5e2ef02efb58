package archive

import (
	"encoding/binary"
	"errors"
	"io"
)

// LZMA2, the compression of xz files, is a run of chunks, each after a control byte:
//
//	stream  = { chunk } 00
//	chunk   = 01 size-1:u16 bytes           stored; the dictionary is emptied first
//	        | 02 size-1:u16 bytes           stored
//	        | ctl size-1:u16 packed-1:u16 [props:u8] bytes
//	ctl     = 1rrsssss                      s: bits 16–20 of size-1
//	rr      = 0 go on | 1 reset the state | 2 and take props | 3 and empty the dictionary
//	props   = (pb·5 + lp)·9 + lc
//
// Numbers are big-endian. The decoder is our own: that of github.com/ulikunitz/xz gives nothing of a
// chunk that is damaged, which may be 2 MiB of lines, takes no limit on the window, allocates all of it
// at once, and takes 1.4 times as long.

var errLZMA = errors.New("invalid LZMA2 data")

// lzma2 decompresses one stream of chunks.
type lzma2 struct {
	in  byteReader
	rc  rangeDecoder
	st  lzmaState
	err error

	// window holds the last bytes of output: it grows up to size, and from then on is a ring.
	window []byte
	size   int
	at     int   // where the next byte goes
	had    int64 // bytes since the dictionary was emptied

	left    int  // bytes of the chunk that are to come
	packed  bool // it is compressed
	cut     bool // its end is missing
	started bool // the dictionary was emptied
	ready   bool // props are known
	match   int  // bytes of a match that are to come
}

type byteReader interface {
	io.Reader
	io.ByteReader
}

// newLZMA2 gives a decoder with a window, of which it allocates now bytes at once.
func newLZMA2(in byteReader, window, now int64) *lzma2 {
	window = max(window, 4<<10)
	return &lzma2{in: in, size: int(window), window: make([]byte, min(now, window))}
}

func (l *lzma2) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && l.err == nil {
		if l.left == 0 {
			l.err = l.chunk()
			continue
		}
		from := l.room(min(len(p)-n, l.left))
		end := from + min(len(p)-n, l.left, len(l.window)-from)
		if l.packed {
			l.err = l.unpack(end)
		} else {
			l.err = l.stored(end)
		}
		k := l.at - from
		copy(p[n:], l.window[from:l.at])
		n, l.left, l.had = n+k, l.left-k, l.had+int64(k)
		if l.left == 0 && l.packed && l.err == nil && !l.rc.ended() {
			l.err = l.damage()
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, l.err
}

// room makes room in the window for at least one byte, for n if it still grows, and returns where.
func (l *lzma2) room(n int) int {
	if l.at+n > len(l.window) && len(l.window) < l.size {
		grown := make([]byte, min(l.size, max(l.at+n, 2*len(l.window), 64<<10)))
		copy(grown, l.window[:l.at])
		l.window = grown
	}
	if l.at == len(l.window) {
		l.at = 0
	}
	return l.at
}

// chunk reads the head of a chunk and what it has packed.
func (l *lzma2) chunk() error {
	control, err := l.in.ReadByte()
	switch {
	case err != nil:
		return unexpected(err)
	case control == 0:
		return io.EOF
	case control > 2 && control < 0x80, !l.started && control != 1 && control < 0xe0:
		return errLZMA
	}
	if control == 1 || control >= 0xe0 {
		l.started, l.had, l.ready = true, 0, false
	}
	var head [4]byte
	if l.packed = control >= 0x80; !l.packed {
		if _, err := io.ReadFull(l.in, head[:2]); err != nil {
			return unexpected(err)
		}
		l.left = int(binary.BigEndian.Uint16(head[:])) + 1
		return nil
	}
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return unexpected(err)
	}
	left := int(control&0x1f)<<16 + int(binary.BigEndian.Uint16(head[:])) + 1
	if control >= 0xc0 {
		props, err := l.in.ReadByte()
		if err != nil {
			return unexpected(err)
		}
		if !l.st.setProps(props) {
			return errLZMA
		}
		l.ready = true
	}
	if !l.ready {
		return errLZMA
	}
	if control >= 0xa0 {
		l.st.reset()
	}
	l.cut, err = l.rc.load(l.in, int(binary.BigEndian.Uint16(head[2:]))+1)
	if err == nil {
		l.left = left
	}
	return err
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (l *lzma2) stored(end int) error {
	n, err := io.ReadFull(l.in, l.window[l.at:end])
	l.at += n
	return unexpected(err)
}

// unpack decodes until the window is filled up to end.
func (l *lzma2) unpack(end int) error {
	base := l.had - int64(l.at)
	for l.at < end {
		if l.match > 0 {
			l.copyMatch(end)
			continue
		}
		had := base + int64(l.at)
		length, lit := l.st.symbol(&l.rc, had, l.window, l.at)
		switch {
		case l.rc.over():
			return l.damage()
		case length == 0:
			l.window[l.at] = lit
			l.at++
		case int64(l.st.rep[0]) >= had || int64(l.st.rep[0]) >= int64(l.size) || length > l.left-(int(had-l.had)):
			return errLZMA
		default:
			l.match = length
		}
	}
	return nil
}

// damage is the error of a chunk that does not end where it should.
func (l *lzma2) damage() error {
	if l.cut {
		return io.ErrUnexpectedEOF
	}
	return errLZMA
}

// copyMatch copies what there is room for of a match.
func (l *lzma2) copyMatch(end int) {
	n := min(l.match, end-l.at)
	l.match -= n
	distance := int(l.st.rep[0]) + 1
	from := l.at - distance
	if from < 0 {
		from += len(l.window)
	}
	for n > 0 {
		k := min(n, len(l.window)-from)
		if from < l.at {
			k = min(k, l.at-from) // the rest repeats what is copied now
		}
		copy(l.window[l.at:l.at+k], l.window[from:from+k])
		l.at += k
		n -= k
		if from += k; from == len(l.window) {
			from = 0
		}
	}
}

// rangeDecoder takes a chunk's bytes apart into bits. Each bit has a probability, which it adapts.
type rangeDecoder struct {
	buf   [packedMost + overrun]byte
	n     int // bytes of the chunk
	at    int
	width uint32
	code  uint32
}

const (
	packedMost = 64 << 10
	// overrun is more than a symbol can take: it is decoded beyond the chunk's end, and thrown away.
	overrun = 64

	even    = 1 << 10 // a probability of one half
	topUnit = 1 << 24
)

// load takes n bytes; cut says that there are fewer.
func (r *rangeDecoder) load(in io.Reader, n int) (cut bool, err error) {
	got, err := io.ReadFull(in, r.buf[:n])
	cut = err == io.ErrUnexpectedEOF || err == io.EOF
	if err != nil && !cut {
		return false, err
	}
	if got < 5 {
		if cut {
			return true, io.ErrUnexpectedEOF
		}
		return false, errLZMA
	}
	if r.buf[0] != 0 {
		return cut, errLZMA
	}
	clear(r.buf[got : got+overrun])
	r.n, r.at = got, 5
	r.width, r.code = 0xffffffff, binary.BigEndian.Uint32(r.buf[1:])
	return cut, nil
}

// over says that more bytes were taken than there are.
func (r *rangeDecoder) over() bool { return r.at > r.n }

// ended says whether the chunk ended with its last symbol.
func (r *rangeDecoder) ended() bool {
	r.normalize()
	return r.at == r.n && r.code == 0
}

func (r *rangeDecoder) normalize() {
	if r.width < topUnit {
		r.width <<= 8
		r.code = r.code<<8 | uint32(r.buf[r.at])
		r.at++
	}
}

func (r *rangeDecoder) bit(p *uint16) uint32 {
	r.normalize()
	bound := r.width >> 11 * uint32(*p)
	if r.code < bound {
		r.width = bound
		*p += (2*even - *p) >> 5
		return 0
	}
	r.width -= bound
	r.code -= bound
	*p -= *p >> 5
	return 1
}

// tree decodes a number of so many bits, the highest first; probs has one for each prefix.
func (r *rangeDecoder) tree(probs []uint16, bits int) uint32 {
	m := uint32(1)
	width, code, at := r.width, r.code, r.at
	for range bits {
		if width < topUnit {
			width <<= 8
			code = code<<8 | uint32(r.buf[at])
			at++
		}
		p := &probs[m]
		bound := width >> 11 * uint32(*p)
		if code < bound {
			width = bound
			*p += (2*even - *p) >> 5
			m <<= 1
		} else {
			width -= bound
			code -= bound
			*p -= *p >> 5
			m = m<<1 | 1
		}
	}
	r.width, r.code, r.at = width, code, at
	return m - 1<<bits
}

// reverse is tree with the lowest bit first.
func (r *rangeDecoder) reverse(probs []uint16, bits int) (v uint32) {
	m := uint32(1)
	for i := range bits {
		b := r.bit(&probs[m])
		m = m<<1 | b
		v |= b << i
	}
	return v
}

// direct decodes bits of even probability.
func (r *rangeDecoder) direct(bits int) (v uint32) {
	for range bits {
		r.normalize()
		r.width >>= 1
		b := uint32(0)
		if r.code >= r.width {
			r.code -= r.width
			b = 1
		}
		v = v<<1 | b
	}
	return v
}
