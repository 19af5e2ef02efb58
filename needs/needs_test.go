package needs

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// recorder takes what becomes of a test in place of one.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper() {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.said = "failed: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (r *recorder) Skipf(format string, args ...any) {
	r.said = "skipped: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func outcome(t *testing.T, need func(testing.TB)) string {
	r, done := &recorder{TB: t}, make(chan struct{})
	go func() { defer close(done); need(r) }()
	<-done
	return r.said
}

func TestMissing(t *testing.T) {
	tool := func(t testing.TB) { Tool(t, "no-such-command", "no-package") }
	file := func(t testing.TB) { File(t, "no-such-file", "npm ci") }
	here := func(t testing.TB) { Tool(t, "sh", "dash"); File(t, ".", "mkdir") }
	t.Setenv("CI", "")
	if got := outcome(t, tool); !strings.HasPrefix(got, "skipped: ") || !strings.HasSuffix(got, "no-such-command: apt-get install no-package") {
		t.Error(got)
	}
	if got := outcome(t, file); !strings.HasPrefix(got, "skipped: ") || !strings.HasSuffix(got, "no-such-file: npm ci") {
		t.Error(got)
	}
	t.Setenv("CI", "true")
	for _, need := range []func(testing.TB){tool, file} {
		if got := outcome(t, need); !strings.HasPrefix(got, "failed: ") {
			t.Error(got)
		}
	}
	if got := outcome(t, here); got != "" {
		t.Error(got)
	}
}
