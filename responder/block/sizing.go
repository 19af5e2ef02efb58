package block

import (
	"fmt"
	"math"
	"time"
)

// Level is how much room an administrator gives the index: docs/index.md has what each costs and saves.
type Level uint8

// The levels. The zero value is Normal.
const (
	Normal Level = iota
	Small
	Large
)

var levels = [...]struct {
	name       string
	stripBytes float64
	rowsPerKey float64
}{
	Normal: {"normal", 32 << 10, 2.2},
	Small:  {"small", 64 << 10, 1.6},
	Large:  {"large", 16 << 10, 2.2},
}

// common is the share of a block's strips from which on a gram is left out.
const common = 0.4

func (l Level) String() string { return levels[l].name }

// ParseLevel is the reverse of Level.String.
func ParseLevel(name string) (Level, error) {
	for l, v := range levels {
		if v.name == name {
			return Level(l), nil
		}
	}
	return 0, fmt.Errorf("index level %q is none of small, normal, large", name)
}

const (
	// DefaultReadRate is taken for a disk whose rate is not known yet, bytes a second.
	DefaultReadRate = 500e6
	// DefaultTarget is how long a block takes to be read: so does, at most, what follows the last block of
	// a file, which every search reads.
	DefaultTarget = 4 * time.Millisecond
	// DefaultMeanLine is taken for the length of lines where none were seen, in bytes.
	DefaultMeanLine = 120
)

// Sizing is what the size of a node's blocks follows from. Fields that are not positive mean the defaults.
type Sizing struct {
	ReadRate float64       // bytes a second that the disk delivers in sequence
	Target   time.Duration // to read a block
	MeanLine float64       // bytes
	Level    Level
}

// Resolve replaces what is not known by the defaults.
func (s Sizing) Resolve() Sizing {
	if !(s.ReadRate > 0) {
		s.ReadRate = DefaultReadRate
	}
	if s.Target <= 0 {
		s.Target = DefaultTarget
	}
	if !(s.MeanLine >= 1) {
		s.MeanLine = DefaultMeanLine
	}
	return s
}

// Shape returns the blocks of a node: all have the same number of lines,
//
//	lines = read rate × target time ÷ mean line length
//
// in strips of the level's size, rounded to a multiple of 64 strips between 64 and MaxStrips.
func (s Sizing) Shape() Options {
	s = s.Resolve()
	l := levels[s.Level]
	lines := s.ReadRate * s.Target.Seconds() / s.MeanLine
	stripLines := math.Max(1, math.Min(math.Round(l.stripBytes/s.MeanLine), 1<<22))
	groups := math.Max(1, math.Min(math.Round(lines/stripLines/64), MaxStrips/64))
	return Options{Strips: int(groups) * 64, StripLines: int(stripLines), RowsPerKey: l.rowsPerKey, Common: common}
}

// Explain says in a line how Shape comes to its number.
func (s Sizing) Explain() string {
	s = s.Resolve()
	o := s.Shape()
	return fmt.Sprintf("%.0f MB/s × %v ÷ %.0f bytes a line = %.0f lines; blocks of %d lines in %d strips of %d",
		s.ReadRate/1e6, s.Target, s.MeanLine, s.ReadRate*s.Target.Seconds()/s.MeanLine, o.Strips*o.StripLines, o.Strips, o.StripLines)
}
