package outbox

import "time"

// Remember is how long a Ledger knows a key after its answer is over.
const Remember = 60 * time.Second

// maxOver bounds the keys of answers that are over; beyond it the oldest are forgotten early, so
// that a flood of cancels costs a few megabytes.
const maxOver = 10_000

// Key names a query as its subject does.
type Key struct{ User, Client, ID string }

// Known says what a Ledger knows of a key.
type Known uint8

const (
	Fresh    Known = iota // nothing: the query may start
	Running               // it has started, and is not over
	Finished              // it is over
)

// Ledger remembers the queries that run and, for a while, those that are over with their End, so
// that a query that comes late or again, or behind its own cancel, starts nothing.
type Ledger struct {
	keys map[Key]*entry
	over []overKey // in the order in which they ended
}

type entry struct {
	state Known
	end   []byte
}

type overKey struct {
	key Key
	at  time.Time
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger { return &Ledger{keys: make(map[Key]*entry)} }

// Start asks to start the query. Fresh: it counts as running from now on. Running: its Outbox
// should be told (Asked). Finished: end is to be published again; nil if it was cancelled before
// it came.
func (l *Ledger) Start(key Key, now time.Time) (known Known, end []byte) {
	l.forget(now)
	if e := l.keys[key]; e != nil {
		return e.state, e.end
	}
	l.keys[key] = &entry{state: Running}
	return Fresh, nil
}

// Refuse forgets a key that Start gave as Fresh and that was not started after all, so that the
// requester may ask again.
func (l *Ledger) Refuse(key Key) {
	if e := l.keys[key]; e != nil && e.state == Running {
		delete(l.keys, key)
	}
}

// Finish says that the answer is over and what its End was.
func (l *Ledger) Finish(key Key, end []byte, now time.Time) {
	l.forget(now)
	e := l.keys[key]
	if e == nil {
		e = &entry{}
		l.keys[key] = e
	} else if e.state == Finished {
		e.end = end
		return
	}
	*e = entry{state: Finished, end: end}
	l.over = append(l.over, overKey{key, now})
	for len(l.over) > maxOver {
		l.dropOldest()
	}
}

// Cancel says that the query is not wanted any more. Running: its Outbox should be told. Fresh: it
// has not come yet, and will not start when it does.
func (l *Ledger) Cancel(key Key, now time.Time) Known {
	l.forget(now)
	if e := l.keys[key]; e != nil {
		return e.state
	}
	l.Finish(key, nil, now)
	return Fresh
}

// End gives the End of an answer that is over, for a requester that asks for it again.
func (l *Ledger) End(key Key, now time.Time) []byte {
	l.forget(now)
	if e := l.keys[key]; e != nil {
		return e.end
	}
	return nil
}

// Len is how many keys are known.
func (l *Ledger) Len() int { return len(l.keys) }

func (l *Ledger) forget(now time.Time) {
	for len(l.over) > 0 && now.Sub(l.over[0].at) >= Remember {
		l.dropOldest()
	}
}

func (l *Ledger) dropOldest() {
	key := l.over[0].key
	l.over = l.over[1:]
	delete(l.keys, key)
}
