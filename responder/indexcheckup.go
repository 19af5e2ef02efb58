package responder

import (
	"context"
	"fmt"
	"io"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/block"
	"github.com/trawl-logs/trawl/responder/indexer"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

// IndexCheckup lists the node's blocks. To verify reads all that is indexed: checksums, strips and
// filters are made anew.
func (r *Responder) IndexCheckup(ctx context.Context, verify bool) *schemas.IndexCheckup {
	x := r.index.Load()
	switch snap := r.catalog.Newest(); {
	case r.config.Index.Level == indexOff:
		return &schemas.IndexCheckup{Off: "the configuration says index: off"}
	case r.config.State == "":
		return &schemas.IndexCheckup{Off: "the node has no state directory"}
	case x == nil || snap == nil:
		return &schemas.IndexCheckup{Off: "the index could not be opened: see the node's log"}
	default:
		sizing, rate, measured := x.builder.Sizing()
		c := &schemas.IndexCheckup{Sizing: sizing.Explain()}
		if measured {
			c.ReadRate = rate
		}
		_, c.Settled = x.builder.Looks()
		for _, e := range snap.Files {
			u := x.store.Use(indexer.ID(e.ID))
			if u == nil {
				continue
			}
			if u.File().Packed && u.Content() == nil { // not through
				u.Done()
				continue
			}
			if len(c.Files) < schemas.MaxIndexed {
				c.Files = append(c.Files, r.indexedFile(ctx, x.store, u, e, verify))
			} else {
				c.Further++
			}
			u.Done()
		}
		return c
	}
}

// indexedFile lists the blocks of a file. Where they are wrong, they are dropped.
func (r *Responder) indexedFile(ctx context.Context, store *indexer.Store, u *indexer.Use, e *source.Entry, verify bool) schemas.IndexedFile {
	blocks := u.Blocks()
	f := schemas.IndexedFile{Service: e.Service, Path: e.Path, Size: e.Size, IndexBytes: u.Bytes(), Blocks: int64(len(blocks))}
	c := u.Content()
	if c != nil {
		f.Size = c.Size
	}
	for _, b := range blocks {
		l := schemas.ListedBlock{From: b.From, Bytes: b.To - b.From, Lines: int64(b.Lines), First: schemas.NoTime, Last: schemas.NoTime}
		if b.Timed {
			l.First, l.Last = b.MinTime, b.MaxTime
		}
		if c != nil {
			l.Lines = min(l.Lines, c.Lines-b.FirstLine)
		}
		f.Listed = append(f.Listed, l)
	}
	if !verify {
		return f
	}
	open, err := r.catalog.Open(ctx, e)
	if err == nil {
		defer open.Close()
		var at io.ReaderAt = open.Raw()
		var wrong error
		if c != nil {
			var content *archive.Content
			if content, wrong = r.contentToVerify(ctx, u, store, open); content != nil {
				defer content.Close()
				at = content
			}
		}
		if wrong == nil {
			err = u.Verify(ctx, at, func(_ block.Block, err error) bool {
				wrong = err
				return err == nil
			})
		}
		if wrong != nil {
			store.Drop(indexer.ID(e.ID), wrong)
			err = fmt.Errorf("%w; dropped, and built anew", wrong)
		}
	}
	if err != nil {
		f.Err = err.Error()
	}
	return f
}
