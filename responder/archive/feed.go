package archive

import "encoding/binary"

// feed is an input as a stream of bits, the lowest of each byte first. Bytes may be read of it where it is
// aligned.
type feed struct {
	in      *input
	buf     []byte
	at, end int // what is in buf and not in bits
	bits    uint64
	n       uint  // of bits
	beyond  uint  // bytes in bits that are behind the end
	err     error // after the bytes that are there
}

// feedBack is how many bytes that were taken stay in the buffer, since align may give them back.
const feedBack = 8

func newFeed(in *input) *feed {
	return &feed{in: in, buf: make([]byte, feedBack+min(inputSize, max(in.size-in.off, 16))), at: feedBack, end: feedBack}
}

// position is the bit that comes next, of the file.
func (f *feed) position() int64 {
	return (f.in.off-int64(f.end-f.at))*8 - int64(f.n) + int64(f.beyond)*8
}

// load reads on; false at the end, or after an error.
func (f *feed) load() bool {
	copy(f.buf, f.buf[f.at-feedBack:f.at])
	f.at, f.end = feedBack, feedBack
	var n int
	n, f.err = f.in.Read(f.buf[feedBack:])
	f.end += n
	return n > 0
}

// more makes sure of 56 bits. What is behind the end counts as zeros.
func (f *feed) more() {
	if f.end-f.at >= 8 {
		f.bits |= binary.LittleEndian.Uint64(f.buf[f.at:]) << f.n
		f.at += int(63-f.n) >> 3
		f.n |= 56
		return
	}
	f.slowly()
}

func (f *feed) slowly() {
	f.bits &= 1<<f.n - 1
	for f.n < 56 {
		if f.at == f.end && !f.load() {
			f.beyond++
		} else {
			f.bits |= uint64(f.buf[f.at]) << f.n
			f.at++
		}
		f.n += 8
	}
}

// over says whether bits were taken that are not there.
func (f *feed) over() bool { return f.beyond*8 > f.n }

// why is the error of taking more than there is.
func (f *feed) why() error { return cutShort(f.err) }

// whyNot is why what was taken makes no sense.
func (f *feed) whyNot() error {
	if f.over() {
		return f.why()
	}
	return errDeflate
}

// drop takes the bits of an entry.
func (f *feed) drop(e uint32) {
	f.bits >>= e & 63
	f.n -= uint(e & 63)
}

// extra takes an entry's extra bits.
func (f *feed) extra(e uint32) int {
	k := e >> 8 & entryExtra
	v := f.bits & (1<<k - 1)
	f.bits >>= k
	f.n -= uint(k)
	return int(v)
}

// take takes up to 32 bits.
func (f *feed) take(k uint) (uint32, error) {
	f.more()
	v := f.bits & (1<<k - 1)
	f.bits >>= k
	if f.n -= k; f.over() {
		return 0, f.why()
	}
	return uint32(v), nil
}

// align drops the rest of a byte that was begun, and gives back those that were not.
func (f *feed) align() {
	f.at -= int(f.n/8) - int(f.beyond)
	f.bits, f.n, f.beyond = 0, 0, 0
}

// Read reads bytes.
func (f *feed) Read(p []byte) (int, error) {
	if f.at == f.end && !f.load() {
		return 0, f.err
	}
	n := copy(p, f.buf[f.at:f.end])
	f.at += n
	return n, nil
}

// ReadByte reads one byte.
func (f *feed) ReadByte() (byte, error) {
	if f.at == f.end && !f.load() {
		return 0, f.err
	}
	f.at++
	return f.buf[f.at-1], nil
}

// peek returns the next n bytes, up to feedBack of them, without taking them; fewer with an error.
func (f *feed) peek(n int) ([]byte, error) {
	var b []byte
	for len(b) < n {
		c, err := f.ReadByte()
		if err != nil {
			f.at -= len(b)
			return b, err
		}
		b = append(b, c)
	}
	f.at -= n
	return b, nil
}

// UnreadByte gives the last byte back.
func (f *feed) UnreadByte() error {
	f.at--
	return nil
}
