package timestamp

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Sum returns a number for what the times of the form mean, the same in every process: two forms that
// have it read a line that names its year alike. It is of the form's name and of what the zone's clock
// shows; the name of the zone says nothing, as the node's own is always called Local.
func (f *Form) Sum() uint64 {
	h := xxhash.New()
	_, _ = h.WriteString(f.Name()) // never fails
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, sumOfZone(f.calendar.zone)))
	for _, n := range f.calendar.names {
		_, _ = h.WriteString("\x00" + n.name)
		_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n.offset)))
	}
	return h.Sum64()
}

// The years over which zones are compared: before and behind them a zone has one rule.
const (
	zoneFrom = firstYear
	zoneTo   = 2060
)

// zoneSums are the sums of zones, whose some hundred changes take some 100 µs to be looked up.
var zoneSums sync.Map // *time.Location → uint64

// sumOfZone is of the zone's offsets, and of when they change.
func sumOfZone(zone *time.Location) uint64 {
	if sum, known := zoneSums.Load(zone); known {
		return sum.(uint64)
	}
	h := xxhash.New()
	to := time.Date(zoneTo, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := time.Date(zoneFrom, 1, 1, 0, 0, 0, 0, time.UTC).In(zone); !at.IsZero() && at.Before(to); at = nextBound(at) {
		_, offset := at.Zone()
		_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(offset))) // never fails
		_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(at.Unix())))
	}
	sum := h.Sum64()
	zoneSums.Store(zone, sum)
	return sum
}
