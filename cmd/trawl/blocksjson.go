package main

import (
	"io"

	"github.com/trawl-logs/trawl/schemas"
)

// blocksReport is a line of `trawl blocks --output json`: a node, and its index or why it cannot be told.
type blocksReport struct {
	Node  string       `json:"node"`
	Error string       `json:"error,omitempty"`
	Index *indexReport `json:"index"` // null with an error

	Sealed *sealedReport `json:"sealed,omitempty"` // not there if no source has any
}

type indexReport struct {
	Off      string        `json:"off,omitempty"` // why there is none
	Sizing   string        `json:"sizing"`
	ReadRate *int64        `json:"read_rate"` // bytes a second; null: not measured yet
	Settled  bool          `json:"settled"`   // nothing was left to be indexed
	Further  int64         `json:"further"`   // files that are not listed
	Files    []indexedFile `json:"files"`
}

type indexedFile struct {
	Service    string        `json:"service"`
	File       string        `json:"file"`
	Bytes      int64         `json:"bytes"`
	IndexBytes int64         `json:"index_bytes"`
	Blocks     int64         `json:"blocks"` // of which those listed are the first
	Error      string        `json:"error,omitempty"`
	Listed     []listedBlock `json:"listed"`
}

// listedBlock is a block. Times are as in `trawl grep --output json`, null where the block has none.
type listedBlock struct {
	Offset int64   `json:"offset"`
	Bytes  int64   `json:"bytes"`
	Lines  int64   `json:"lines"`
	First  *string `json:"first"`
	Last   *string `json:"last"`
}

func (f *blocksFlags) json(w io.Writer, answers []nodeBlocks) error {
	for i := range answers {
		a := &answers[i]
		if err := encodeLine(w, blocksReport{Node: a.Node, Error: a.Error, Index: reportIndex(a.Index), Sealed: reportSealed(a.Sealed, a.Node)}); err != nil {
			return err
		}
	}
	return nil
}

func reportIndex(x *schemas.IndexCheckup) *indexReport {
	if x == nil {
		return nil
	}
	r := &indexReport{Off: x.Off, Sizing: x.Sizing, Settled: x.Settled, Further: x.Further, Files: []indexedFile{}}
	if rate := int64(x.ReadRate); rate > 0 {
		r.ReadRate = &rate
	}
	for _, f := range x.Files {
		file := indexedFile{Service: f.Service, File: f.Path, Bytes: f.Size, IndexBytes: f.IndexBytes, Blocks: f.Blocks,
			Error: f.Err, Listed: []listedBlock{}}
		for _, b := range f.Listed {
			file.Listed = append(file.Listed, listedBlock{b.From, b.Bytes, b.Lines, stamp(b.First), stamp(b.Last)})
		}
		r.Files = append(r.Files, file)
	}
	return r
}
