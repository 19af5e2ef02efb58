package printer

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// AppendEscaped appends text with what a terminal might act upon written as \xNN: control
// characters but TAB, those of the C1 set, and bytes that are not UTF-8.
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
			if r, n = utf8.DecodeRune(text[i:]); r >= 0xa0 && (r != utf8.RuneError || n > 1) {
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
