//go:build !linux

package mapped

import "os"

// Bound changes nothing on this system.
func Bound(int64) {}

// Trust changes nothing on this system.
func Trust(on bool) (before bool) { return false }

// Window maps nothing on this system.
type Window struct{}

// Read reads nothing: ok is false.
func (w *Window) Read(f *os.File, dst []byte, off, end int64) (noZero, ok bool) { return false, false }

// View does not call look: ok is false.
func (w *Window) View(f *os.File, off, n, ahead, end int64, look func(text, ahead []byte) int) (result int, ok bool) {
	return 0, false
}

// Close does nothing.
func (w *Window) Close() {}
