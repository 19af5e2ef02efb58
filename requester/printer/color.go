package printer

import "strings"

// Colors are SGR parameters ("01;31") as GNU grep's GREP_COLORS names them; an empty one is not
// coloured.
type Colors struct {
	Selected      string // sl: whole selected lines
	Context       string // cx: whole context lines
	MatchSelected string // ms: matching text in selected lines
	MatchContext  string // mc: matching text in context lines
	File          string // fn: file and node names
	Line          string // ln: line numbers
	Byte          string // bn: byte offsets
	Separator     string // se: what separates
	Reverse       bool   // rv: with -v, swap sl and cx
	NoErase       bool   // ne: do not erase to the end of the line
}

// DefaultColors are GNU grep's.
func DefaultColors() Colors {
	return Colors{MatchSelected: "01;31", MatchContext: "01;31", File: "35", Line: "32", Byte: "32", Separator: "36"}
}

// ParseColors returns the colours that GREP_COLORS, and the deprecated GREP_COLOR, ask for. As in
// GNU grep a malformed capability ends the parsing, and unknown ones are passed over.
func ParseColors(grepColors, grepColor string) Colors {
	c := DefaultColors()
	if grepColor != "" && sgr(grepColor) {
		c.MatchSelected, c.MatchContext = grepColor, grepColor
	}
	if grepColors == "" {
		return c
	}
	for capability := range strings.SplitSeq(grepColors, ":") {
		name, value, has := strings.Cut(capability, "=")
		if !sgr(value) || name == "" && has {
			break
		}
		c.set(name, value, has)
	}
	return c
}

func (c *Colors) set(name, value string, has bool) {
	switch name {
	case "rv":
		c.Reverse = true
		return
	case "ne":
		c.NoErase = true
		return
	}
	if !has {
		return
	}
	switch name {
	case "sl":
		c.Selected = value
	case "cx":
		c.Context = value
	case "mt":
		c.MatchSelected, c.MatchContext = value, value
	case "ms":
		c.MatchSelected = value
	case "mc":
		c.MatchContext = value
	case "fn":
		c.File = value
	case "ln":
		c.Line = value
	case "bn":
		c.Byte = value
	case "se":
		c.Separator = value
	}
}

func sgr(s string) bool {
	return strings.Trim(s, "0123456789;") == ""
}

// start appends the sequence that turns a colour on; stop the one that turns colours off.
func (c *Colors) start(dst []byte, color string) []byte {
	if c == nil || color == "" {
		return dst
	}
	dst = append(append(append(dst, "\x1b["...), color...), 'm')
	return c.erase(dst)
}

func (c *Colors) stop(dst []byte, color string) []byte {
	if c == nil || color == "" {
		return dst
	}
	return c.erase(append(dst, "\x1b[m"...))
}

func (c *Colors) erase(dst []byte) []byte {
	if c.NoErase {
		return dst
	}
	return append(dst, "\x1b[K"...)
}

// of returns the colours of a line and of the matches in it.
func (c *Colors) of(context, invert bool) (line, match string) {
	if context == (invert && c.Reverse) {
		line = c.Selected
	} else {
		line = c.Context
	}
	if context {
		return line, c.MatchContext
	}
	return line, c.MatchSelected
}
