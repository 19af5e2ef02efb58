package schemas

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// writer encodes msgpack with one Encoder over one bytes.Buffer, both reused. A bytes.Buffer never
// fails, so the errors of the Encoder's methods are not looked at.
type writer struct {
	buf  bytes.Buffer
	enc  *msgpack.Encoder
	pack []byte // scratch of the compressor
}

var writers = sync.Pool{New: func() any {
	w := &writer{}
	w.enc = msgpack.NewEncoder(&w.buf)
	return w
}}

// appending lends a writer whose buffer appends to dst.
func appending(dst []byte) *writer {
	w := writers.Get().(*writer)
	w.buf = *bytes.NewBuffer(dst)
	return w
}

// done returns what was written and gives the writer back.
func (w *writer) done() []byte {
	b := w.buf.Bytes()
	w.buf = bytes.Buffer{}
	writers.Put(w)
	return b
}

func (w *writer) open(fields int)    { w.array(fields + 1); w.uint(Version) }
func (w *writer) array(n int)        { _ = w.enc.EncodeArrayLen(n) }
func (w *writer) int(v int64)        { _ = w.enc.EncodeInt(v) }
func (w *writer) uint(v uint64)      { _ = w.enc.EncodeUint(v) }
func (w *writer) bool(v bool)        { _ = w.enc.EncodeBool(v) }
func (w *writer) null()              { _ = w.enc.EncodeNil() }
func (w *writer) position() int      { return w.buf.Len() }
func (w *writer) since(p int) []byte { return w.buf.Bytes()[p:] }

// string writes a str, or a bin where the bytes are not valid UTF-8 (file names need not be), so
// that a strict decoder of any language reads the message.
func (w *writer) string(s string) {
	if utf8.ValidString(s) {
		_ = w.enc.EncodeString(s)
		return
	}
	_ = w.enc.EncodeBytesLen(len(s))
	_, _ = w.buf.WriteString(s)
}

func (w *writer) bytes(b []byte) {
	_ = w.enc.EncodeBytesLen(len(b))
	_, _ = w.buf.Write(b)
}

func (w *writer) strings(list []string) {
	w.array(len(list))
	for _, s := range list {
		w.string(s)
	}
}

// deltas writes integers as the difference from the one before, NoTime as nil. It appends the
// numbers itself, in the shortest form as the Encoder does, but in a fifth of the time.
func (w *writer) deltas(column []int64) {
	w.array(len(column))
	w.buf.Grow(9 * len(column))
	b := w.buf.AvailableBuffer()
	var base int64
	for _, v := range column {
		if v == NoTime {
			b = append(b, msgpcode.Nil)
			continue
		}
		b = appendInt(b, v-base)
		base = v
	}
	_, _ = w.buf.Write(b)
}

func appendInt(b []byte, v int64) []byte {
	switch {
	case v >= 0 && v <= 0x7f, v < 0 && v >= -0x20:
		return append(b, byte(v))
	case v >= 0 && v <= math.MaxUint8:
		return append(b, msgpcode.Uint8, byte(v))
	case v >= 0 && v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, msgpcode.Uint16), uint16(v))
	case v >= 0 && v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, msgpcode.Uint32), uint32(v))
	case v >= 0:
		return binary.BigEndian.AppendUint64(append(b, msgpcode.Uint64), uint64(v))
	case v >= math.MinInt8:
		return append(b, msgpcode.Int8, byte(v))
	case v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, msgpcode.Int16), uint16(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, msgpcode.Int32), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, msgpcode.Int64), uint64(v))
}

// fixed32 leaves room for a number of four bytes after its code, for patch32.
func (w *writer) fixed32(code byte) (position int) {
	_, _ = w.buf.Write([]byte{code, 0, 0, 0, 0})
	return w.position() - 4
}

func (w *writer) patch32(position int, v uint32) {
	binary.BigEndian.PutUint32(w.buf.Bytes()[position:], v)
}

// uint32At writes a uint of fixed width that is patched later.
func (w *writer) uint32At() int { return w.fixed32(msgpcode.Uint32) }

// bin32At opens a bin of fixed-width length that is patched later.
func (w *writer) bin32At() int { return w.fixed32(msgpcode.Bin32) }
