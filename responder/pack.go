package responder

import (
	"bytes"
	"slices"

	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

// Sizes of what is sent. A chunk of directSize or more goes out as it is; smaller ones are gathered.
const (
	directSize   = 32 << 10
	chunkHeads   = 72  // bounds what a chunk takes beside names, text and columns
	originHeads  = 24  // bounds what a chunk's origin takes beside the node's name
	frameHeads   = 8   // bounds what the list of chunks takes
	lineHeads    = 64  // bounds what one line takes in the columns
	minFragment  = 256 // a line is not broken up for less room than this
	maxFrameSize = schemas.DataTarget
)

// packer cuts the results of a search into the chunks of Data frames, each within the room that
// credit leaves. What is too small to be sent alone it keeps, as a copy; the rest stays borrowed
// from the searcher.
type packer struct {
	terminator byte
	whole      bool // a line that fits a frame waits for the room that it takes, and is not broken up
	kept       []schemas.Chunk
	keptSize   int
	pending    int     // group marks that wait for a line
	sizes      []int64 // of the inputs' files
	origins    []*schemas.Origin
}

// chunk makes a chunk of a batch, sharing its memory. ok is false if there is nothing to send.
func (p *packer) chunk(b *scan.Batch) (c schemas.Chunk, ok bool) {
	c = schemas.Chunk{
		Kind: kinds[b.Kind], Service: b.Service, File: b.File, Text: b.Text, More: b.More, Continues: b.Continues,
		Numbers: b.Numbers, Offsets: b.Offsets, Times: b.Times, Context: b.Context, Count: b.Count,
	}
	if b.Kind == scan.KindLines {
		c.Groups = p.groups(b)
		if b.Input < len(p.sizes) {
			c.Size = p.sizes[b.Input]
		}
	}
	if b.Input < len(p.origins) {
		c.Origin = p.origins[b.Input]
	}
	if b.Kind == scan.KindBinary && p.pending > 0 {
		c.Groups, p.pending = make([]int64, p.pending), 0
	}
	return c, c.Kind != schemas.ChunkLines || len(c.Text) > 0
}

var kinds = [...]schemas.ChunkKind{
	scan.KindLines: schemas.ChunkLines, scan.KindCount: schemas.ChunkCount,
	scan.KindFile: schemas.ChunkFile, scan.KindBinary: schemas.ChunkBinary,
}

// maxPending bounds the group marks that wait for a line: of groups that show nothing, which only -o
// with an empty match and -v -o have more of.
const maxPending = 64

// groups takes the group marks of a batch that fall on lines. Those behind the last line, of selected
// lines without text, wait for the next line that there is.
func (p *packer) groups(b *scan.Batch) []int64 {
	marks := b.Groups
	if p.pending > 0 && b.Lines > 0 {
		marks = slices.Concat(make([]int64, p.pending), marks)
		p.pending = 0
	}
	n := len(marks)
	for n > 0 && marks[n-1] >= b.Lines {
		n--
	}
	p.pending = min(p.pending+len(marks)-n, maxPending)
	return marks[:n]
}

// heads bounds what a chunk takes beside text and columns.
func heads(c *schemas.Chunk) int {
	n := chunkHeads + len(c.Service) + len(c.File)
	if c.Origin != nil {
		n += originHeads + len(c.Origin.Node)
	}
	return n
}

// size bounds the encoded size of a chunk from above.
func size(c *schemas.Chunk) int {
	n := heads(c) + len(c.Text)
	for _, column := range [][]int64{c.Numbers, c.Offsets, c.Times, c.Groups} {
		n += columnSize(column)
	}
	for _, run := range c.Context {
		n += intSize(run)
	}
	for i := 1; i < len(c.Groups); i++ {
		if c.Groups[i] == c.Groups[i-1] { // stands in a column of its own
			n += 9
		}
	}
	return n
}

// columnSize is what a column of differences takes in msgpack.
func columnSize(column []int64) int {
	n, before := 0, int64(0)
	for _, v := range column {
		n += intSize(v - before)
		before = v
	}
	return n
}

func intSize(v int64) int {
	switch {
	case v >= 0 && v < 1<<7:
		return 1
	case v >= 0 && v < 1<<8:
		return 2
	case v >= 0 && v < 1<<16:
		return 3
	case v >= 0 && v < 1<<32:
		return 5
	}
	return 9
}

// keep copies a chunk to those that wait for more.
func (p *packer) keep(c *schemas.Chunk) {
	k := *c
	k.Text = slices.Clone(c.Text)
	for _, column := range []*[]int64{&k.Numbers, &k.Offsets, &k.Times, &k.Context, &k.Groups} {
		*column = slices.Clone(*column)
	}
	p.kept = append(p.kept, k)
	p.keptSize += size(&k)
}

// takeKept removes and returns kept chunks for one frame of at most room bytes; nil if not even a
// part of the first one fits.
func (p *packer) takeKept(room int) []schemas.Chunk {
	room = min(room, maxFrameSize) - frameHeads
	n, total := 0, 0
	for n < len(p.kept) && n < schemas.MaxChunks {
		s := size(&p.kept[n])
		if total+s > room {
			break
		}
		total += s
		n++
	}
	if n == 0 && len(p.kept) > 0 {
		head, tail, ok := p.cut(&p.kept[0], room)
		if !ok {
			return nil
		}
		p.keptSize -= size(&p.kept[0])
		if len(tail.Text) > 0 {
			p.kept[0] = tail
			p.keptSize += size(&tail)
		} else {
			p.kept = p.kept[1:]
		}
		return []schemas.Chunk{head}
	}
	taken := p.kept[:n:n]
	if p.kept = p.kept[n:]; len(p.kept) == 0 {
		p.kept = nil
	}
	p.keptSize -= total
	return taken
}

// cut is cut, but for a line that is to be whole.
func (p *packer) cut(c *schemas.Chunk, room int) (head, tail schemas.Chunk, ok bool) {
	head, tail, ok = cut(c, room, p.terminator)
	if !ok || !p.whole || !head.More || len(tail.Text) == 0 {
		return head, tail, ok
	}
	if _, pieces := fitting(c, maxFrameSize-frameHeads-heads(c), p.terminator); pieces > 0 {
		return schemas.Chunk{}, schemas.Chunk{}, false
	}
	return head, tail, ok
}

// cut splits a chunk so that its head takes at most room bytes: as many lines as fit, or a part of
// the first one. The tail is empty if all fits; ok is false if nothing does.
func cut(c *schemas.Chunk, room int, terminator byte) (head, tail schemas.Chunk, ok bool) {
	if size(c) <= room {
		return *c, schemas.Chunk{}, true
	}
	if c.Kind != schemas.ChunkLines {
		return head, tail, false
	}
	room -= heads(c)
	if c.TextOnly() {
		if at := bytes.LastIndexByte(c.Text[:min(max(room, 0), len(c.Text))], terminator) + 1; at > 0 && at < len(c.Text) {
			head, tail = *c, *c
			head.Text, tail.Text = c.Text[:at], c.Text[at:]
			head.More, tail.Continues = false, false
			return head, tail, true
		}
	}
	lines, pieces := fitting(c, room, terminator)
	if pieces > 0 {
		head, tail = c.Cut(lines, terminator)
		return head, tail, true
	}
	if room -= lineHeads; room < minFragment {
		return head, tail, false
	}
	head, tail = fragment(c, room)
	return head, tail, true
}

// fitting counts the lines that begin in c, and the pieces of text up to a terminator, that fit into
// room bytes together with their entries in the columns.
func fitting(c *schemas.Chunk, room int, terminator byte) (lines, pieces int) {
	at, skip := 0, 0
	if c.Continues {
		skip = 1
	}
	perLine := 9 // a group mark
	for _, column := range [][]int64{c.Numbers, c.Offsets, c.Times, c.Context} {
		if len(column) > 0 {
			perLine += 9
		}
	}
	used := 9 // context that starts with no selected line
	for at < len(c.Text) {
		i := bytes.IndexByte(c.Text[at:], terminator)
		if used += i + 1 + perLine; i < 0 || used > room {
			break
		}
		at += i + 1
		if pieces++; pieces > skip {
			lines++
		}
	}
	return lines, pieces
}

// fragment splits a chunk within its first line, behind n bytes.
func fragment(c *schemas.Chunk, n int) (head, tail schemas.Chunk) {
	head, tail = *c, *c
	head.Text, tail.Text = c.Text[:n], c.Text[n:]
	head.More, tail.Continues = true, true
	begun := 1
	if c.Continues {
		begun = 0
	}
	head.Numbers, tail.Numbers = split(c.Numbers, begun)
	head.Offsets, tail.Offsets = split(c.Offsets, begun)
	head.Times, tail.Times = split(c.Times, begun)
	head.Context, head.Groups, tail.Groups = nil, nil, nil
	for _, g := range c.Groups {
		if g < int64(begun) {
			head.Groups = append(head.Groups, g)
		} else {
			tail.Groups = append(tail.Groups, g-int64(begun))
		}
	}
	if begun == 1 && len(c.Context) > 0 {
		head.Context, tail.Context = splitFirst(c.Context)
	}
	return head, tail
}

func split(column []int64, n int) (head, tail []int64) {
	n = min(n, len(column))
	return column[:n:n], column[n:]
}

// splitFirst takes the first line off run lengths.
func splitFirst(runs []int64) (head, tail []int64) {
	tail = slices.Clone(runs)
	for i := range tail {
		if tail[i] > 0 {
			tail[i]--
			if i%2 == 1 {
				return []int64{0, 1}, tail
			}
			return []int64{1}, tail
		}
	}
	return nil, tail
}
