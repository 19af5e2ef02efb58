package archive

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gzipStream reads one member after another as gzipMembers does, and the same archives, with the inflater
// that knows where it stands.
type gzipStream struct {
	in     *feed
	header *gzip.Reader // reads the headers alone
	body   inflater
	open   bool // a member is begun
	later  bool // it is not the first of the file
	whole  bool // from its start: its sums can be held against the trailer
	sum    uint32
	size   uint32
	// place, if set, hears of every place at which reading can begin: the bit of the file, and the
	// content before it, nil at the start of a member.
	place func(bit int64, window []byte)
}

// newGzipStream reads on from a Point.
func newGzipStream(in *input, p *Point) (*gzipStream, error) {
	in.off = p.Bit / 8
	g := &gzipStream{in: newFeed(in), later: p.Out > 0}
	if p.Window == nil {
		return g, nil
	}
	window, err := Unpack(p.Window)
	if err != nil {
		return nil, err
	}
	if _, err := g.in.take(uint(p.Bit % 8)); err != nil {
		return nil, err
	}
	g.body.begin(g.in, window)
	g.open = true
	return g, nil
}

func (g *gzipStream) Read(p []byte) (int, error) {
	if !g.open {
		if err := g.member(); err != nil {
			return 0, err
		}
	}
	n, err := g.body.Read(p)
	if g.whole {
		g.sum = crc32.Update(g.sum, crc32.IEEETable, p[:n])
		g.size += uint32(n)
	}
	if err != io.EOF {
		return n, err
	}
	g.open = false
	var trailer [8]byte
	if _, err := io.ReadFull(g.in, trailer[:]); err != nil {
		return n, cutShort(err)
	}
	e := binary.LittleEndian
	if g.whole && (e.Uint32(trailer[:]) != g.sum || e.Uint32(trailer[4:]) != g.size) {
		return n, gzip.ErrChecksum
	}
	return n, skipZeros(g.in)
}

// member begins the next member.
func (g *gzipStream) member() error {
	at := g.in.position()
	head, err := g.in.peek(4)
	if len(head) == 0 || g.later && err == nil && Detect(head) != Gzip {
		if err == nil {
			err = errTrailing
		}
		return err
	}
	if g.header == nil {
		g.header, err = gzip.NewReader(g.in)
	} else {
		err = g.header.Reset(g.in)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	if g.place != nil {
		g.place(at, nil)
		g.body.between = func() {
			if b := &g.body; b.w > 0 {
				g.place(g.in.position(), b.buf[max(b.w-historyBytes, 0):b.w])
			}
		}
	}
	g.body.begin(g.in, nil)
	g.open, g.later, g.whole, g.sum, g.size = true, true, true, 0, 0
	return nil
}
