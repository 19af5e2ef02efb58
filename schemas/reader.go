package schemas

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// Version is the first field of every message. A change that a reader of this version could not
// skip gets a new one.
const Version = 1

// maxDepth bounds how deep the arrays and maps of a skipped field may nest.
const maxDepth = 16

// reader decodes msgpack by hand over one message. Every length is checked against what is left
// before anything is allocated, and byte strings are slices of the message. The first error stays:
// after it, every method returns zero, so that a caller checks err once.
//
// The library's Decoder is not used: it allocates what a length prefix claims (5 bytes cost it
// 512 MB) and reads every number through an interface.
type reader struct {
	msg []byte // what is left
	err error
}

func (r *reader) fail(field, format string, args ...any) {
	if r.err == nil {
		r.err = fieldErrorf(field, format, args...)
		r.msg = nil
	}
}

// take returns the next n bytes of the message.
func (r *reader) take(field string, n uint64) []byte {
	if n > uint64(len(r.msg)) {
		r.fail(field, "%d bytes claimed, %d left", n, len(r.msg))
		return nil
	}
	if n == 0 {
		return nil
	}
	b := r.msg[:n:n]
	r.msg = r.msg[n:]
	return b
}

func (r *reader) code(field string) byte {
	if len(r.msg) == 0 {
		r.fail(field, "message ends")
		return msgpcode.Nil
	}
	c := r.msg[0]
	r.msg = r.msg[1:]
	return c
}

// bigEndian reads an n-byte number.
func (r *reader) bigEndian(field string, n int) uint64 {
	var v uint64
	for _, b := range r.take(field, uint64(n)) {
		v = v<<8 | uint64(b)
	}
	return v
}

// number reads an integer of any width as the 64 bits that stand for it; negative says how to
// read them.
func (r *reader) number(field string) (bits uint64, negative bool) {
	c := r.code(field)
	switch {
	case r.err != nil:
		return 0, false
	case c <= msgpcode.PosFixedNumHigh:
		return uint64(c), false
	case c >= msgpcode.NegFixedNumLow:
		return uint64(int64(int8(c))), true
	case c >= msgpcode.Uint8 && c <= msgpcode.Uint64:
		return r.bigEndian(field, 1<<(c-msgpcode.Uint8)), false
	case c >= msgpcode.Int8 && c <= msgpcode.Int64:
		width := 1 << (c - msgpcode.Int8)
		shift := 64 - 8*width
		v := int64(r.bigEndian(field, width)<<shift) >> shift
		return uint64(v), v < 0
	}
	r.fail(field, "code %#x is no integer", c)
	return 0, false
}

func (r *reader) int(field string) int64 {
	bits, negative := r.number(field)
	if !negative && bits > math.MaxInt64 {
		r.fail(field, "%d is too large", bits)
		return 0
	}
	return int64(bits)
}

func (r *reader) uint(field string) uint64 {
	bits, negative := r.number(field)
	if negative {
		r.fail(field, "%d is negative", int64(bits))
		return 0
	}
	return bits
}

// count reads an int that cannot be negative.
func (r *reader) count(field string) int64 {
	v := r.int(field)
	if v < 0 {
		r.fail(field, "%d is negative", v)
		return 0
	}
	return v
}

// enum reads a small unsigned value.
func (r *reader) enum(field string) uint8 {
	v := r.uint(field)
	if v > math.MaxUint8 {
		r.fail(field, "%d is not known", v)
		return 0
	}
	return uint8(v)
}

func (r *reader) bool(field string) bool {
	switch c := r.code(field); c {
	case msgpcode.True:
		return true
	case msgpcode.False:
	default:
		r.fail(field, "code %#x is no bool", c)
	}
	return false
}

// null reports whether the next value is nil, and takes it if so.
func (r *reader) null() bool {
	if len(r.msg) > 0 && r.msg[0] == msgpcode.Nil {
		r.msg = r.msg[1:]
		return true
	}
	return false
}

// bytes reads a bin or str as a slice of the message; nil for nil.
func (r *reader) bytes(field string, limit int) []byte {
	var n uint64
	c := r.code(field)
	switch {
	case r.err != nil || c == msgpcode.Nil:
		return nil
	case msgpcode.IsFixedString(c):
		n = uint64(c & msgpcode.FixedStrMask)
	case c == msgpcode.Bin8 || c == msgpcode.Str8:
		n = r.bigEndian(field, 1)
	case c == msgpcode.Bin16 || c == msgpcode.Str16:
		n = r.bigEndian(field, 2)
	case c == msgpcode.Bin32 || c == msgpcode.Str32:
		n = r.bigEndian(field, 4)
	default:
		r.fail(field, "code %#x is no string", c)
		return nil
	}
	if n > uint64(limit) {
		r.fail(field, "has %d bytes, more than %d", n, limit)
		return nil
	}
	return r.take(field, n)
}

func (r *reader) string(field string, limit int) string { return string(r.bytes(field, limit)) }

// stringLike is string, without an allocation where it equals like.
func (r *reader) stringLike(field string, limit int, like string) string {
	b := r.bytes(field, limit)
	if string(b) == like {
		return like
	}
	return string(b)
}

// text reads a string that must be valid UTF-8.
func (r *reader) text(field string, limit int) string {
	b := r.bytes(field, limit)
	if !utf8.Valid(b) {
		r.fail(field, "is not valid UTF-8")
		return ""
	}
	return string(b)
}

// array reads an array's length. Each element takes at least a byte, so no length beyond what is
// left is believed. A nil counts as an empty array.
func (r *reader) array(field string, limit int) int {
	var n uint64
	c := r.code(field)
	switch {
	case r.err != nil || c == msgpcode.Nil:
		return 0
	case msgpcode.IsFixedArray(c):
		n = uint64(c & msgpcode.FixedArrayMask)
	case c == msgpcode.Array16:
		n = r.bigEndian(field, 2)
	case c == msgpcode.Array32:
		n = r.bigEndian(field, 4)
	default:
		r.fail(field, "code %#x is no array", c)
		return 0
	}
	switch {
	case n > uint64(len(r.msg)):
		r.fail(field, "%d elements claimed, %d bytes left", n, len(r.msg))
		return 0
	case n > uint64(limit):
		r.fail(field, "has %d elements, more than %d", n, limit)
		return 0
	}
	return int(n)
}

// record opens an array of at least known fields and returns how many more there are, which the
// caller skips once it has read the known ones.
func (r *reader) record(field string, known int) (extra int) {
	n := r.array(field, math.MaxInt)
	if n < known {
		r.fail(field, "has %d fields, fewer than %d", n, known)
		return 0
	}
	return n - known
}

// open starts a message: an array whose first field is the version.
func (r *reader) open(name string, known int) (extra int) {
	extra = r.record(name, known+1)
	if v := r.uint(name); r.err == nil && v != Version {
		r.fail(name, "version %d is not supported", v)
	}
	return extra
}

// close skips the extra fields of a later version and refuses what follows the message.
func (r *reader) close(name string, extra int) error {
	r.skip(name, extra)
	if r.err == nil && len(r.msg) > 0 {
		r.fail(name, "%d bytes follow the message", len(r.msg))
	}
	return r.err
}

func (r *reader) strings(field string, limit, length int) []string {
	n := r.array(field, limit)
	if n == 0 {
		return nil
	}
	s := make([]string, 0, n)
	for range n {
		s = append(s, r.string(field, length))
		if r.err != nil {
			return nil
		}
	}
	return s
}

// deltas reads integers that are stored as the difference from the one before; in a column of times
// nil is NoTime, which does not move the base.
func (r *reader) deltas(field string, times bool) []int64 {
	n := r.array(field, math.MaxInt)
	if n == 0 {
		return nil
	}
	column := make([]int64, n)
	var base int64
	for i := range column {
		switch b := r.msg; {
		case len(b) > 0 && b[0] <= msgpcode.PosFixedNumHigh: // these three are nearly all there are
			base += int64(b[0])
			r.msg = b[1:]
		case len(b) > 2 && b[0] == msgpcode.Uint16:
			base += int64(binary.BigEndian.Uint16(b[1:]))
			r.msg = b[3:]
		case len(b) > 4 && b[0] == msgpcode.Uint32:
			base += int64(binary.BigEndian.Uint32(b[1:]))
			r.msg = b[5:]
		case times && r.null():
			column[i] = NoTime
			continue
		default:
			if base += r.delta(field); r.err != nil {
				return nil
			}
		}
		if base == NoTime && !times {
			r.fail(field, "holds %d", base)
			return nil
		}
		column[i] = base
	}
	return column
}

// delta reads a difference, which wraps around as the writer's did.
func (r *reader) delta(field string) int64 {
	bits, _ := r.number(field)
	return int64(bits)
}

// skip passes over n values of any type. It keeps the counts of open arrays and maps itself, so
// that deep nesting costs neither stack nor memory.
func (r *reader) skip(field string, n int) {
	var open [maxDepth]uint64
	open[0] = uint64(n)
	for depth := 0; depth >= 0; {
		if open[depth] == 0 {
			depth--
			continue
		}
		open[depth]--
		inner := r.skipOne(field)
		if r.err != nil {
			return
		}
		if inner == 0 {
			continue
		}
		if depth++; depth == maxDepth {
			r.fail(field, "nests deeper than %d", maxDepth)
			return
		}
		open[depth] = inner
	}
}

// skipOne passes over one value, of an array or map only its head; inner is how many values follow
// as its elements.
func (r *reader) skipOne(field string) (inner uint64) {
	c := r.code(field)
	switch {
	case r.err != nil:
		return 0
	case msgpcode.IsFixedNum(c), c == msgpcode.Nil, c == msgpcode.False, c == msgpcode.True:
		return 0
	case msgpcode.IsFixedString(c):
		r.take(field, uint64(c&msgpcode.FixedStrMask))
		return 0
	case msgpcode.IsFixedArray(c):
		return r.elements(field, uint64(c&msgpcode.FixedArrayMask))
	case msgpcode.IsFixedMap(c):
		return r.elements(field, 2*uint64(c&msgpcode.FixedMapMask))
	}
	size, ok := skipSizes[c]
	if !ok {
		r.fail(field, "code %#x is not known", c)
		return 0
	}
	n := uint64(size.fixed)
	if size.length > 0 {
		n += r.bigEndian(field, size.length) * max(1, uint64(size.elements))
	}
	if size.elements > 0 {
		return r.elements(field, n)
	}
	r.take(field, n)
	return 0
}

func (r *reader) elements(field string, n uint64) uint64 {
	if n > uint64(len(r.msg)) {
		r.fail(field, "%d elements claimed, %d bytes left", n, len(r.msg))
		return 0
	}
	return n
}

// skipSizes says what follows a code: a length of so many bytes, fixed bytes besides, and for
// containers the values per element.
var skipSizes = map[byte]struct{ length, fixed, elements int }{
	msgpcode.Uint8: {fixed: 1}, msgpcode.Uint16: {fixed: 2}, msgpcode.Uint32: {fixed: 4}, msgpcode.Uint64: {fixed: 8},
	msgpcode.Int8: {fixed: 1}, msgpcode.Int16: {fixed: 2}, msgpcode.Int32: {fixed: 4}, msgpcode.Int64: {fixed: 8},
	msgpcode.Float: {fixed: 4}, msgpcode.Double: {fixed: 8},
	msgpcode.Str8: {length: 1}, msgpcode.Str16: {length: 2}, msgpcode.Str32: {length: 4},
	msgpcode.Bin8: {length: 1}, msgpcode.Bin16: {length: 2}, msgpcode.Bin32: {length: 4},
	msgpcode.Array16: {length: 2, elements: 1}, msgpcode.Array32: {length: 4, elements: 1},
	msgpcode.Map16: {length: 2, elements: 2}, msgpcode.Map32: {length: 4, elements: 2},
	msgpcode.FixExt1: {fixed: 2}, msgpcode.FixExt2: {fixed: 3}, msgpcode.FixExt4: {fixed: 5},
	msgpcode.FixExt8: {fixed: 9}, msgpcode.FixExt16: {fixed: 17},
	msgpcode.Ext8: {length: 1, fixed: 1}, msgpcode.Ext16: {length: 2, fixed: 1}, msgpcode.Ext32: {length: 4, fixed: 1},
}
