package simd

import (
	"testing"
	"unsafe"
)

// TestLayout: internal/asm knows where the fields are.
func TestLayout(t *testing.T) {
	var p pairKernel
	var s setKernel
	var w windowKernel
	var b batch
	var h Hit
	var c classKernel
	var v skim
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"pair.at1", unsafe.Offsetof(p.at1), 0}, {"pair.at2", unsafe.Offsetof(p.at2), 8}, {"pair.atWord", unsafe.Offsetof(p.atWord), 16},
		{"pair.fold", unsafe.Offsetof(p.fold), 24}, {"pair.keep", unsafe.Offsetof(p.keep), 32}, {"pair.want", unsafe.Offsetof(p.want), 40},
		{"pair.byte1", unsafe.Offsetof(p.byte1), 48}, {"pair.byte2", unsafe.Offsetof(p.byte2), 49},
		{"pair.fold1", unsafe.Offsetof(p.fold1), 50}, {"pair.fold2", unsafe.Offsetof(p.fold2), 51},
		{"pair.atNext", unsafe.Offsetof(p.atNext), 56}, {"pair.minus", unsafe.Offsetof(p.minus), 64}, {"pair.span", unsafe.Offsetof(p.span), 65},
		{"set.tables", unsafe.Offsetof(s.tables), 0}, {"set.fold", unsafe.Offsetof(s.fold), 768}, {"set.keep", unsafe.Offsetof(s.keep), 772},
		{"set.bitmap", unsafe.Offsetof(s.bitmap), 776}, {"set.foldWord", unsafe.Offsetof(s.foldWord), 4872}, {"set.want", unsafe.Offsetof(s.want), 4880},
		{"set.mask", unsafe.Offsetof(s.mask), 5392}, {"set.first", unsafe.Offsetof(s.first), 5904}, {"set.after", unsafe.Offsetof(s.after), 6160}, {"window.tables", unsafe.Offsetof(w.tables), 0},
		{"batch.hits", unsafe.Offsetof(b.hits), 0}, {"batch.room", unsafe.Offsetof(b.room), 8}, {"batch.base", unsafe.Offsetof(b.base), 16},
		{"batch.size", unsafe.Offsetof(b.size), 24}, {"batch.count", unsafe.Offsetof(b.count), 32}, {"batch.end", unsafe.Offsetof(b.end), 40},
		{"batch.term", unsafe.Offsetof(b.term), 48}, {"Hit.Start", unsafe.Offsetof(h.Start), 0}, {"Hit.End", unsafe.Offsetof(h.End), 8},
		{"Hit.At", unsafe.Offsetof(h.At), 16}, {"Hit", unsafe.Sizeof(h), 24},
		{"class.tables", unsafe.Offsetof(c.tables), 0}, {"class.minus", unsafe.Offsetof(c.minus), 64}, {"class.span", unsafe.Offsetof(c.span), 65},
		{"skim.ahead", unsafe.Offsetof(v.ahead), 0}, {"skim.part", unsafe.Offsetof(v.part), 8},
		{"skim.NoZero", unsafe.Offsetof(v.NoZero), 16}, {"skim.ASCII", unsafe.Offsetof(v.ASCII), 17},
		{"class.byte", unsafe.Offsetof(c.byte), 66},
		{"window.minus", unsafe.Offsetof(w.minus), 256}, {"window.span", unsafe.Offsetof(w.span), 260},
	} {
		if f.got != f.want {
			t.Errorf("%s is at %d, the assembly reads it at %d", f.name, f.got, f.want)
		}
	}
}
