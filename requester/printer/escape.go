package printer

import (
	"unicode"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendEscaped appends text with what a terminal might act upon, or not show, written as \xNN:
// control characters but TAB, those of the C1 set, bytes that are not UTF-8, and invisible characters
// that reorder what stands around them, break a line, or hide in it.
func AppendEscaped(dst, text []byte) []byte {
	done := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= 0x20 && c < 0x7f || c == '\t' {
			i++
			continue
		}
		n := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, n = utf8.DecodeRune(text[i:]); r >= 0xa0 && (r != utf8.RuneError || n > 1) && !(hides(r) && !joins(r, text, i, n)) {
				i += n
				continue
			}
		}
		dst = append(dst, text[done:i]...)
		for _, c := range text[i : i+n] {
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		}
		i += n
		done = i
	}
	return append(dst, text[done:]...)
}

// hides says whether a character is not to be seen: a format character (among them those that change
// the direction of writing), or a separator of lines or paragraphs.
func hides(r rune) bool {
	switch {
	case r < 0x600:
		return r == 0xad // the soft hyphen
	case r == 0x2028 || r == 0x2029:
		return true
	}
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// joins says whether r, at text[i:i+n], is a joiner or non-joiner between characters that are not
// ASCII: so Persian and the scripts of India, and many emoji, are spelt.
func joins(r rune, text []byte, i, n int) bool {
	const nonJoiner, joiner = 0x200c, 0x200d
	return (r == nonJoiner || r == joiner) && i > 0 && text[i-1] >= utf8.RuneSelf && i+n < len(text) && text[i+n] >= utf8.RuneSelf
}
