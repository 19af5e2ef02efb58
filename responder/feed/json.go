package feed

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// The two formats that are JSON, Docker's and the journal's, are objects on one line each, of which a
// few members matter. Reading those takes a fraction of what encoding/json takes for the whole.

// member is one member of an object. A key that matters holds no escapes: it is compared as written.
type member struct{ key, value []byte }

// isString tells whether the value is a string: written between quotes.
func (m *member) isString() bool { return m.value[0] == '"' }

// members calls yield for each member of the object that line is, and says whether it is one.
func members(line []byte, yield func(m member)) bool {
	i := skipBlank(line, 0)
	if i == len(line) || line[i] != '{' {
		return false
	}
	i = skipBlank(line, i+1)
	if i < len(line) && line[i] == '}' {
		return skipBlank(line, i+1) == len(line)
	}
	for i < len(line) && line[i] == '"' {
		end := stringEnd(line, i)
		if end < 0 {
			return false
		}
		m := member{key: line[i+1 : end-1]}
		if i = skipBlank(line, end); i == len(line) || line[i] != ':' {
			return false
		}
		i = skipBlank(line, i+1)
		if end = valueEnd(line, i); end <= i {
			return false
		}
		m.value = line[i:end]
		yield(m)
		if i = skipBlank(line, end); i == len(line) {
			return false
		}
		switch line[i] {
		case '}':
			return skipBlank(line, i+1) == len(line)
		case ',':
			i = skipBlank(line, i+1)
		default:
			return false
		}
	}
	return false
}

func skipBlank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// stringEnd returns the index after the string that begins with the quote at i; -1 if it has no end.
func stringEnd(b []byte, i int) int {
	for i++; ; {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 {
			return -1
		}
		escapes := 0
		for k := i + j - 1; k >= i && b[k] == '\\'; k-- {
			escapes++
		}
		i += j + 1
		if escapes%2 == 0 {
			return i
		}
	}
}

// valueEnd returns the index after the value at i, which is not looked at closer than that; -1 if it
// has no end.
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = stringEnd(b, i); i < 0 {
				return -1
			}
			i--
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return -1
			}
			depth--
		case ',', ' ', '\t', '\r', ':':
			if depth == 0 {
				return -1
			}
		default: // of a number or a word
			for i+1 < len(b) && isWord(b[i+1]) {
				i++
			}
		}
		if i++; depth == 0 {
			return i
		}
	}
	return -1
}

func isWord(c byte) bool {
	return c-'0' <= 9 || c|0x20-'a' <= 'z'-'a' || c == '.' || c == '-' || c == '+'
}

// appendText appends what the string value, with its quotes, stands for. A NUL is written as \x00, so
// that the lines stay text. It says whether all its escapes are known.
func appendText(dst, value []byte) ([]byte, bool) {
	s := value[1 : len(value)-1]
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...), true
		}
		if i+1 == len(s) {
			return dst, false
		}
		dst = append(dst, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			r, n := unicodeEscape(s)
			switch {
			case n == 0:
				return dst, false
			case r == 0:
				dst = append(dst, `\x00`...)
			default:
				dst = utf8.AppendRune(dst, r)
			}
			s = s[n:]
		default:
			return dst, false
		}
	}
}

// unicodeEscape reads what comes after \u, and a second escape if the two are one character; n is 0 if
// it is none.
func unicodeEscape(s []byte) (r rune, n int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(s) >= 10 && s[4] == '\\' && s[5] == 'u' {
		if low, ok := hex4(s[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 10
			}
		}
	}
	return utf8.RuneError, 4
}

func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for _, c := range s[:4] {
		r <<= 4
		switch {
		case c-'0' <= 9:
			r |= rune(c - '0')
		case c|0x20-'a' <= 5:
			r |= rune(c | 0x20 - 'a' + 10)
		default:
			return 0, false
		}
	}
	return r, true
}
