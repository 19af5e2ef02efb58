package outbox

import "github.com/trawl-logs/trawl/schemas"

// fragment is how much of a line too long for one frame goes in each.
const fragment = schemas.DataTarget / 2

// pack gives emit the chunks, in order, in groups that fit one Data frame each. A chunk too large
// for one is split between lines; a line too large, into fragments.
func pack(chunks []schemas.Chunk, terminator byte, emit func([]schemas.Chunk)) {
	const room = schemas.MaxRaw - 16
	start, size := 0, 0
	flush := func(end int) {
		if end > start {
			emit(chunks[start:end])
		}
		start, size = end, 0
	}
	for i := range chunks {
		n := chunks[i].SizeBound()
		if size+n > room || i-start == schemas.MaxChunks {
			flush(i)
		}
		if n > room {
			split(chunks[i], terminator, room, emit)
			start = i + 1
			continue
		}
		size += n
	}
	flush(len(chunks))
}

// split gives emit the chunk in parts of at most room bytes.
func split(c schemas.Chunk, terminator byte, room int, emit func([]schemas.Chunk)) {
	if c.SizeBound() <= room {
		emit([]schemas.Chunk{c})
		return
	}
	lines := c.Lines(terminator)
	if lines > 1 || lines == 1 && c.Continues {
		head, tail := c.Cut(lines/2, terminator)
		split(head, terminator, room, emit)
		split(tail, terminator, room, emit)
		return
	}
	for len(c.Text) > fragment {
		piece := c
		piece.Text, piece.More = c.Text[:fragment], true
		emit([]schemas.Chunk{piece})
		c = schemas.Chunk{Service: c.Service, File: c.File, Text: c.Text[fragment:], More: c.More, Continues: true}
	}
	emit([]schemas.Chunk{c})
}
