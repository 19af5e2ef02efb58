package tracing

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kind says which side of a request a span is, as OTLP numbers it.
type Kind int

const (
	Server Kind = 2
	Client Kind = 3
)

// Span is something that took time.
type Span struct {
	Name         string
	Kind         Kind
	Context      Context
	Parent       SpanID // none: it begins a trace
	Began, Ended time.Time
	Attributes   []Attribute
	Failed       bool
	Message      string // why it failed
}

// Attribute says something of a span or of its source. Value is a string, an int64 or a bool; what is
// none of these is told in words.
type Attribute struct {
	Key   string
	Value any
}

// The OTLP request in JSON: proto3's mapping, but that ids are hexadecimal. 64-bit integers are strings.
type (
	otlpRequest struct {
		ResourceSpans []otlpResource `json:"resourceSpans"`
	}
	otlpResource struct {
		Resource struct {
			Attributes []otlpAttribute `json:"attributes"`
		} `json:"resource"`
		ScopeSpans []otlpScope `json:"scopeSpans"`
	}
	otlpScope struct {
		Scope struct {
			Name    string `json:"name"`
			Version string `json:"version,omitempty"`
		} `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpSpan struct {
		TraceID      string          `json:"traceId"`
		SpanID       string          `json:"spanId"`
		ParentSpanID string          `json:"parentSpanId,omitempty"`
		Flags        uint32          `json:"flags"`
		Name         string          `json:"name"`
		Kind         Kind            `json:"kind"`
		Start        string          `json:"startTimeUnixNano"`
		End          string          `json:"endTimeUnixNano"`
		Attributes   []otlpAttribute `json:"attributes,omitempty"`
		Status       *otlpStatus     `json:"status,omitempty"`
	}
	otlpStatus struct {
		Message string `json:"message,omitempty"`
		Code    int    `json:"code"` // 2: error
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpValue struct {
		String *string `json:"stringValue,omitempty"`
		Int    *string `json:"intValue,omitempty"`
		Bool   *bool   `json:"boolValue,omitempty"`
	}
)

// scope is what made the spans.
const scope = "github.com/trawl-logs/trawl"

// encode makes the body of one request.
func encode(resource []Attribute, version string, spans []Span) ([]byte, error) {
	s := otlpScope{Spans: make([]otlpSpan, len(spans))}
	s.Scope.Name, s.Scope.Version = scope, version
	for i := range spans {
		s.Spans[i] = encodeSpan(&spans[i])
	}
	r := otlpResource{ScopeSpans: []otlpScope{s}}
	r.Resource.Attributes = encodeAttributes(resource)
	return json.Marshal(otlpRequest{[]otlpResource{r}})
}

func encodeSpan(s *Span) otlpSpan {
	o := otlpSpan{
		TraceID: s.Context.Trace.String(), SpanID: s.Context.Span.String(), ParentSpanID: s.Parent.String(), Flags: 1,
		Name: s.Name, Kind: s.Kind, Start: nanoseconds(s.Began), End: nanoseconds(s.Ended), Attributes: encodeAttributes(s.Attributes),
	}
	if s.Failed {
		o.Status = &otlpStatus{strings.ToValidUTF8(s.Message, "\uFFFD"), 2}
	}
	return o
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func encodeAttributes(attributes []Attribute) []otlpAttribute {
	all := make([]otlpAttribute, len(attributes))
	for i, a := range attributes {
		all[i].Key = a.Key
		switch v := a.Value.(type) {
		case int64:
			n := strconv.FormatInt(v, 10)
			all[i].Value.Int = &n
		case bool:
			all[i].Value.Bool = &v
		default:
			text := strings.ToValidUTF8(fmt.Sprint(v), "\uFFFD")
			all[i].Value.String = &text
		}
	}
	return all
}
