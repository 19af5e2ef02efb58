package responder

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// errInternal is what is told of a panic; the log has the rest.
var errInternal = errors.New("internal error")

// guarded does some work of the background, which what names. A panic in it is logged, and is errInternal: the process, and
// whoever asks it for lines, goes on.
func guarded(log *slog.Logger, what string, work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("panic in "+what, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errInternal
		}
	}()
	return work()
}
