package schemas

import (
	"fmt"
	"reflect"
	"testing"
)

func TestAdmitsNode(t *testing.T) {
	for _, c := range []struct {
		s      Select
		name   string
		groups []string
		want   bool
	}{
		{Select{}, "web1", nil, true},
		{Select{Nodes: []string{"web*"}}, "web1", nil, true},
		{Select{Nodes: []string{"db", "web?"}}, "web1", nil, true},
		{Select{Nodes: []string{"db*"}}, "web1", nil, false},
		{Select{Nodes: []string{"["}}, "web1", nil, false},
		{Select{Groups: []string{"eu-*"}}, "web1", []string{"us", "eu-west"}, true},
		{Select{Groups: []string{"eu-*"}}, "web1", nil, false},
		{Select{Nodes: []string{"db*"}, Groups: []string{"eu"}}, "web1", []string{"eu"}, false},
	} {
		if got := c.s.AdmitsNode(c.name, c.groups); got != c.want {
			t.Errorf("%+v admits %s %v: %t", c.s, c.name, c.groups, got)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Chunk{Text: []byte("a\nb\nc\n"), Numbers: []int64{1, 2, 3}, Context: []int64{1, 1, 1}, Groups: []int64{0, 2}}
	for name, c := range map[string]struct {
		change func(*Chunk)
		ok     bool
	}{
		"good":             {func(c *Chunk) {}, true},
		"number missing":   {func(c *Chunk) { c.Numbers = c.Numbers[:2] }, false},
		"times not asked":  {func(c *Chunk) { c.Times = []int64{1, 2, 3} }, false},
		"context short":    {func(c *Chunk) { c.Context = []int64{1, 1} }, false},
		"context long":     {func(c *Chunk) { c.Context = []int64{1, 1 << 62, 1 << 62} }, false},
		"group beyond":     {func(c *Chunk) { c.Groups = []int64{3} }, false},
		"groups unsorted":  {func(c *Chunk) { c.Groups = []int64{1, 0} }, false},
		"group again":      {func(c *Chunk) { c.Groups = []int64{1, 1} }, true},
		"more but ended":   {func(c *Chunk) { c.More = true }, false},
		"ended but more":   {func(c *Chunk) { c.Text = []byte("a\nb\nc") }, false},
		"more":             {func(c *Chunk) { c.Text, c.More = []byte("a\nb\nc"), true }, true},
		"continues":        {func(c *Chunk) { c.Continues, c.Numbers, c.Context, c.Groups = true, c.Numbers[:2], nil, nil }, true},
		"continues, wrong": {func(c *Chunk) { c.Continues = true }, false},
	} {
		chunk := good
		c.change(&chunk)
		if _, err := chunk.Check(ColumnNumber, '\n'); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCut cuts a chunk of every shape at every line: both parts must be good chunks, and together
// the whole.
func TestCut(t *testing.T) {
	for _, continues := range []bool{false, true} {
		for _, more := range []bool{false, true} {
			c := Chunk{Text: []byte("a\nbb\nccc\nd\n"), Continues: continues, More: more}
			if more {
				c.Text = c.Text[:len(c.Text)-1]
			}
			lines := c.Lines('\n')
			for i := range lines {
				c.Numbers = append(c.Numbers, int64(i))
			}
			c.Context = []int64{0, 1, int64(lines - 1)}
			c.Groups = []int64{0, 2}
			for n := range lines + 2 {
				head, tail := c.Cut(n, '\n')
				if got := string(head.Text) + string(tail.Text); got != string(c.Text) {
					t.Errorf("cut %d: %q + %q", n, head.Text, tail.Text)
				}
				if got := append(append([]int64{}, head.Numbers...), tail.Numbers...); !reflect.DeepEqual(got, c.Numbers) {
					t.Errorf("cut %d: numbers %v + %v", n, head.Numbers, tail.Numbers)
				}
				if got := head.Selected('\n') + tail.Selected('\n'); got != c.Selected('\n') {
					t.Errorf("cut %d: selected %d, not %d", n, got, c.Selected('\n'))
				}
				for _, part := range []Chunk{head, tail} {
					if len(part.Text) == 0 {
						continue
					}
					if _, err := part.Check(ColumnNumber, '\n'); err != nil {
						t.Errorf("cut %d of %+v: %v in %+v", n, c, err, part)
					}
				}
			}
		}
	}
}

func ExampleChunk_Cut() {
	c := Chunk{Text: []byte("one\ntwo\nthree\n"), Numbers: []int64{1, 5, 9}}
	head, tail := c.Cut(2, '\n')
	fmt.Printf("%q %v, %q %v\n", head.Text, head.Numbers, tail.Text, tail.Numbers)
	// Output: "one\ntwo\n" [1 5], "three\n" [9]
}
