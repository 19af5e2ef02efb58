package schemas

import (
	"bytes"
	"runtime"
	"testing"
)

// allocated is how many bytes f allocates.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// allocBudget is how much decoding n bytes may allocate: an empty chunk takes 12 bytes of a message
// and 280 of memory, packed text 3 bytes for 64, an integer of a column one byte for 8; the constant
// is for the message's own struct, its error, and what the runtime does meanwhile.
func allocBudget(n int) int { return 16<<10 + 32*n + 8*min(MaxRaw, maxPackRatio*n) }

func fuzz(f *testing.F, names ...string) {
	for _, name := range names {
		f.Add(samples()[name])
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		var v any
		var err error
		used := allocated(func() { v, err = decode(names[0], msg) })
		if used > allocBudget(len(msg)) {
			used = allocated(func() { _, _ = decode(names[0], msg) }) // another goroutine's, if it is gone now
			if used > allocBudget(len(msg)) {
				t.Fatalf("%d bytes allocated for a message of %d", used, len(msg))
			}
		}
		if err != nil {
			return
		}
		again := encode(v)
		back, err := decode(names[0], again)
		if err != nil {
			t.Fatalf("what was decoded does not decode again: %v\n%+v", err, v)
		}
		if third := encode(back); !bytes.Equal(third, again) {
			t.Fatalf("round trip differs:\n%x\n%x", again, third)
		}
	})
}

func FuzzQuery(f *testing.F) { fuzz(f, "query", "query-planned") }
func FuzzFrame(f *testing.F) {
	fuzz(f, "data", "data-sealed", "packed", "hello", "progress", "end", "hello-end")
}
func FuzzControl(f *testing.F)  { fuzz(f, "control") }
func FuzzCancel(f *testing.F)   { fuzz(f, "cancel") }
func FuzzNode(f *testing.F)     { fuzz(f, "node", "node-store") }
func FuzzBlock(f *testing.F)    { fuzz(f, "block") }
func FuzzCheckup(f *testing.F)  { fuzz(f, "checkup") }
func FuzzStanding(f *testing.F) { fuzz(f, "standing") }
func FuzzLive(f *testing.F)     { fuzz(f, "live") }

// FuzzCheck holds that a chunk that passes Check can be counted and cut anywhere.
func FuzzCheck(f *testing.F) {
	f.Add([]byte("a\nb\n"), false, false, 1)
	f.Add([]byte("a\nb"), true, true, 0)
	f.Fuzz(func(t *testing.T, text []byte, more, continues bool, n int) {
		c := Chunk{Text: text, More: more, Continues: continues}
		if c.validate() != nil || n < 0 {
			return
		}
		if selected, err := c.Check(0, '\n'); err != nil {
			return
		} else if selected != c.Selected('\n') {
			t.Fatalf("Check counts %d selected lines, Selected %d", selected, c.Selected('\n'))
		}
		head, tail := c.Cut(n, '\n')
		if got := append(bytes.Clone(head.Text), tail.Text...); !bytes.Equal(got, text) {
			t.Fatalf("%q + %q is not %q", head.Text, tail.Text, text)
		}
		if head.Lines('\n') > n || head.Selected('\n')+tail.Selected('\n') != c.Selected('\n') {
			t.Fatalf("cut %d of %q: %q, %q", n, text, head.Text, tail.Text)
		}
	})
}
