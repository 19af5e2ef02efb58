package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a flag value in bytes: "4096", "60MB" (decimal), "64MiB" (binary), "1.5GB", "64K" (as dd and grep's peers: binary).
type byteSize int64

var sizeUnits = []struct {
	name   string
	factor float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40}, {"b", 1}, {"", 1},
}

// Set reads a size.
func (s *byteSize) Set(text string) error {
	lower := strings.ToLower(strings.TrimSpace(text))
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(lower, unit.name)
		if !ok {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || value < 0 || !(value*unit.factor < math.MaxInt64) {
			break
		}
		*s = byteSize(value * unit.factor)
		return nil
	}
	return fmt.Errorf("size %q is none like 4096, 60MB, 64MiB", text)
}

// Type names the value in help texts.
func (s *byteSize) Type() string { return "SIZE" }

// String returns s in the largest decimal unit that keeps it short: "60MB", "1.5GB".
func (s *byteSize) String() string { return formatBytes(int64(*s)) }

// formatBytes returns n in decimal units with at most three digits: "999B", "1.2MB", "60MB".
func formatBytes(n int64) string {
	const units = "kMGTPE"
	value, unit := float64(n), -1
	for value >= 999.5 && unit+1 < len(units) {
		value /= 1000
		unit++
	}
	if unit < 0 {
		return strconv.FormatInt(n, 10) + "B"
	}
	digits := 1
	if value >= 9.95 || value == math.Trunc(value) {
		digits = 0
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + units[unit:unit+1] + "B"
}
