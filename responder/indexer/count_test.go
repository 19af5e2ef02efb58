package indexer

import "testing"

// How many blocks there are is known of an index that was open, without opening it, and stays right where it
// is extended and dropped.
func TestCountOpensNothing(t *testing.T) {
	r := newReshaping(t, 1, 640)
	id := r.logs[0].ID
	if n := r.store.Count(id); n != 0 {
		t.Errorf("%d blocks of no index", n)
	}
	r.look(t.Context())
	closed := func() {
		t.Helper()
		r.store.mu.Lock()
		defer r.store.mu.Unlock()
		if r.store.closeIdle(0); len(r.store.open) > 0 {
			t.Fatal("the index is in use")
		}
	}
	check := func(want int) {
		t.Helper()
		closed()
		if n := r.store.Count(id); n != want {
			t.Errorf("%d blocks, want %d", n, want)
		}
		closed() // fails if it was opened and not let go
	}
	check(10)
	r.write(0)
	r.look(t.Context())
	check(20)
	if r.store.Count(id); len(r.store.open) > 0 {
		t.Error("it is opened to be counted")
	}
	clear(r.store.counts) // as after a restart
	check(20)
	r.store.Drop(id, nil)
	check(0)
}
