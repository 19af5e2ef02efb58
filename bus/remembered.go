package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/schemas"
)

// rememberFor is how long a registered roster that was read may serve for other queries. That nothing was
// written since, the bucket itself says (Remembered.Holds), but not that something was removed: what
// `trawl nodes forget` does shows that much later to those who ask again and again.
const rememberFor = 2 * time.Second

// rosterMemory is the roster as it was read last, if it was registered.
type rosterMemory struct {
	mu   sync.Mutex
	read time.Time // zero: nothing is remembered
	last Remembered
}

// Remembered is a registered roster as it was read a moment ago.
type Remembered struct {
	Nodes []schemas.Node // in the order of their names; not to be changed
	conn  *Conn
	seq   uint64 // of the newest message of the bucket then
}

// Remembered returns the roster as it was read within the last 2 s by Roster, without asking anybody. It counts
// only if Holds says so.
func (c *Conn) Remembered() (Remembered, bool) {
	m := &c.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last, !m.read.IsZero() && c.now().Sub(m.read) < rememberFor
}

// remember keeps a roster that was read at began; seq is the newest message of the bucket then.
func (c *Conn) remember(r Roster, seq uint64, began time.Time) {
	m := &c.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last, m.read = Remembered{r.Records(), c, seq}, began
}

// clear forgets it.
func (m *rosterMemory) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read = time.Time{}
}

// Holds asks whether no record was written since, in one round trip that is short however many nodes there are. An
// error says that JetStream did not answer, or ctx ended.
func (r Remembered) Holds(ctx context.Context) (bool, error) {
	ctx, stop := r.conn.untilRefused(ctx)
	defer stop(nil)
	silence := time.AfterFunc(rosterSilence, func() { stop(errSilent) })
	defer silence.Stop()
	next := `{"seq":` + strconv.FormatUint(r.seq+1, 10) + `,"next_by_subj":"$KV.` + RosterBucket + `.*"}`
	m, err := r.conn.nc.RequestWithContext(ctx, r.conn.apiBase+"DIRECT.GET.KV_"+RosterBucket, []byte(next))
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return false, nil // the bucket is gone
	case err != nil:
		return false, fmt.Errorf("roster: %w", causeOf(ctx, err))
	}
	return m.Header.Get("Status") == "404", nil
}
