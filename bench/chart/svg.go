package chart

import (
	"fmt"
	"html"
	"image/color"
	"io"
	"strings"
)

// SVG writes f as an SVG document. Error bars are elements of class "errorbar", one a bar.
func SVG(w io.Writer, f Figure) error {
	c := &svgCanvas{}
	fmt.Fprintf(&c.b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="Go, Helvetica, Arial, sans-serif">`+"\n", Width, Height)
	c.rect(0, 0, Width, Height, color.RGBA{0xff, 0xff, 0xff, 0xff}, "background")
	f.draw(c)
	c.b.WriteString("</svg>\n")
	if _, err := io.WriteString(w, c.b.String()); err != nil {
		return fmt.Errorf("write SVG: %w", err)
	}
	return nil
}

// svgCanvas writes an element a shape.
type svgCanvas struct{ b strings.Builder }

func (c *svgCanvas) rect(x, y, w, h float64, fill color.RGBA, class string) {
	fmt.Fprintf(&c.b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", class, x, y, w, h, hex(fill))
}

func (c *svgCanvas) line(x1, y1, x2, y2, width float64, stroke color.RGBA, class string) {
	fmt.Fprintf(&c.b, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%g"/>`+"\n", class, x1, y1, x2, y2, hex(stroke), width)
}

func (c *svgCanvas) dot(x, y, radius float64, fill color.RGBA, class string) {
	fmt.Fprintf(&c.b, `<circle class="%s" cx="%.1f" cy="%.1f" r="%g" fill="%s"/>`+"\n", class, x, y, radius, hex(fill))
}

func (c *svgCanvas) text(x, y, size float64, at anchor, s string) {
	fmt.Fprintf(&c.b, `<text x="%.1f" y="%.1f" font-size="%g" text-anchor="%s" fill="%s">`, x, y, size, [...]string{"start", "middle", "end"}[at], hex(ink))
	c.b.WriteString(html.EscapeString(s) + "</text>\n")
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }
