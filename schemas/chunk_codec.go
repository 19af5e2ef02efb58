package schemas

import (
	"math"
	"slices"

	"github.com/klauspost/compress/s2"
)

// Data on the wire is [ offset, raw, packing, chunks ]: chunks is a bin that holds the msgpack
// array of chunks, raw its length; with packing 1 the bin is one snappy block that decompresses to
// it. So credit counts the same bytes whether or not they are compressed. Each chunk is
//
//	[ kind, service, file, text, flags, numbers, offsets, times, context, groups, count, size, groups_again, origin ]
//
// flags: 1 more, 2 continues. The five columns are arrays of the differences between neighbours
// (the first from 0; context, being run lengths, are stored as they are); a nil among times is a
// line without a time and leaves the base where it was. Size and what follows
// came later: a chunk without them is taken, and one without an origin is written without that field. Groups holds no index twice; those that come again stand
// in groups_again, as do all of a chunk that is not of lines.
const (
	chunkFields    = 13
	chunkFieldsOld = 11

	packingNone   = 0
	packingSnappy = 1

	flagMore      = 1
	flagContinues = 2
)

// Compression is tried from minPack bytes on, and pays if it saves an eighth. A snappy block makes at
// most 64 bytes of 3, so a claim beyond maxPackRatio is a lie.
const (
	minPack      = 1 << 10
	maxPackRatio = 24
)

func (w *writer) data(d *Data) {
	if d == nil {
		w.null()
		return
	}
	w.buf.Grow(128 + sizeBound(d.Chunks))
	w.array(dataFields)
	w.int(d.Offset)
	rawAt := w.uint32At()
	packingAt := w.position()
	w.uint(packingNone)
	lengthAt := w.bin32At()
	start := w.position()
	w.array(len(d.Chunks))
	for i := range d.Chunks {
		w.chunk(&d.Chunks[i])
	}
	raw := w.since(start)
	d.Raw = int64(len(raw))
	w.patch32(rawAt, uint32(len(raw)))
	if d.Compress && len(raw) >= minPack {
		w.pack = s2.EncodeSnappy(w.pack[:cap(w.pack)], raw)
		if len(w.pack) < len(raw)-len(raw)/8 {
			n := copy(raw, w.pack)
			w.buf.Truncate(start + n)
			w.buf.Bytes()[packingAt] = packingSnappy
		}
	}
	w.patch32(lengthAt, uint32(w.position()-start))
}

// sizeBound is an upper bound of the encoded size of chunks.
func sizeBound(chunks []Chunk) int {
	n := 5
	for i := range chunks {
		n += chunks[i].SizeBound()
	}
	return n
}

// SizeBound is an upper bound, in bytes, of what the chunk adds to the raw size of a Data frame.
func (c *Chunk) SizeBound() int {
	return 72 + originBound + len(c.Service) + len(c.File) + len(c.Text) +
		9*(len(c.Numbers)+len(c.Offsets)+len(c.Times)+len(c.Context)+len(c.Groups))
}

func (w *writer) chunk(c *Chunk) {
	fields := chunkFields
	if c.Origin != nil {
		fields++
	}
	w.array(fields)
	w.uint(uint64(c.Kind))
	w.string(c.Service)
	w.string(c.File)
	w.bytes(c.Text)
	var flags uint64
	if c.More {
		flags |= flagMore
	}
	if c.Continues {
		flags |= flagContinues
	}
	w.uint(flags)
	w.deltas(c.Numbers)
	w.deltas(c.Offsets)
	w.deltas(c.Times)
	w.runs(c.Context)
	once, again := c.splitGroups()
	w.deltas(once)
	w.int(c.Count)
	w.int(c.Size)
	w.deltas(again)
	if c.Origin != nil {
		w.origin(c.Origin)
	}
}

// splitGroups parts the groups into those at an index of their own, and those that come again.
func (c *Chunk) splitGroups() (once, again []int64) {
	if c.Kind != ChunkLines {
		return nil, c.Groups
	}
	for i, g := range c.Groups {
		switch {
		case i > 0 && g == c.Groups[i-1]:
			if again == nil {
				once = append(once, c.Groups[:i]...)
			}
			again = append(again, g)
		case again != nil:
			once = append(once, g)
		}
	}
	if again == nil {
		return c.Groups, nil
	}
	return once, again
}

func (w *writer) runs(runs []int64) {
	w.array(len(runs))
	for _, run := range runs {
		w.int(run)
	}
}

func (r *reader) data() *Data {
	if r.null() || r.err != nil {
		return nil
	}
	d := &Data{}
	extra := r.record("data", dataFields)
	d.Offset = r.count("data.offset")
	d.Raw = r.count("data.raw")
	packing := r.uint("data.packing")
	payload := r.bytes("data.chunks", MaxFrame)
	r.skip("data", extra)
	if r.err != nil {
		return nil
	}
	raw, err := unpack(packing, payload)
	if err == nil && int64(len(raw)) != d.Raw {
		err = fieldErrorf("data.raw", "is %d, the chunks have %d bytes", d.Raw, len(raw))
	}
	if err == nil {
		d.Compress = packing == packingSnappy
		inner := &reader{msg: raw}
		d.Chunks = inner.chunks()
		err = inner.close("data.chunks", 0)
	}
	if err != nil {
		r.err = err
		return nil
	}
	return d
}

func unpack(packing uint64, payload []byte) ([]byte, error) {
	switch packing {
	case packingNone:
		return payload, nil
	case packingSnappy:
		n, err := s2.DecodedLen(payload)
		switch {
		case err != nil:
			return nil, fieldErrorf("data.chunks", "%v", err)
		case n > MaxRaw || n > maxPackRatio*len(payload):
			return nil, fieldErrorf("data.chunks", "%d bytes claim to hold %d", len(payload), n)
		}
		raw, err := s2.Decode(make([]byte, n), payload)
		if err != nil {
			return nil, fieldErrorf("data.chunks", "%v", err)
		}
		return raw, nil
	}
	return nil, fieldErrorf("data.packing", "%d is not known", packing)
}

func (r *reader) chunks() []Chunk {
	n := r.array("data.chunks", MaxChunks)
	if n*chunkFieldsOld > len(r.msg) { // each field takes a byte at least
		r.fail("data.chunks", "%d chunks claimed, %d bytes left", n, len(r.msg))
		return nil
	}
	chunks := make([]Chunk, n)
	before := &Chunk{}
	for i := range chunks {
		r.chunk(&chunks[i], before)
		if r.err != nil {
			return nil
		}
		before = &chunks[i]
	}
	return chunks
}

// chunk reads one chunk, and shares the names of the one before it where they are the same.
func (r *reader) chunk(c, before *Chunk) {
	extra := r.record("chunk", chunkFieldsOld)
	c.Kind = ChunkKind(r.enum("chunk.kind"))
	c.Service = r.stringLike("chunk.service", MaxName, before.Service)
	c.File = r.stringLike("chunk.file", MaxName, before.File)
	c.Text = r.bytes("chunk.text", MaxRaw)
	flags := r.uint("chunk.flags")
	c.More = flags&flagMore != 0
	c.Continues = flags&flagContinues != 0
	c.Numbers = r.deltas("chunk.numbers", false)
	c.Offsets = r.deltas("chunk.offsets", false)
	c.Times = r.deltas("chunk.times", true)
	c.Context = r.runs("chunk.context", math.MaxInt)
	c.Groups = r.deltas("chunk.groups", false)
	c.Count = r.count("chunk.count")
	if extra > 0 {
		c.Size = r.count("chunk.size")
		extra--
	}
	if extra > 0 {
		if again := r.deltas("chunk.groups_again", false); len(again) > 0 {
			c.Groups = append(c.Groups, again...)
			slices.Sort(c.Groups)
		}
		extra--
	}
	if extra > 0 {
		c.Origin = r.origin()
		extra--
	}
	r.skip("chunk", extra)
}

// runs reads run lengths, none of them negative.
func (r *reader) runs(field string, most int) []int64 {
	n := r.array(field, most)
	if n == 0 {
		return nil
	}
	runs := make([]int64, n)
	for i := range runs {
		if runs[i] = r.count(field); r.err != nil {
			return nil
		}
	}
	return runs
}

func (c *Chunk) validate() error {
	switch {
	case c.Kind > ChunkUnread:
		return fieldErrorf("chunk.kind", "%d is not known", c.Kind)
	case c.Kind == ChunkFailed && len(c.Text) > MaxFailure:
		return fieldErrorf("chunk.text", "has %d bytes, more than %d", len(c.Text), MaxFailure)
	case c.Kind == ChunkUnread && (c.Origin == nil || len(c.Text) == 0 || len(c.Text)%idBytes != 0):
		return fieldErrorf("chunk.text", "is no list of a node's blocks")
	case c.Kind != ChunkLines && c.Kind < ChunkFailed && len(c.Text) > 0, c.Kind != ChunkLines && len(c.Numbers)+len(c.Offsets)+len(c.Times)+len(c.Context) > 0, c.Kind != ChunkLines && c.Kind != ChunkBinary && len(c.Groups) > 0:
		return fieldErrorf("chunk.text", "stands in a chunk that is not of lines")
	case c.Kind != ChunkLines && (c.More || c.Continues):
		return fieldErrorf("chunk.flags", "stand in a chunk that is not of lines")
	case c.Kind == ChunkLines && len(c.Text) == 0:
		return fieldErrorf("chunk.text", "is empty")
	case len(c.File) > MaxName:
		return fieldErrorf("chunk.file", "has %d bytes, more than %d", len(c.File), MaxName)
	case len(c.Service) > MaxName:
		return fieldErrorf("chunk.service", "has %d bytes, more than %d", len(c.Service), MaxName)
	}
	return nil
}
