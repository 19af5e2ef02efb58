package profile

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"maps"

	"github.com/trawl-logs/trawl/sample"
)

// maxLine is far above the longest line of a sample's log.
const maxLine = 64 << 10

// checker looks at each line of one answer as it comes, an io.Writer of any size of answer that keeps no
// more than one line: it counts them by node, until the first that is wrong.
type checker struct {
	token []byte
	rest  []byte           // of a line whose end has not come
	node  string           // of the last line
	n     int64            // lines of it in a row: what is counted in a map is a node, not a line
	got   map[string]int64 // lines by node, but for these; all nodes that there are have a row
	wrong string           // what the first wrong line is; empty: there was none
}

func newChecker(truth *sample.Truth, token string) *checker {
	c := &checker{token: []byte(token), got: map[string]int64{}}
	for _, node := range truth.Nodes {
		c.got[node.Node] = 0
	}
	return c
}

// Write takes a part of the answer, and never fails.
func (c *checker) Write(p []byte) (int, error) {
	all := len(p)
	for c.wrong == "" {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		line := p[:i]
		if len(c.rest) > 0 {
			line = append(c.rest, line...)
			c.rest = line[:0]
		}
		c.line(line)
		p = p[i+1:]
	}
	switch {
	case c.wrong != "":
	case len(c.rest)+len(p) > maxLine:
		c.wrong = fmt.Sprintf("a line of more than %d bytes: %.200q", maxLine, append(c.rest, p[:min(len(p), 200)]...))
	default:
		c.rest = append(c.rest, p...)
	}
	return all, nil
}

// line judges one, and counts it.
func (c *checker) line(line []byte) {
	name, _, _ := bytes.Cut(line, []byte(":"))
	if string(name) != c.node {
		c.turn(string(name))
	}
	c.n++
	switch _, known := c.got[c.node]; {
	case c.wrong != "":
	case !known:
		c.wrong = fmt.Sprintf("a line of none of the nodes: %.200q", line)
	case !bytes.Contains(line, c.token):
		c.wrong = fmt.Sprintf("a line of %s without %s: %.200q", name, c.token, line)
	}
}

// turn goes on with another node's lines.
func (c *checker) turn(node string) {
	if c.n > 0 {
		c.got[c.node] += c.n
	}
	c.node, c.n = node, 0
}

// lines are those that came, by node; nothing comes after them.
func (c *checker) lines() map[string]int64 {
	if len(c.rest) > 0 { // a last line without its end is one
		c.line(c.rest)
		c.rest = c.rest[:0]
	}
	c.turn("")
	maps.DeleteFunc(c.got, func(_ string, n int64) bool { return n == 0 })
	return c.got
}

// sum is what an answer is known again by.
type sum struct {
	lines, bytes int64
	crc          uint32 // where it was asked for
}

// castagnoli is the polynomial that processors have an instruction for: it runs while the clock does.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// add takes a part of the answer.
func (s *sum) add(p []byte, check bool) {
	s.bytes += int64(len(p))
	s.lines += int64(bytes.Count(p, []byte("\n")))
	if check {
		s.crc = crc32.Update(s.crc, castagnoli, p)
	}
}

// verify holds the answers to one token against the truth: of the warm-up, whose time does not count, each
// line; each later answer must have the same bytes, since lines come node by node and in the order of their files.
type verify struct {
	truth *sample.Truth
	token string
	right sum // of the warm-up's answer
}

// warmUp judges the answer that c has looked at.
func (v *verify) warmUp(q *query, c *checker) error {
	want := map[string]int64{}
	for _, node := range v.truth.Nodes {
		if n := node.Tokens[v.token]; n > 0 {
			want[node.Node] = n
		}
	}
	got := c.lines()
	if c.wrong != "" {
		return v.wrong("%s", c.wrong)
	}
	if !maps.Equal(got, want) {
		return v.wrong("lines by node %v, the logs hold %v", got, want)
	}
	v.right = q.sum
	return v.account(q)
}

// trial judges the answer of a timed query.
func (v *verify) trial(n int, q *query) error {
	if q.sum != v.right {
		return v.wrong("trial %d had %d lines, %d bytes of sum %08x; the warm-up, which was right, %d, %d of %08x",
			n, q.lines, q.bytes, q.crc, v.right.lines, v.right.bytes, v.right.crc)
	}
	return v.account(q)
}

// account judges what else is said of an answer.
func (v *verify) account(q *query) error {
	status := 1
	if v.right.lines > 0 {
		status = 0
	}
	switch {
	case q.status != status:
		return v.wrong("exit status %d, want %d", q.status, status)
	case q.considered != v.truth.Total.Bytes || q.searched > q.considered: // less where the index tells
		return v.wrong("%d of %d bytes were searched, the logs hold %d", q.searched, q.considered, v.truth.Total.Bytes)
	}
	return nil
}

func (v *verify) wrong(format string, args ...any) error {
	return &WrongError{v.token, fmt.Sprintf(format, args...)}
}
