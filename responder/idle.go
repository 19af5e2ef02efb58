package responder

import (
	"runtime"
	"runtime/debug"
	"time"
)

// idleAfter is how long no query may have run before memory goes back to the system: queries that come
// one after the other find it as the last one left it.
const idleAfter = time.Second

// freeMemory gives back what queries left. The first collection takes what lies in pools out of use, the
// second one, of FreeOSMemory, frees it.
func freeMemory() {
	runtime.GC()
	debug.FreeOSMemory()
}

// rest begins an idle period if no query is left. r.mu is held.
func (r *Responder) rest() {
	if len(r.sessions) > 0 || r.stopping {
		return
	}
	if r.idle != nil {
		r.idle.Stop()
	}
	r.idle = time.AfterFunc(idleAfter, func() {
		r.mu.Lock()
		idle := len(r.sessions) == 0
		r.mu.Unlock()
		if idle {
			freeMemory()
		}
	})
}
