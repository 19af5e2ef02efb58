package main

import (
	"bytes"
	"math"
)

const (
	fineBits    = 18  // keys are told apart by so many bits of their hash
	blockStrips = 256 // strips of a block
	// fuseBits is what a binary fuse filter of 8 bits takes a key (Graf and Lemire 2022), and fuseRate how
	// often it is wrong. It is not built: its answers are drawn.
	fuseBits = 9.1
	fuseRate = 1.0 / 256
)

// index is a design, built.
type index struct {
	design
	strips []strip
	size   int // bytes
}

// strip is a filter and what it is of.
type strip struct {
	bytes  int
	m      uint32   // bits
	filter []uint64 // one bit a key
	common []uint64 // of the block: keys that are left out
	key    uint32   // makes a fuse filter's errors those of this strip
}

// build indexes the logs.
func build(d design, logs []log) *index {
	x := &index{design: d}
	for _, l := range logs {
		lines := d.strip / max(len(l.data)/max(bytes.Count(l.data, []byte("\n")), 1), 1)
		b := blockBuilder{index: x, fine: make([]uint64, 1<<fineBits/64)}
		for rest := l.data; len(rest) > 0; {
			from := rest
			for range lines {
				end := bytes.IndexByte(rest, '\n')
				if end < 0 {
					rest = nil
					break
				}
				d.keys(rest[:end], false, b.add)
				rest = rest[end+1:]
			}
			b.endStrip(len(from) - len(rest))
			if len(b.strips) == blockStrips {
				b.end()
			}
		}
		b.end()
	}
	return x
}

// blockBuilder collects the keys of a block's strips.
type blockBuilder struct {
	index  *index
	fine   []uint64
	keys   []uint32 // of this strip, distinct
	strips [][]uint32
	bytes  []int
}

func (b *blockBuilder) add(key uint32) {
	f := key >> (32 - fineBits)
	if b.fine[f>>6]>>(f&63)&1 == 0 {
		b.fine[f>>6] |= 1 << (f & 63)
		b.keys = append(b.keys, f)
	}
}

func (b *blockBuilder) endStrip(size int) {
	for _, f := range b.keys {
		b.fine[f>>6] = 0
	}
	b.strips = append(b.strips, append([]uint32{}, b.keys...))
	b.bytes = append(b.bytes, size)
	b.keys = b.keys[:0]
}

// end makes the filters of the block.
func (b *blockBuilder) end() {
	x := b.index
	var common []uint64
	n := 0 // keys in all
	if x.common > 0 {
		counts := make([]int, 1<<fineBits)
		for _, keys := range b.strips {
			for _, f := range keys {
				counts[f]++
			}
		}
		common = make([]uint64, 1<<fineBits/64)
		for f, c := range counts {
			if float64(c) >= x.common*float64(len(b.strips)) {
				common[f>>6] |= 1 << (f & 63)
			} else {
				n += c
			}
		}
		x.size += 1 << fineBits / 8 / 2 // half as fine would do: see responder/block
	}
	for i, keys := range b.strips {
		s := strip{bytes: b.bytes[i], common: common, key: uint32(len(x.strips)) * 0x9E3779B1}
		switch {
		case x.bits == 0:
			s.m = 1 << fineBits
			x.size += int(math.Ceil(float64(len(keys)) * fuseBits / 8))
		case common != nil: // all strips of a block alike
			s.m = uint32(x.bits*float64(n)/float64(len(b.strips))) + 64
			x.size += int(s.m+7) / 8
		default:
			s.m = uint32(x.bits*float64(len(keys))) + 64
			x.size += int(s.m+7) / 8
		}
		s.filter = make([]uint64, s.m/64+1)
		for _, f := range keys {
			if common == nil || common[f>>6]>>(f&63)&1 == 0 {
				at := uint64(f) * uint64(s.m) >> fineBits
				s.filter[at>>6] |= 1 << (at & 63)
			}
		}
		x.strips = append(x.strips, s)
	}
	b.strips, b.bytes = nil, nil
}

// read returns how many bytes a search for text reads.
func (x *index) read(text string) int {
	var keys []uint32
	x.keys([]byte(text), true, func(key uint32) { keys = append(keys, key>>(32-fineBits)) })
	sum := 0
	for i := range x.strips {
		if x.strips[i].may(keys, x.bits) {
			sum += x.strips[i].bytes
		}
	}
	return sum
}

func (s *strip) may(keys []uint32, bits float64) bool {
	for _, f := range keys {
		if s.common != nil && s.common[f>>6]>>(f&63)&1 != 0 {
			continue
		}
		at := uint64(f) * uint64(s.m) >> fineBits
		if s.filter[at>>6]>>(at&63)&1 == 0 && (bits != 0 || !drawn(f^s.key)) {
			return false
		}
	}
	return true
}

// drawn is true once in 256.
func drawn(v uint32) bool {
	v *= 0x85ebca6b
	v ^= v >> 13
	v *= 0xc2b2ae35
	return float64(v>>8)/(1<<24) < fuseRate
}
