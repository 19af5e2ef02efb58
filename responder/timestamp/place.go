package timestamp

import (
	"bytes"
	"fmt"
	"strings"
)

// place is where in a line its time stands.
type place struct {
	kind  placeKind
	count int    // atOffset: bytes before the time; others: how many separators
	sep   byte   // of afterRuns and afterBytes
	text  string // the punctuation right before the time; of afterKey the key
}

type placeKind uint8

const (
	atOffset   placeKind = iota // behind so many bytes, which end in text
	afterRuns                   // behind so many runs of a separator, and text
	afterBytes                  // behind the nth separator, and text
	afterKey                    // the value of a key of JSON: "key": or of logfmt: key=
)

const (
	maxLead   = 4   // punctuation before a time
	maxRuns   = 24  // blank-separated fields before a time
	maxBytes  = 8   // delimiters before a time
	maxOffset = 256 // bytes before a time at a fixed offset
	maxKey    = 40
)

// find returns where the time stands in the line, -1 if the line has no such place. It is not for
// keys.
func (p *place) find(line []byte) int {
	at := p.count
	if p.kind != atOffset {
		at = 0
		for n := p.count; n > 0; n-- {
			i := bytes.IndexByte(line[at:], p.sep)
			if i < 0 {
				return -1
			}
			at += i + 1
			for p.kind == afterRuns && at < len(line) && line[at] == p.sep {
				at++
			}
		}
		at += len(p.text)
	}
	lead := at - len(p.text)
	if lead < 0 || at > len(line) {
		return -1
	}
	for i := range len(p.text) { // one byte, mostly
		if line[lead+i] != p.text[i] {
			return -1
		}
	}
	if p.text == "" && p.kind == atOffset || p.sep == 'm' {
		if !begins(line, at) {
			return -1
		}
	}
	return at
}

// key is the text of an afterKey place, and how it is looked for.
type key struct {
	text []byte
	// rare is the byte of text that is rarest in the file. IndexByte for it takes half as long as
	// Index for the text, which steps through the line where its first byte, a quote, is frequent.
	rare int
}

// newKey returns the key, to be looked for in texts like the sample.
func newKey(text string, sample []byte) *key {
	k := &key{text: []byte(text)}
	least := len(sample) + 1
	for i := range k.text {
		if n := bytes.Count(sample, k.text[i:i+1]); n < least {
			k.rare, least = i, n
		}
	}
	return k
}

// find returns where the value of the key begins, inside its quotes, from an offset on; -1 if it is
// not there.
func (k *key) find(line []byte, from int) int {
	for next := from + k.rare; next < len(line); {
		i := bytes.IndexByte(line[next:], k.text[k.rare])
		if i < 0 {
			return -1
		}
		start := next + i - k.rare
		next += i + 1
		if end := start + len(k.text); end <= len(line) && string(line[start:end]) == string(k.text) {
			if at := k.value(line, start, end); at >= 0 {
				return at
			}
		}
	}
	return -1
}

// value returns where the value begins of what may be the key at line[start:end]; -1 if it is none.
func (k *key) value(line []byte, start, end int) int {
	if k.text[0] == '"' {
		if end = skipAny(line, end); end >= len(line) || line[end] != ':' {
			return -1
		}
		end = skipAny(line, end+1)
	} else if start > 0 && !mayPrecedeKey(line[start-1]) {
		return -1
	}
	if end < len(line) && (line[end] == '"' || line[end] == '\'') {
		end++
	}
	return end
}

// mayPrecedeKey says whether c may stand before a key of logfmt.
func mayPrecedeKey(c byte) bool {
	switch c {
	case ' ', '\t', '{', '[', '(', ',', ';', '|', '"':
		return true
	}
	return false
}

// skipAny returns the end of the blanks at i, if any.
func skipAny(line []byte, i int) int {
	for i < len(line) && isBlank(line[i]) {
		i++
	}
	return i
}

// placesOf returns all places that describe the offset at, the most telling first.
func placesOf(line []byte, at int) []place {
	if at <= maxLead && isPunctuation(line[:at]) {
		return []place{{kind: atOffset, count: at, text: string(line[:at])}}
	}
	if key := keyBeforeValue(line, at); key != "" {
		return []place{{kind: afterKey, text: key}}
	}
	var list []place
	lead := at
	for lead > 0 && at-lead < maxLead && !isWord(line[lead-1]) && !isBlank(line[lead-1]) {
		lead--
	}
	if lead > 0 && isBlank(line[lead-1]) {
		list = append(list, nth(afterRuns, line, lead, at))
	}
	if !isBlank(line[at-1]) {
		list = append(list, nth(afterBytes, line, at, at))
	}
	if at <= maxOffset {
		list = append(list, place{kind: atOffset, count: at})
	}
	kept := list[:0]
	for _, p := range list {
		limit := [...]int{atOffset: maxOffset, afterRuns: maxRuns, afterBytes: maxBytes}[p.kind]
		if p.count <= limit && p.find(line) == at {
			kept = append(kept, p)
		}
	}
	return kept
}

// nth returns the place behind the separator before lead.
func nth(kind placeKind, line []byte, lead, at int) place {
	sep := line[lead-1]
	count := bytes.Count(line[:lead], []byte{sep})
	if kind == afterRuns {
		count = 0
		for i := range lead {
			if line[i] == sep && (i == 0 || line[i-1] != sep) {
				count++
			}
		}
	}
	return place{kind: kind, count: count, sep: sep, text: string(line[lead:at])}
}

// keyBeforeValue returns the key whose value begins at the offset at, as findKey looks for it; "" if
// there is none.
func keyBeforeValue(line []byte, at int) string {
	i := at
	if line[i-1] == '"' || line[i-1] == '\'' {
		i--
	}
	if i > 0 && line[i-1] == '=' {
		start := i - 1
		for start > 0 && isKeyByte(line[start-1]) {
			start--
		}
		if start < i-1 && i-start <= maxKey && (start == 0 || mayPrecedeKey(line[start-1])) {
			return string(line[start:i])
		}
		return ""
	}
	for i > 0 && isBlank(line[i-1]) {
		i--
	}
	if i == 0 || line[i-1] != ':' {
		return ""
	}
	for i--; i > 0 && isBlank(line[i-1]); i-- {
	}
	if i < 3 || line[i-1] != '"' {
		return ""
	}
	start := bytes.LastIndexByte(line[:i-1], '"')
	if start < 0 || i-start > maxKey || start > 0 && line[start-1] == '\\' {
		return ""
	}
	return string(line[start:i])
}

func isKeyByte(c byte) bool { return isWord(c) || c == '_' || c == '.' || c == '@' || c == '-' }

// rank says how much a key is one for times: 2 a usual name, 1 a likely one, 0 any other.
func rank(key string) int {
	name := strings.ToLower(strings.Trim(key, `"=`))
	switch name {
	case "time", "timestamp", "@timestamp", "ts", "t", "datetime", "date", "@t", "_time":
		return 2
	}
	for _, part := range []string{"time", "date", "stamp"} {
		if strings.Contains(name, part) {
			return 1
		}
	}
	if strings.HasSuffix(name, "_ts") || strings.HasSuffix(name, "_at") {
		return 1
	}
	return 0
}

// isStart says whether nothing but punctuation stands before the time.
func (p *place) isStart() bool { return p.kind == atOffset && p.count == len(p.text) }

// String says where the time stands, for people; "" at the start of the line.
func (p *place) String() string {
	text := ""
	switch {
	case p.kind == afterKey:
		return "in " + p.text
	case p.kind == afterRuns && p.count == 1:
		text = "behind the first field"
	case p.kind == afterRuns:
		text = fmt.Sprintf("behind %d fields", p.count)
	case p.kind == afterBytes && p.count == 1:
		text = fmt.Sprintf("behind %q", p.sep)
	case p.kind == afterBytes:
		text = fmt.Sprintf("behind %q no. %d", p.sep, p.count)
	case !p.isStart():
		text = fmt.Sprintf("behind %d bytes", p.count)
	}
	if p.text == "" {
		return text
	}
	return strings.TrimSpace(text + fmt.Sprintf(" in %q", p.text))
}
