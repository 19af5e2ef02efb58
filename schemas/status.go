package schemas

import "fmt"

// Status is a node's own word on its answer, or the requester's verdict.
type Status uint8

const (
	StatusComplete    Status = iota // End seen, every chunk that it counts taken in order, no error
	StatusPartial                   // some lines came, or some file failed
	StatusStopped                   // ended because the requester had enough
	StatusPruned                    // not asked: it can hold no answer
	StatusDown                      // nobody subscribed for it
	StatusUnreachable               // subscribed, but silent
	StatusError                     // refused, busy, duplicate node name
)

var statusNames = [...]string{"complete", "partial", "stopped", "pruned", "down", "unreachable", "error"}

// String gives the status as the receipt names it.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// MarshalText gives the status as the receipt names it.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Status) UnmarshalText(text []byte) error {
	for i, name := range statusNames {
		if name == string(text) {
			*s = Status(i)
			return nil
		}
	}
	return fmt.Errorf("status %q is not known", text)
}
