package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/requester/printer"
	"github.com/trawl-logs/trawl/schemas"
)

// replier sends results on to a subject, for --reply-to: as JSON, a line a message, or as frames of one
// run of its own, numbered from 1.
type replier struct {
	conn    *bus.Conn
	subject string
	query   string
	print   *printer.Printer // nil: frames
	part    []byte           // of a line
	run     uint64
	seq     uint64
	offset  int64
	node    string // of what is being sent
}

// newReplier returns nil if nothing is to be sent on.
func newReplier(o *grepOptions, conn *bus.Conn) (*replier, error) {
	if o.replyTo == "" {
		return nil, nil
	}
	if err := conn.CheckReplyTo(o.replyTo); err != nil {
		return nil, fmt.Errorf("flag --reply-to: %w", err)
	}
	r := &replier{conn: conn, subject: o.replyTo, run: rand.Uint64() | 1}
	if o.replyToFormat == "json" {
		r.print = printer.New(r, printer.Options{JSON: true, Terminator: o.terminator(), LineBuffered: true})
	}
	return r, nil
}

// send sends what a node has said.
func (r *replier) send(node string, chunks []schemas.Chunk) error {
	r.node = node
	if r.print == nil {
		data := &schemas.Data{Offset: r.offset, Chunks: chunks}
		err := r.frame(&schemas.Frame{Data: data})
		r.offset += data.Raw
		return err
	}
	for i := range chunks {
		if err := r.print.Print(node, &chunks[i]); err != nil {
			return err
		}
	}
	return nil
}

// frame sends a frame; as in any answer the first is a Hello.
func (r *replier) frame(f *schemas.Frame) error {
	if r.seq == 0 {
		r.seq++
		hello := &schemas.Frame{Run: r.run, Seq: r.seq, Hello: &schemas.Hello{Instance: r.query, Version: version()}}
		if err := r.conn.Republish(r.subject, r.query, "", schemas.AppendFrame(nil, hello)); err != nil {
			return err
		}
	}
	r.seq++
	f.Run, f.Seq = r.run, r.seq
	return r.conn.Republish(r.subject, r.query, r.node, schemas.AppendFrame(nil, f))
}

// Write takes JSON from the printer, and sends each line.
func (r *replier) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			r.part = append(r.part, b...)
			break
		}
		line := append(r.part, b[:end]...)
		if len(line) > schemas.MaxFrame-1024 {
			line = fmt.Appendf(nil, `{"type":"omitted","bytes":%d}`, len(line))
		}
		if err := r.conn.Republish(r.subject, r.query, r.node, line); err != nil {
			return 0, err
		}
		r.part, b = r.part[:0], b[end+1:]
	}
	return n, nil
}

// end sends the receipt: in JSON itself, else as an End that is complete if the answer is.
func (r *replier) end(receipt *requester.Receipt) error {
	r.node = ""
	if r.print != nil {
		if err := r.print.Abandon(); err != nil {
			return err
		}
		text, err := json.Marshal(receipt)
		if err != nil {
			return fmt.Errorf("receipt: %w", err)
		}
		return r.conn.Republish(r.subject, r.query, "", text)
	}
	e := &schemas.End{Lines: receipt.Lines, TextBytes: receipt.Bytes, RawBytes: r.offset, BytesRead: receipt.BytesRead,
		BytesConsidered: receipt.BytesConsidered, Files: receipt.Files, Blocks: receipt.Blocks}
	switch {
	case receipt.Satisfied:
		e.Status = schemas.StatusStopped
	case !receipt.Complete:
		e.Status, e.Reason = schemas.StatusPartial, (&requester.IncompleteError{Receipt: receipt}).Error()
	}
	return r.frame(&schemas.Frame{End: e})
}
