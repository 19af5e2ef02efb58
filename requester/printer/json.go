package printer

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/schemas"
)

// pieceSize is from where on a line is given in several objects: all but the last carry
// "more":true, all but the first "continues":true.
const pieceSize = 4 << 20

// longLine is a line that began in an earlier chunk: the object up to its text, and the text so far.
type longLine struct {
	head      []byte
	text      []byte
	continues bool
}

func (p *Printer) printJSON(node string, c *schemas.Chunk) {
	switch c.Kind {
	case schemas.ChunkLines:
		p.jsonLines(node, c)
	case schemas.ChunkCount:
		p.jsonHead("count", node, c)
		p.buf = append(p.buf, `,"count":`...)
		p.buf = append(strconv.AppendInt(p.buf, c.Count, 10), "}\n"...)
	case schemas.ChunkFile:
		p.jsonHead("file", node, c)
		p.buf = append(p.buf, "}\n"...)
	case schemas.ChunkBinary:
		p.jsonHead("binary", node, c)
		p.buf = append(p.buf, "}\n"...)
	}
}

func (p *Printer) jsonHead(kind, node string, c *schemas.Chunk) {
	p.buf = append(append(append(p.buf, `{"type":"`...), kind...), `","node":`...)
	p.buf = appendString(p.buf, node)
	p.buf = append(p.buf, `,"service":`...)
	p.buf = appendString(p.buf, c.Service)
	p.buf = append(p.buf, `,"file":`...)
	p.buf = appendString(p.buf, c.File)
}

func (p *Printer) jsonLines(node string, c *schemas.Chunk) {
	text := c.Text
	if c.Continues {
		n := bytes.IndexByte(text, p.o.Terminator)
		if n < 0 {
			p.addLong(text)
			return
		}
		p.addLong(text[:n])
		p.endLong()
		text = text[n+1:]
	}
	runs := contextRuns{runs: c.Context}
	for i := 0; len(text) > 0; i++ {
		kind := "match"
		if runs.next() {
			kind = "context"
		}
		n := bytes.IndexByte(text, p.o.Terminator)
		if n < 0 {
			p.beginLong(kind, node, c, i)
			p.addLong(text)
			return
		}
		p.jsonHead(kind, node, c)
		p.jsonColumns(c, i)
		p.jsonText(text[:n])
		p.buf = append(p.buf, "}\n"...)
		text = text[n+1:]
		if len(p.buf) >= writeSize {
			_ = p.Flush() // kept in p.err
		}
	}
}

func (p *Printer) jsonColumns(c *schemas.Chunk, i int) {
	p.buf = append(p.buf, `,"line":`...)
	if i < len(c.Numbers) {
		p.buf = strconv.AppendInt(p.buf, c.Numbers[i], 10)
	} else {
		p.buf = append(p.buf, "null"...) // with --since, unless -n asks for it
	}
	if i < len(c.Offsets) {
		p.buf = strconv.AppendInt(append(p.buf, `,"offset":`...), c.Offsets[i], 10)
	}
	p.buf = append(p.buf, `,"time":`...)
	if i < len(c.Times) && c.Times[i] != schemas.NoTime {
		p.buf = append(p.buf, '"')
		p.buf = time.Unix(0, c.Times[i]).UTC().AppendFormat(p.buf, "2006-01-02T15:04:05.000000000Z")
		p.buf = append(p.buf, '"')
	} else {
		p.buf = append(p.buf, "null"...)
	}
}

func (p *Printer) jsonText(line []byte) {
	if utf8.Valid(line) {
		p.buf = appendString(append(p.buf, `,"text":`...), line)
		return
	}
	p.buf = append(p.buf, `,"bytes":"`...)
	p.buf = append(base64.StdEncoding.AppendEncode(p.buf, line), '"')
}

func (p *Printer) beginLong(kind, node string, c *schemas.Chunk, i int) {
	keep := p.buf
	p.buf = p.long.head[:0]
	p.jsonHead(kind, node, c)
	p.jsonColumns(c, i)
	p.long.head, p.buf = p.buf, keep
	p.long.text, p.long.continues = p.long.text[:0], false
}

// addLong adds to the unfinished line, and gives a piece of it if it has become long.
func (p *Printer) addLong(text []byte) {
	p.long.text = append(p.long.text, text...)
	for len(p.long.text) > pieceSize {
		n := pieceSize
		for back := 1; back < utf8.UTFMax; back++ { // no character is cut in two
			if utf8.RuneStart(p.long.text[n]) {
				break
			}
			n--
		}
		p.longPiece(p.long.text[:n], true)
		p.long.text = p.long.text[:copy(p.long.text, p.long.text[n:])]
	}
}

func (p *Printer) endLong() {
	p.longPiece(p.long.text, false)
	p.long = longLine{head: p.long.head[:0]} // let go of megabytes
}

func (p *Printer) longPiece(text []byte, more bool) {
	p.buf = append(p.buf, p.long.head...)
	p.jsonText(text)
	if p.long.continues {
		p.buf = append(p.buf, `,"continues":true`...)
	}
	if more {
		p.buf = append(p.buf, `,"more":true`...)
	}
	p.long.continues = true
	p.buf = append(p.buf, "}\n"...)
	if len(p.buf) >= writeSize {
		_ = p.Flush() // kept in p.err
	}
}

// appendString appends s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if c >= 0x20 && c != '"' && c != '\\' {
				continue
			}
			dst = append(dst, s[done:i-1]...)
			done = i
			dst = appendControl(dst, c)
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if r == utf8.RuneError && n == 1 {
			dst = append(append(dst, s[done:i]...), `\ufffd`...)
			done = i + 1
		}
		i += n
	}
	return append(append(dst, s[done:]...), '"')
}

func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
