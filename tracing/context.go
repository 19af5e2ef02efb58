package tracing

import (
	"crypto/rand"
	"encoding/hex"
)

// TraceID and SpanID are the ids of W3C Trace Context; all zeros is none.
type (
	TraceID [16]byte
	SpanID  [8]byte
)

// String is the id in lower-case hexadecimal.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// String is the id in lower-case hexadecimal, empty for none.
func (id SpanID) String() string {
	if id == (SpanID{}) {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// Context is a place in a trace: what a traceparent header says.
type Context struct {
	Trace   TraceID
	Span    SpanID
	Sampled bool // spans below it are exported
}

// Parse takes the value of a traceparent header of any version; ok is false for what is none, the empty
// string too.
func Parse(traceparent string) (c Context, ok bool) {
	const length = 2 + 1 + 32 + 1 + 16 + 1 + 2
	if len(traceparent) < length || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-' {
		return Context{}, false
	}
	var flags [1]byte
	for _, field := range []struct {
		to   []byte
		from string
	}{{c.Trace[:], traceparent[3:35]}, {c.Span[:], traceparent[36:52]}, {flags[:], traceparent[53:55]}} {
		if _, err := hex.Decode(field.to, []byte(field.from)); err != nil {
			return Context{}, false
		}
	}
	c.Sampled = flags[0]&1 != 0
	return c, c.Trace != TraceID{} && c.Span != SpanID{}
}

// String is the value of a traceparent header, of version 00.
func (c Context) String() string {
	flags := "-00"
	if c.Sampled {
		flags = "-01"
	}
	return "00-" + c.Trace.String() + "-" + c.Span.String() + flags
}

// Begin returns the place of a new span below that of a traceparent header, and the id of its parent:
// none where the header names no place, which begins a trace that is sampled.
func Begin(traceparent string) (own Context, parent SpanID) {
	own, ok := Parse(traceparent)
	if ok {
		parent = own.Span
	} else {
		own = Context{Sampled: true}
		_, _ = rand.Read(own.Trace[:]) // never fails
	}
	_, _ = rand.Read(own.Span[:])
	return own, parent
}
