package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
)

const decodeHelp = `Read frames of answers, as nodes send them over the bus, from stdin, and print
them as JSON: an object for each hello, progress and end, and for data one a
line of a log. Each has the run and seq of its frame. Node records and checkups,
which come on the same subjects, are printed too; the rest of a line that was
too long for its frame is an object of type rest. What standing queries find is
read as well: an object of type live with the counts of each message, then its
lines. Who knows the SUBJECT gives it: the user, the query and the node are
taken from it.`

func newDecodeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "decode [SUBJECT]",
		Short: "Turn frames on stdin into JSON",
		Long:  decodeHelp,
		Example: `  nats sub 'trawl.v1.res.>' --translate 'trawl decode'
  nats stream view RESULTS --translate 'trawl decode {{Subject}}'
  nats sub 'trawl.v1.live.errors.*' --translate 'trawl decode'
  trawl decode trawl.v1.res.ann.c1.q1.web1 < frames`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			stream, err := io.ReadAll(cmd.InOrStdin())
			if err != nil {
				return fmt.Errorf("read frames: %w", err)
			}
			d := &decoder{out: json.NewEncoder(cmd.OutOrStdout())}
			d.out.SetEscapeHTML(false)
			if len(args) > 0 {
				d.head.of(args[0])
			}
			return d.all(stream)
		},
	}
}

// decoder prints messages.
type decoder struct {
	out  *json.Encoder
	head frameHead // what every object of a frame begins with
}

type frameHead struct {
	Type  string `json:"type"`
	User  string `json:"user,omitempty"`
	Query string `json:"query,omitempty"`
	Watch string `json:"watch,omitempty"` // name of a standing query
	Node  string `json:"node,omitempty"`
	Run   uint64 `json:"run,string"` // beyond what a JavaScript number holds
	Seq   uint64 `json:"seq"`
}

// of fills in what a subject says. Its prefix may have any number of tokens.
func (h *frameHead) of(subject string) {
	t := strings.Split(subject, ".")
	switch n := len(t); {
	case n > 5 && t[n-5] == "res": // user, client, query, node
		h.User, h.Query, h.Node = t[n-4], t[n-2], t[n-1]
	case n > 3 && t[n-3] == "live": // name, node
		h.Node = t[n-1]
	}
}

func (d *decoder) all(stream []byte) error {
	for len(stream) > 0 {
		msg, rest, err := schemas.NextMessage(stream)
		if err == nil {
			err = d.one(msg)
		}
		if err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		stream = rest
	}
	return nil
}

// one prints a message of one of the kinds that are sent on result subjects, or by standing queries.
func (d *decoder) one(msg []byte) error {
	f, err := schemas.DecodeFrame(msg)
	if err == nil {
		return d.frame(f)
	}
	if l, e := schemas.DecodeLive(msg); e == nil {
		return d.live(l)
	}
	if n, e := schemas.DecodeNode(msg); e == nil {
		return d.out.Encode(struct {
			Type string `json:"type"`
			*schemas.Node
		}{"node", n})
	}
	if c, e := schemas.DecodeCheckup(msg); e == nil {
		return d.out.Encode(struct {
			Type string `json:"type"`
			*schemas.Checkup
		}{"checkup", c})
	}
	return err
}

func (d *decoder) frame(f *schemas.Frame) error {
	head := d.head
	head.Run, head.Seq = f.Run, f.Seq
	if h := f.Hello; h != nil {
		head.Type = "hello"
		if err := d.out.Encode(struct {
			frameHead
			Instance string `json:"instance"`
			Host     string `json:"host"`
			Version  string `json:"version"`
			Files    int64  `json:"files"`
			Bytes    int64  `json:"bytes"`
		}{head, h.Instance, h.Host, h.Version, h.Files, h.Bytes}); err != nil {
			return err
		}
	}
	if f.Data != nil {
		for i := range f.Data.Chunks {
			if err := d.chunk(head, &f.Data.Chunks[i]); err != nil {
				return err
			}
		}
	}
	if p := f.Progress; p != nil {
		head.Type = "progress"
		if err := d.out.Encode(struct {
			frameHead
			BytesRead int64   `json:"bytes_read"`
			Sent      int64   `json:"sent"`
			Waiting   bool    `json:"waiting"`
			Watermark *string `json:"watermark"`
		}{head, p.BytesRead, p.Sent, p.Waiting, stamp(p.Watermark)}); err != nil {
			return err
		}
	}
	if e := f.End; e != nil {
		head.Type = "end"
		return d.out.Encode(struct {
			frameHead
			Status     schemas.Status      `json:"status"`
			Reason     string              `json:"reason"`
			Lines      int64               `json:"lines"`
			Bytes      int64               `json:"bytes"`
			BytesRead  int64               `json:"bytes_read"`
			Files      int64               `json:"files"`
			Blocks     schemas.Blocks      `json:"blocks"`
			ElapsedMS  int64               `json:"elapsed_ms"`
			Errors     []schemas.FileError `json:"errors"`
			ErrorCount int64               `json:"error_count"`
		}{head, e.Status, e.Reason, e.Lines, e.TextBytes, e.BytesRead, e.Files, e.Blocks, e.Elapsed.Milliseconds(), e.Errors, e.ErrorCount})
	}
	return nil
}

// live prints the counts of a message, and its lines.
func (d *decoder) live(l *schemas.Live) error {
	head := d.head
	head.Type, head.Watch, head.Run, head.Seq = "live", l.Name, l.Run, l.Seq
	if err := d.out.Encode(struct {
		frameHead
		Matched int64 `json:"matched"`
		Sampled int64 `json:"sampled"`
		Limited int64 `json:"limited"`
		Lost    int64 `json:"lost"`
	}{head, l.Matched, l.Sampled, l.Limited, l.Lost}); err != nil {
		return err
	}
	for i := range l.Data.Chunks {
		if err := d.chunk(head, &l.Data.Chunks[i]); err != nil {
			return err
		}
	}
	return nil
}

// decodedLine is a line of a log, a part of one, or what is said of a file.
type decodedLine struct {
	frameHead
	Service   string  `json:"service"`
	File      string  `json:"file"`
	Line      *int64  `json:"line,omitempty"`
	Offset    *int64  `json:"offset,omitempty"`
	Time      *string `json:"time,omitempty"`
	Text      *string `json:"text,omitempty"`
	Bytes     []byte  `json:"bytes,omitempty"` // in place of a text that is not UTF-8
	Count     *int64  `json:"count,omitempty"`
	Reason    string  `json:"reason,omitempty"`
	Continues bool    `json:"continues,omitempty"`
	More      bool    `json:"more,omitempty"`
}

func (d *decoder) chunk(head frameHead, c *schemas.Chunk) error {
	line := decodedLine{frameHead: head, Service: c.Service, File: c.File}
	switch c.Kind {
	case schemas.ChunkCount:
		line.Type, line.Count = "count", &c.Count
		return d.out.Encode(line)
	case schemas.ChunkFile, schemas.ChunkBinary:
		line.Type = map[schemas.ChunkKind]string{schemas.ChunkFile: "file", schemas.ChunkBinary: "binary"}[c.Kind]
		return d.out.Encode(line)
	}
	if change := requester.ChangeOf(head.Node, c); change != nil {
		line.Type, line.Reason = string(change.Kind), change.Reason
		if change.Kind == requester.Skipped {
			line.Count = &change.Count
		}
		return d.out.Encode(line)
	}
	return d.lines(line, c)
}

// lines prints the lines of a chunk, each with what line says of all.
func (d *decoder) lines(line decodedLine, c *schemas.Chunk) error {
	begun := 0 // lines that begin in this chunk
	run, left := 0, int64(-1)
	if len(c.Context) > 0 {
		left = c.Context[0]
	}
	for text, first := c.Text, true; len(text) > 0; first = false {
		l := line
		end := bytes.IndexByte(text, '\n')
		if l.More = end < 0; l.More {
			end = len(text)
		}
		l.Type, l.Continues = "match", first && c.Continues
		if l.Continues {
			l.Type = "rest" // of a line that began in an earlier chunk
		}
		if !l.Continues {
			for left == 0 && run+1 < len(c.Context) {
				run++
				left = c.Context[run]
			}
			left--
			if run%2 == 1 {
				l.Type = "context"
			}
			l.Line, l.Offset = column(c.Numbers, begun), column(c.Offsets, begun)
			if t := column(c.Times, begun); t != nil {
				l.Time = stamp(*t)
			}
			begun++
		}
		if s := string(text[:end]); utf8.ValidString(s) {
			l.Text = &s
		} else {
			l.Bytes = text[:end]
		}
		if err := d.out.Encode(l); err != nil {
			return err
		}
		text = text[min(end+1, len(text)):]
	}
	return nil
}

// column is the entry of a line, if the column was asked for.
func column(values []int64, i int) *int64 {
	if i >= len(values) {
		return nil
	}
	return &values[i]
}

// stamp is a time as it is printed; nil if it is not known.
func stamp(ns int64) *string {
	if ns == schemas.NoTime {
		return nil
	}
	s := time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z")
	return &s
}
