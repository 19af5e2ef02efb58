package syntax

import (
	"fmt"
	"strconv"
	"strings"
)

// POSIX leaves `(?` and most escapes undefined, and GNU grep 3.8 warns about them ("stray \ before
// d") and reads a plain d. Nobody types `\d+` for that. So -E and -G read what every newer language
// agrees on, \d \D \xHH and, in ERE, (?:…); look-around is refused as in RE2.

// commonEscape reads the escapes that GNU warns about and every newer language knows.
func (p *posixParser) commonEscape(c byte) bool {
	switch c {
	case 'd':
		return p.atom(&Node{Op: OpClass, Class: digits})
	case 'D':
		return p.atom(&Node{Op: OpClass, Class: minus(anyClass, digits)})
	case 'x':
		if p.pos+2 > len(p.src) {
			return false
		}
		v, err := strconv.ParseUint(p.src[p.pos:p.pos+2], 16, 8)
		if err != nil {
			return false
		}
		p.pos += 2
		return p.atom(p.lits.rune(rune(v)))
	}
	return false
}

// commonGroup reads what follows the ( of an ERE group that was just consumed.
func (p *posixParser) commonGroup() error {
	rest := p.src[p.pos:]
	for _, look := range []string{"?=", "?!", "?<=", "?<!"} {
		if strings.HasPrefix(rest, look) {
			return fmt.Errorf("look-around (%s cannot be done in linear time", look)
		}
	}
	if strings.HasPrefix(rest, "?:") {
		p.pos += 2
	}
	return nil
}
