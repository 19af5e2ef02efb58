package bus

import (
	"fmt"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// What a registry reports of twins, by the time of their beacons.
func TestTwins(t *testing.T) {
	var reports []string
	record := schemas.Node{Name: "n1", Instance: "own", Ready: true}
	r := newRegistry(nil, record, func() schemas.Node { return record }, func(host string) { reports = append(reports, host) })
	now := time.Unix(1_700_000_000, 0)
	r.lastReply = now // nothing is sent
	beacon := func(instance string, ready bool) {
		r.hearOwn(&schemas.Node{Name: "n1", Instance: instance, Host: "on-" + instance, Ready: ready}, now)
	}
	expect := func(want string) {
		t.Helper()
		if got := fmt.Sprintf("%q", reports); got != want {
			t.Errorf("reported %s, want %s", got, want)
		}
		reports = nil
	}
	beacon("own", true)
	beacon("a", false) // has left before it was known
	expect("[]")
	beacon("a", true)
	beacon("a", true)
	beacon("b", true)
	expect(`["on-a" "on-b"]`)
	beacon("a", false)
	expect("[]")
	beacon("b", false)
	expect(`[""]`)

	beacon("a", true)
	expect(`["on-a"]`)
	if wait := r.nextBeacon(now); wait != twinEvery {
		t.Errorf("waits %v for the next beacon", wait)
	}
	now = now.Add(twinMissed*twinEvery - 1)
	r.checkTwins(now)
	expect("[]")
	now = now.Add(1)
	r.checkTwins(now)
	expect(`[""]`)

	for i := range 2 * maxTwins { // a flood
		r.lastReply = now
		beacon(fmt.Sprint(i), true)
	}
	if len(r.twins) != maxTwins || r.nextBeacon(now) != maxTwins*twinPer {
		t.Errorf("%d twins, a beacon every %v", len(r.twins), r.nextBeacon(now))
	}
}
