package bus

import (
	"sync"
	"time"
)

// refusalsPerMinute bounds what hostile or broken peers can write into a node's log: 40,000 messages
// a second that do not decode would be 7 MB of it.
const refusalsPerMinute = 20

// refusals counts refused messages by the minute, and says which of them to log.
type refusals struct {
	mu     sync.Mutex
	since  time.Time
	n      int
	hidden int64
}

// admit tells whether the refusal at now is to be logged, and how many before it were not.
func (r *refusals) admit(now time.Time) (hidden int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.since) >= time.Minute {
		r.since, r.n = now, 0
	}
	if r.n >= refusalsPerMinute {
		r.hidden++
		return 0, false
	}
	r.n++
	hidden, r.hidden = r.hidden, 0
	return hidden, true
}
