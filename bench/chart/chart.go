// Package chart draws the two figures of trawl's benchmarks: Bars, a mean and its standard deviation
// a bar, and Lines, curves over two logarithmic axes. SVG and PNG write one, each 800 by 480 pixels.
//
// It exists because a library for plots would cost every trawl grep: gonum/plot parses its fonts when
// the program starts, 0.9 ms of a process that takes 7, and there is no way to link a package without
// running its initialisers. This one has none; the only font it carries is read when a PNG is drawn.
package chart

import (
	"image/color"
	"math"
	"strconv"
)

// Width and Height are the size of every figure, in pixels.
const (
	Width  = 800
	Height = 480
)

// Figure is what can be drawn: Bars or Lines.
type Figure interface{ draw(c canvas) }

// Bars is a chart of bars from zero, each with a whisker from Mean − SD to Mean + SD.
type Bars struct {
	Title string
	X, Y  string // what the axes show, with the unit
	Bars  []Bar
}

// Bar is one bar, in the unit of Bars.Y.
type Bar struct {
	Label    string
	Mean, SD float64
}

// Lines is a chart of curves over two logarithmic axes.
type Lines struct {
	Title string
	X, Y  string // what the axes show, with the unit
	Lines []Line
}

// Line is one curve; points of which a coordinate is not above zero are left out.
type Line struct {
	Label  string
	Points []Point
}

// Point is a place on the axes, in their units.
type Point struct{ X, Y float64 }

// anchor says which end of a text stands at its place.
type anchor int

const (
	start anchor = iota
	middle
	end
)

// canvas is what a figure is drawn on; places are pixels from the top left. The class tells in an SVG
// what a shape stands for.
type canvas interface {
	rect(x, y, w, h float64, fill color.RGBA, class string)
	line(x1, y1, x2, y2, width float64, stroke color.RGBA, class string)
	dot(x, y, radius float64, fill color.RGBA, class string)
	text(x, y, size float64, at anchor, s string)
}

var (
	ink     = color.RGBA{0x22, 0x22, 0x22, 0xff}
	faint   = color.RGBA{0xdd, 0xdd, 0xdd, 0xff}
	palette = []color.RGBA{ // told apart by the colour-blind too
		{0x2f, 0x6f, 0xab, 0xff}, {0xd9, 0x7a, 0x1f, 0xff}, {0x2a, 0x8f, 0x6b, 0xff},
		{0xa8, 0x3e, 0x6c, 0xff}, {0x7a, 0x7a, 0x7a, 0xff}, {0x8c, 0x6d, 0x1f, 0xff},
	}
)

// The frame of the axes, and the sizes of letters.
const (
	left, right, top, bottom = 76.0, Width - 24.0, 76.0, Height - 64.0

	titleSize, labelSize = 17.0, 13.0
)

// frame draws what both figures have: title, axes and what these show.
func frame(c canvas, title, x, y string) {
	c.text(Width/2, 26, titleSize, middle, title)
	c.text(12, 54, labelSize, start, y) // above its axis: nobody has to tilt their head
	c.text((left+right)/2, Height-18, labelSize, middle, x)
	c.line(left, top, left, bottom, 1, ink, "axis")
	c.line(left, bottom, right, bottom, 1, ink, "axis")
}

func (b *Bars) draw(c canvas) {
	most := 0.0
	for _, bar := range b.Bars {
		most = max(most, bar.Mean+bar.SD)
	}
	step := niceStep(most)
	full := step * max(1, math.Ceil(most*1.08/step)) // room for the figure over the highest whisker
	at := func(v float64) float64 { return bottom - (bottom-top)*max(v, 0)/full }
	for i := 0; float64(i)*step <= full*1.0001; i++ {
		v := float64(i) * step
		if i > 0 {
			c.line(left, at(v), right, at(v), 1, faint, "grid")
		}
		c.text(left-8, at(v)+4.5, labelSize, end, short(v))
	}
	frame(c, b.Title, b.X, b.Y)
	slot := (right - left) / float64(max(1, len(b.Bars)))
	for i, bar := range b.Bars {
		x, width := left+slot*(float64(i)+0.5), slot*0.56
		c.rect(x-width/2, at(bar.Mean), width, bottom-at(bar.Mean), palette[0], "bar")
		whisker(c, x, at(bar.Mean-bar.SD), at(bar.Mean+bar.SD))
		c.text(x, at(bar.Mean+bar.SD)-8, labelSize, middle, figure(bar.Mean)+" ± "+figure(bar.SD))
		c.text(x, bottom+20, labelSize, middle, bar.Label)
	}
}

// whisker draws one error bar: the two ends and what joins them.
func whisker(c canvas, x, low, high float64) {
	const half = 7
	c.line(x, low, x, high, 2, ink, "errorbar")
	c.line(x-half, low, x+half, low, 2, ink, "errorbar-end")
	c.line(x-half, high, x+half, high, 2, ink, "errorbar-end")
}

func (l *Lines) draw(c canvas) {
	xs, ys := l.decades()
	atX := func(v float64) float64 { return left + (right-left)*xs.share(v) }
	atY := func(v float64) float64 { return bottom - (bottom-top)*ys.share(v) }
	for d := xs.low; d <= xs.high; d++ {
		v := math.Pow(10, float64(d))
		c.line(atX(v), top, atX(v), bottom, 1, faint, "grid")
		c.text(atX(v), bottom+20, labelSize, middle, short(v))
	}
	for d := ys.low; d <= ys.high; d++ {
		v := math.Pow(10, float64(d))
		c.line(left, atY(v), right, atY(v), 1, faint, "grid")
		c.text(left-8, atY(v)+4.5, labelSize, end, short(v))
	}
	frame(c, l.Title, l.X, l.Y)
	for i, line := range l.Lines {
		colour := palette[i%len(palette)]
		var last *Point
		for _, p := range line.Points {
			if !(p.X > 0 && p.Y > 0) {
				continue
			}
			if last != nil {
				c.line(atX(last.X), atY(last.Y), atX(p.X), atY(p.Y), 2, colour, "curve")
			}
			c.dot(atX(p.X), atY(p.Y), 4, colour, "point")
			last = &p
		}
		y := top + 14 + 19*float64(i)
		c.line(left+14, y, left+38, y, 2, colour, "legend")
		c.dot(left+26, y, 4, colour, "legend")
		c.text(left+46, y+4.5, labelSize, start, line.Label)
	}
}

// decades is a logarithmic axis from 10^low to 10^high.
type decades struct{ low, high int }

func (d decades) share(v float64) float64 {
	return (math.Log10(v) - float64(d.low)) / float64(d.high-d.low)
}

// decades gives the axes that hold all points, a decade at least.
func (l *Lines) decades() (x, y decades) {
	lowX, highX, lowY, highY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, line := range l.Lines {
		for _, p := range line.Points {
			if p.X > 0 && p.Y > 0 {
				lowX, highX = min(lowX, p.X), max(highX, p.X)
				lowY, highY = min(lowY, p.Y), max(highY, p.Y)
			}
		}
	}
	return axis(lowX, highX), axis(lowY, highY)
}

func axis(low, high float64) decades {
	if low > high {
		return decades{0, 1} // no points
	}
	d := decades{int(math.Floor(math.Log10(low) + 1e-9)), int(math.Ceil(math.Log10(high) - 1e-9))}
	if d.high == d.low {
		d.high++
	}
	return d
}

// niceStep is 1, 2 or 5 times a power of ten, of which 4 to 10 make most.
func niceStep(most float64) float64 {
	if !(most > 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most/4)))
	for _, f := range []float64{5, 2} {
		if f*power <= most/4 {
			return f * power
		}
	}
	return power
}

// figure writes a number for those who compare: in full up to four digits, then as short does.
func figure(v float64) string {
	if a := math.Abs(v); a >= 999.5 && a < 9999.5 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return short(v)
}

// short writes a number with three digits at most before it takes to a suffix: 0.25, 48, 1.5k, 60M.
func short(v float64) string {
	suffix := ""
	for _, s := range []string{"k", "M", "G"} {
		if math.Abs(v) < 999.5 {
			break
		}
		v, suffix = v/1000, s
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + suffix
}
