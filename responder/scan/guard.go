package scan

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a bug that was met while an input was searched. It is that input's error: a daemon
// that answers others survives it.
type PanicError struct {
	Value any
	Stack []byte
}

// Error says what the panic said, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("internal error: %v", e.Value) }

// guarded searches a segment. It returns false if a panic was met: then the searcher is not to be
// used again.
func (s *searcher) guarded(seg *segment) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			seg.res.err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	s.search(seg)
	return true
}
