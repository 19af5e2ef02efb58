package chart

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// PNG writes f as a PNG image of Width by Height pixels.
func PNG(w io.Writer, f Figure) error {
	c := &pngCanvas{img: image.NewRGBA(image.Rect(0, 0, Width, Height)), faces: map[float64]font.Face{}}
	draw.Draw(c.img, c.img.Bounds(), image.White, image.Point{}, draw.Src)
	var err error
	if c.font, err = opentype.Parse(goregular.TTF); err != nil {
		return fmt.Errorf("font: %w", err)
	}
	f.draw(c)
	if c.err != nil {
		return c.err
	}
	if err := png.Encode(w, c.img); err != nil {
		return fmt.Errorf("write PNG: %w", err)
	}
	return nil
}

// pngCanvas fills paths with smooth edges.
type pngCanvas struct {
	img   *image.RGBA
	font  *opentype.Font
	faces map[float64]font.Face
	err   error
}

// fill fills the polygon.
func (c *pngCanvas) fill(points []Point, colour color.RGBA) {
	r := vector.NewRasterizer(Width, Height)
	r.MoveTo(float32(points[0].X), float32(points[0].Y))
	for _, p := range points[1:] {
		r.LineTo(float32(p.X), float32(p.Y))
	}
	r.ClosePath()
	r.Draw(c.img, c.img.Bounds(), image.NewUniform(colour), image.Point{})
}

func (c *pngCanvas) rect(x, y, w, h float64, fill color.RGBA, _ string) {
	c.fill([]Point{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}, fill)
}

func (c *pngCanvas) line(x1, y1, x2, y2, width float64, stroke color.RGBA, _ string) {
	if x1 == x2 || y1 == y2 { // on whole pixels, or a thin line becomes a broad faint one
		x1, y1, x2, y2 = math.Floor(x1)+width/2, math.Floor(y1)+width/2, math.Floor(x2)+width/2, math.Floor(y2)+width/2
	}
	length := math.Hypot(x2-x1, y2-y1)
	if length == 0 {
		return
	}
	dx, dy := (y2-y1)/length*width/2, (x1-x2)/length*width/2
	c.fill([]Point{{x1 + dx, y1 + dy}, {x2 + dx, y2 + dy}, {x2 - dx, y2 - dy}, {x1 - dx, y1 - dy}}, stroke)
}

func (c *pngCanvas) dot(x, y, radius float64, fill color.RGBA, _ string) {
	var circle []Point
	for i := range 24 {
		a := 2 * math.Pi * float64(i) / 24
		circle = append(circle, Point{x + radius*math.Cos(a), y + radius*math.Sin(a)})
	}
	c.fill(circle, fill)
}

func (c *pngCanvas) text(x, y, size float64, at anchor, s string) {
	face := c.faces[size]
	if face == nil {
		var err error
		if face, err = opentype.NewFace(c.font, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull}); err != nil {
			c.err = fmt.Errorf("font: %w", err)
			return
		}
		c.faces[size] = face
	}
	d := font.Drawer{Dst: c.img, Src: image.NewUniform(ink), Face: face}
	width := d.MeasureString(s)
	d.Dot = fixed.Point26_6{X: fixed.Int26_6(math.Round(x * 64)), Y: fixed.I(int(math.Round(y)))}
	d.Dot.X -= width * fixed.Int26_6(at) / 2
	d.DrawString(s)
}
