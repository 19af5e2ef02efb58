package feed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// entries makes lines of the journal's entries.
type entries struct {
	*Lines
	splitter
	zone    *time.Location
	count   int64 // lines
	last    int64 // time of the newest entry
	dropped int64 // entries that were too long
	entry   entry
	scratch []byte
	tail    *JournalTail // notes how far it is read; nil: nobody goes on from there
}

// entry holds the values of one entry that its lines are made of, unquoted.
type entry struct {
	message, host, identifier, command, pid, syslogPID []byte
	microseconds, cursor                               []byte
	null                                               bool // journalctl left the message out
}

// field is where the value of a field goes; nil: it does not matter.
func (e *entry) field(key []byte) *[]byte {
	switch string(key) {
	case "MESSAGE":
		return &e.message
	case "_HOSTNAME":
		return &e.host
	case "SYSLOG_IDENTIFIER":
		return &e.identifier
	case "_COMM":
		return &e.command
	case "_PID":
		return &e.pid
	case "SYSLOG_PID":
		return &e.syslogPID
	case "__REALTIME_TIMESTAMP":
		return &e.microseconds
	case "__CURSOR":
		return &e.cursor
	}
	return nil
}

func (e *entries) fillFrom() error {
	err := e.more(e.take)
	if errors.Is(err, io.EOF) && e.dropped > 0 {
		return fmt.Errorf("%w: %d of more than %d bytes are left out", ErrEntry, e.dropped, maxLine)
	}
	return err
}

// take takes one entry; what is none is given as it is.
func (e *entries) take(line []byte, begins, ends bool) {
	switch {
	case !begins || !ends:
		if begins {
			e.dropped++
			e.tail.note(nil)
		}
	case bytes.HasPrefix(line, []byte("-- ")) && bytes.HasSuffix(line, []byte(" --")): // no entries; a reboot
	case !e.parse(line):
		e.add(line, 0)
	case e.entry.message != nil || e.entry.null:
		e.print()
	}
}

// parse reads an entry into e.entry.
func (e *entries) parse(line []byte) bool {
	e.entry = entry{}
	if e.scratch = e.scratch[:0]; e.scratch == nil {
		e.scratch = make([]byte, 0, 1<<10) // so that an empty value is not nil
	}
	fine := true
	ok := members(line, func(m member) {
		to := e.entry.field(m.key)
		if to == nil {
			return
		}
		value, known := e.value(m.value, true)
		fine = fine && known
		if *to = value; value == nil && string(m.key) == "MESSAGE" {
			e.entry.null = true
		}
	})
	if !ok || !fine {
		return false
	}
	us, err := strconv.ParseInt(string(e.entry.microseconds), 10, 64)
	if err != nil || us < 0 || us > 1<<63/1000-1 {
		return false
	}
	e.last = us * 1000
	e.tail.note(e.entry.cursor)
	return true
}

// value returns what a value stands for: a string; bytes as numbers; the last of several values; nil for
// null. ok is false if it is nothing of that.
func (e *entries) value(v []byte, several bool) (text []byte, ok bool) {
	at := len(e.scratch)
	switch {
	case v[0] == '"':
		e.scratch, ok = appendText(e.scratch, v)
		return e.scratch[at:len(e.scratch):len(e.scratch)], ok
	case string(v) == "null":
		return nil, true
	case v[0] != '[':
		return nil, false
	}
	i := skipBlank(v, 1)
	if v[i] == '"' || v[i] == '[' || v[i] == 'n' {
		for several && i < len(v)-1 {
			end := valueEnd(v, i)
			if end < 0 {
				return nil, false
			}
			if text, ok = e.value(v[i:end], false); !ok {
				return nil, false
			}
			if i = skipBlank(v, end); v[i] == ',' {
				i = skipBlank(v, i+1)
			}
		}
		return text, several
	}
	for n, digits := 0, false; i < len(v); i++ {
		switch c := v[i]; {
		case c-'0' <= 9:
			if n, digits = n*10+int(c-'0'), true; n > 255 {
				return nil, false
			}
		case c == ' ':
		case c == ',' || c == ']':
			if digits {
				e.scratch = append(e.scratch, byte(n))
			}
			n, digits = 0, false
		default:
			return nil, false
		}
	}
	return e.scratch[at:len(e.scratch):len(e.scratch)], true
}

// print gives the lines of an entry.
func (e *entries) print() {
	var head []byte
	n := &e.entry
	if len(n.host) > 0 {
		head = append(append(head, ' '), n.host...)
	}
	switch head = append(head, ' '); {
	case n.identifier != nil:
		head = append(head, n.identifier...)
	case n.command != nil:
		head = append(head, n.command...)
	default:
		head = append(head, "unknown"...)
	}
	if n.pid == nil {
		n.pid = n.syslogPID
	}
	if n.pid != nil {
		head = append(append(append(head, '['), n.pid...), ']')
	}
	head = bytes.ReplaceAll(append(head, ": "...), []byte{'\n'}, []byte{' '})
	message := bytes.TrimSuffix(n.message, []byte{'\n'}) // one, as journalctl does
	if n.null {
		message = []byte("(journalctl left the message out)")
	}
	const layout = "2006-01-02T15:04:05.000000-07:00"
	when := time.UnixMicro(e.last/1000).In(e.zone).AppendFormat(nil, layout)
	first, rest, more := bytes.Cut(message, []byte{'\n'})
	e.add(append(append(when, head...), first...), 0)
	for more {
		first, rest, more = bytes.Cut(rest, []byte{'\n'})
		e.add(first, len(when)+len(head))
	}
}

// add adds one line, indented.
func (e *entries) add(text []byte, indent int) {
	e.count++
	e.came(len(e.out), e.last, e.count, e.made+int64(len(e.out)))
	for range indent {
		e.out = append(e.out, ' ')
	}
	e.out = append(appendVisible(e.out, text), '\n')
}

// appendVisible appends text, with what is not UTF-8, and NULs, as \xff: one such byte would make a
// binary file of the journal.
func appendVisible(dst, text []byte) []byte {
	if utf8.Valid(text) && bytes.IndexByte(text, 0) < 0 {
		return append(dst, text...)
	}
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == 0 || r == utf8.RuneError && n == 1 {
			dst = fmt.Appendf(dst, `\x%02x`, text[0])
		} else {
			dst = append(dst, text[:n]...)
		}
		text = text[n:]
	}
	return dst
}
