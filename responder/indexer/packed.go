package indexer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/trawl-logs/trawl/responder/block"
)

const (
	// leastContent is what an archive must hold to be worth an index.
	leastContent = 64 << 10
	// mostRest bounds what is kept of the content behind the last block, so that the last one can be made to
	// its measure. Where a block is larger, it has the shape of the others.
	mostRest = 16 << 20
)

// Archive is a compressed log that is being indexed.
type Archive interface {
	// Read reads the content. It returns io.EOF where all of it was read and is sound.
	io.Reader
	// Points returns those that were found since it was called last.
	Points() []block.Point
	Close()
}

// packing is an archive of which a part is indexed. What is not through is nothing: it is not kept over the
// end of the process.
type packing struct {
	log   Log
	o     Opened
	state block.State
	shape block.Options
	u     *Use
	b     *block.Builder

	content block.Content
	line    int64  // bytes of the begun line
	timed   bool   // a line of the piece has a time
	untimed int64  // bytes since there was one
	rest    []byte // the content behind the last block
	over    bool   // there is more of it
}

// extendPacked makes the index of an archive, of which it takes over what is open. One is made at a time: while
// it is not through, another has to wait.
func (b *Builder) extendPacked(ctx context.Context, l Log, o Opened, state block.State, shape block.Options) (left bool, err error) {
	if b.packing != nil || !b.wantsPacked(l, &o, state) {
		o.close()
		return false, nil
	}
	if o.Size != state.Size {
		o.close()
		return false, fmt.Errorf("%s grew while it was opened", l.Path)
	}
	p := &packing{log: l, o: o, state: state, shape: shape}
	if b.packing, err = p, p.begin(b.store); err != nil {
		b.abandon()
		return false, err
	}
	return b.goOn(ctx)
}

// wantsPacked says whether there is no index of an archive that can be relied on. One that cannot is dropped.
func (b *Builder) wantsPacked(l Log, o *Opened, state block.State) bool {
	u := b.store.Use(l.ID)
	if u == nil {
		return true
	}
	defer u.Done()
	c := u.Content()
	if c == nil || c.Rules != o.Rules || u.File().Form != o.Form {
		b.store.Drop(l.ID, fs.ErrNotExist)
		return true
	}
	if v, err := u.Check(o.File, state); err != nil || v != block.Fresh {
		b.store.Drop(l.ID, errors.Join(fmt.Errorf("%s was rewritten", l.Path), err))
		return true
	}
	b.due[l.ID] = l.Size + 1
	return false
}

func (p *packing) begin(s *Store) error {
	f, err := fileOf(p.log, &p.o, p.state)
	if err != nil {
		return err
	}
	f.Packed = true
	if p.b, err = block.NewBuilder(p.shape); err != nil {
		return err
	}
	if p.u, err = s.create(f); err != nil {
		return err
	}
	p.content.Rules, p.content.Head = p.o.Rules, p.o.Head
	p.b.Start(p.u.Index, p.state, p.clock())
	return nil
}

// clock notes which lines have times.
func (p *packing) clock() block.Clock {
	if p.o.Clock == nil {
		return nil
	}
	return func(line []byte) (int64, bool) {
		ns, ok := p.o.Clock(line)
		p.timed = p.timed || ok
		return ns, ok
	}
}

// abandon ends the archive at hand. What there is of its index is removed, if it is not complete.
func (b *Builder) abandon() {
	p := b.packing
	if p == nil {
		return
	}
	b.packing = nil
	if p.o.close(); p.u != nil {
		if p.u.Content() == nil && !p.u.gone() {
			b.store.Drop(p.log.ID, fs.ErrNotExist)
		}
		p.u.Done()
	}
}

// goOn indexes more of the archive at hand, up to turnBytes. Whatever comes of it, another may wait.
func (b *Builder) goOn(ctx context.Context) (left bool, err error) {
	p := b.packing
	last := used()
	for read := 0; read < turnBytes; {
		n, readErr := p.o.Archive.Read(b.buf)
		read += n
		if err = p.take(b.buf[:n]); err == nil && readErr == io.EOF {
			err = b.finish(p)
		} else if err == nil {
			err = readErr
		}
		if err != nil || readErr == io.EOF || p.u.gone() {
			b.abandon()
			return true, err
		}
		now := used()
		if err := b.pace.worked(ctx, now-last); err != nil {
			return true, err
		}
		last = now
	}
	return true, nil
}

// take indexes a piece of the content.
func (p *packing) take(piece []byte) error {
	p.content.Size += int64(len(piece))
	for rest := piece; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			p.line += int64(len(rest))
			p.content.Longest = max(p.content.Longest, p.line)
			break
		}
		p.content.Longest = max(p.content.Longest, p.line+int64(i))
		p.line, rest = 0, rest[i+1:]
	}
	before, _ := p.u.End()
	p.timed = false
	if err := p.b.Feed(piece); err != nil {
		return err
	}
	p.untimed += int64(len(piece))
	p.content.Untimed = max(p.content.Untimed, p.untimed)
	if p.timed {
		p.untimed = int64(len(piece))
	}
	p.keep(piece, before)
	for _, point := range p.o.Archive.Points() {
		if err := p.u.AddPoint(point); err != nil {
			return err
		}
	}
	return nil
}

// keep has rest be what is behind the last block, where there was none behind the offset before when the
// piece came.
func (p *packing) keep(piece []byte, before int64) {
	end, _ := p.u.End()
	if end > before {
		p.over = false
		p.rest = append(p.rest[:0], piece[len(piece)-int(p.content.Size-end):]...)
		return
	}
	if p.over = p.over || len(p.rest)+len(piece) > mostRest; p.over {
		p.rest = p.rest[:0]
		return
	}
	p.rest = append(p.rest, piece...)
}

// finish makes the last block and declares the index complete.
func (b *Builder) finish(p *packing) (err error) {
	now, _, err := StateOf(p.o.File)
	if err != nil || now.Size != p.state.Size || now.ModTime != p.state.ModTime {
		return errors.Join(fmt.Errorf("%s changed while it was indexed", p.log.Path), err)
	}
	b.due[p.log.ID] = p.log.Size + 1
	if p.content.Size < leastContent {
		return nil
	}
	last := p.b
	if !p.over && len(p.rest) > 0 {
		if last, err = block.NewBuilder(p.shape.Rest(p.rest)); err != nil {
			return err
		}
		last.Start(p.u.Index, p.state, p.clock())
		if err = last.Feed(p.rest); err != nil {
			return err
		}
	}
	if p.content.Lines, err = last.End(); err != nil {
		return err
	}
	return p.u.Complete(p.content, p.o.File, now)
}
