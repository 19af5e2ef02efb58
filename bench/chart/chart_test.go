package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"strings"
	"testing"
)

var bars = &Bars{Title: "a & b", X: "token", Y: "time, ms", Bars: []Bar{{"EVEN", 100, 20}, {"RARE", 40, 50}, {"HEAVY", 0, 0}}}

var lines = &Lines{Title: "growth", X: "nodes", Y: "time, ms", Lines: []Line{
	{"empty", []Point{{1, 0.5}, {10, 0.7}, {1000, 40}}}, {"none", nil}, {"zero", []Point{{10, 0}, {100, 3}}}}}

// classes counts the elements of an SVG by class, and fails where it is not well formed.
func classes(t *testing.T, f Figure) map[string]int {
	t.Helper()
	var b bytes.Buffer
	if err := SVG(&b, f); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
		t.Errorf("a place is none: %s", b.String())
	}
	found := map[string]int{}
	for d := xml.NewDecoder(&b); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			found[e.Name.Local]++
			for _, a := range e.Attr {
				if a.Name.Local == "class" {
					found["."+a.Value]++
				}
			}
		}
	}
}

func TestSVG(t *testing.T) {
	if c := classes(t, bars); c[".bar"] != 3 || c[".errorbar"] != 3 || c[".errorbar-end"] != 6 || c["text"] < 3+3+3 {
		t.Errorf("bars: %v", c)
	}
	if c := classes(t, lines); c[".point"] != 4 || c[".curve"] != 2 || c[".legend"] != 6 {
		t.Errorf("lines: %v", c)
	}
	for _, empty := range []Figure{&Bars{}, &Lines{}} {
		classes(t, empty)
	}
}

// Each figure has its title, and says what its axes show, with the unit.
func TestLabels(t *testing.T) {
	for _, figure := range []struct {
		f      Figure
		labels []string
	}{{bars, []string{"a &amp; b", "token", "time, ms"}}, {lines, []string{"growth", "nodes", "time, ms"}}} {
		var b strings.Builder
		if err := SVG(&b, figure.f); err != nil {
			t.Fatal(err)
		}
		for _, label := range figure.labels {
			if !strings.Contains(b.String(), ">"+label+"</text>") {
				t.Errorf("%q is missing: %s", label, b.String())
			}
		}
	}
}

// The whisker stands in the image, from one standard deviation below the mean to one above, and what is
// below it in the bar's colour is the bar.
func TestPNG(t *testing.T) {
	var b bytes.Buffer
	if err := PNG(&b, bars); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if s := img.Bounds().Size(); s.X != Width || s.Y != Height {
		t.Fatalf("size %v", s)
	}
	is := func(x, y float64) uint8 { r, _, _, _ := img.At(int(x), int(y)).RGBA(); return uint8(r >> 8) }
	x := left + (right-left)/6 // of the first bar
	full := 140.0              // 120 and room above it, in steps of 20
	at := func(v float64) float64 { return bottom - (bottom-top)*v/full }
	for v, want := range map[float64]uint8{90: ink.R, 110: ink.R, 70: palette[0].R, 137: 0xff} {
		if got := is(x, at(v)); got != want {
			t.Errorf("at %v: red %x, want %x", v, got, want)
		}
	}
	b.Reset()
	if err := PNG(&b, lines); err != nil || b.Len() < 1000 {
		t.Errorf("lines: %d bytes, %v", b.Len(), err)
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 48.26: "48.3", 1500: "1.5k", 60e6: "60M", 999: "999", 4e9: "4G"} {
		if got := short(v); got != want {
			t.Errorf("short(%v) = %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{0.25: "0.25", 999: "999", 1371: "1371", 9999: "9999", 12_000: "12k"} {
		if got := figure(v); got != want {
			t.Errorf("figure(%v) = %s, want %s", v, got, want)
		}
	}
	for most, want := range map[float64]float64{0: 1, 120: 20, 700: 100, 8: 2, 0.9: 0.2} {
		if got := niceStep(most); got != want {
			t.Errorf("niceStep(%v) = %v, want %v", most, got, want)
		}
	}
}
