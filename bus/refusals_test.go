package bus

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// A flood of garbage wrote a line of log a message: 143,000 in 8 s.
func TestGarbageDoesNotFillTheLog(t *testing.T) {
	var log bytes.Buffer
	s := &Service{conn: &Conn{log: slog.New(slog.NewTextHandler(&log, nil))}}
	for range 5000 {
		s.refused(&nats.Msg{Subject: "x"}, errors.New("no array"))
	}
	if n := strings.Count(log.String(), "\n"); n < 1 || n > 2*refusalsPerMinute { // a minute may end meanwhile
		t.Errorf("%d lines of log", n)
	}
}

func TestRefusals(t *testing.T) {
	var r refusals
	now := time.Unix(1000, 0)
	logged := 0
	for range 100 {
		if _, ok := r.admit(now); ok {
			logged++
		}
	}
	hidden, ok := r.admit(now.Add(time.Minute))
	if logged != refusalsPerMinute || !ok || hidden != 100-refusalsPerMinute {
		t.Errorf("logged %d, then %t with %d hidden", logged, ok, hidden)
	}
}
