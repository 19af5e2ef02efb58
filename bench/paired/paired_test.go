package paired

import (
	"bytes"
	"testing"
)

func TestQuantile(t *testing.T) {
	v := []float64{4, 1, 3, 2, 5}
	for q, want := range map[float64]float64{0: 1, 0.25: 2, 0.5: 3, 0.75: 4, 1: 5, 0.125: 1.5} {
		if got := Quantile(v, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := Spread(Ratios([]float64{2, 9, 8}, []float64{1, 3, 2})); got != "3.00 (2.50–3.50)" {
		t.Errorf("spread %q", got)
	}
	var many []float64
	for i := range 101 {
		many = append(many, float64(i))
	}
	if got := Likely(many); got != "50.000 (40.000–60.000)" {
		t.Errorf("likely %q", got)
	}
	if got := Likely(v); got != "3.000 (1.000–5.000)" {
		t.Errorf("likely %q of few", got)
	}
	if Likely(nil) != "–" || Spread(nil) != "–" || Milliseconds(nil) != "–" {
		t.Error("figures of nothing")
	}
}

func TestLineSum(t *testing.T) {
	sum := func(text string, trim func([]byte) []byte) uint64 {
		t.Helper()
		n, err := LineSum([]string{"printf", text}, trim)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	behindColon := func(line []byte) []byte { return line[bytes.IndexByte(line, ':')+1:] }
	if sum("a\\nb\\n", nil) != sum("b\\na\\n", nil) {
		t.Error("the order of lines counts")
	}
	if sum("a\\nb\\n", nil) == sum("a\\na\\n", nil) {
		t.Error("other lines, the same sum")
	}
	if sum("n1:a\\nn2:b\\n", behindColon) != sum("b\\na\\n", nil) {
		t.Error("lines are not trimmed")
	}
	if cost, err := Once([]string{"false"}); err != nil || cost.Wall <= 0 {
		t.Errorf("no match: %+v, %v", cost, err)
	}
	if _, err := Once([]string{"sh", "-c", "exit 2"}); err == nil {
		t.Error("status 2 is no error")
	}
}
