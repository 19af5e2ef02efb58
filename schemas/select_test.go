package schemas

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The order in which --include and --exclude were given comes through the codec; a query without it
// has all of one before all of the other.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		given, runs string
	}{
		{"", "[]"}, {"+a", "[]"}, {"-a", "[]"}, {"+a +b -c -d", "[]"}, {"-a +b", "[0 1 1]"}, {"+a -b -c +d +e -f", "[1 2 2 1]"},
	} {
		q := sampleQuery()
		q.Select = Select{}
		for name := range strings.FieldsSeq(c.given) {
			q.Select.AddName(name[1:], name[0] == '+')
		}
		if got := fmt.Sprint(q.Select.NameRuns); got != c.runs {
			t.Errorf("%s: runs %s, want %s", c.given, got, c.runs)
		}
		back, err := DecodeQuery(AppendQuery(nil, q))
		if err != nil {
			t.Fatalf("%s: %v", c.given, err)
		}
		var names []string
		for glob, include := range back.Select.Names() {
			names = append(names, map[bool]string{true: "+", false: "-"}[include]+glob)
		}
		if got := strings.Join(names, " "); got != c.given {
			t.Errorf("%s came out as %s", c.given, got)
		}
	}
}

func TestNameRunsAreHeldAgainstTheLists(t *testing.T) {
	for _, runs := range [][]int64{{1}, {1, 2}, {2, 1}, {-1, 1, 2}, {0, 1}, {1, 1, 1 << 40}} {
		q := sampleQuery()
		q.Select = Select{Include: []string{"a"}, Exclude: []string{"b"}, NameRuns: runs}
		var field *FieldError
		if err := q.Validate(); !errors.As(err, &field) || field.Field != "query.name_runs" {
			t.Errorf("%v: %v", runs, err)
		}
	}
}
