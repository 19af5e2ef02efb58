package bustest

import (
	"strings"
	"sync"
	"testing"
)

// testWriter turns log lines into those of a test.
type testWriter struct {
	mu sync.Mutex
	t  testing.TB // nil once the test has ended: logging to it would panic
}

func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

func (w *testWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = nil
}
