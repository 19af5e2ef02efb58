package scan

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// farClock takes the digit at byte 25 of a line for its time.
type farClock struct{}

func (farClock) Time(line []byte) (int64, bool) {
	if len(line) < 26 || line[25] < '0' || line[25] > '9' {
		return 0, false
	}
	return int64(line[25] - '0'), true
}

func farOptions() Options {
	return Options{
		MaxCount: -1, Terminator: '\n', Times: true, Since: 1, NewClock: func(int) Clock { return farClock{} }, Threads: 2,
		geometry: geometry{window: 1 << 10, block: 1 << 10, segment: 4 << 10},
	}
}

// An entry whose long line begins just before what is read at once gives its time to the lines after
// it, wherever its head is cut.
func TestTheHeadOfALongLineIsReadInFull(t *testing.T) {
	for _, lines := range []int{farStep, 2 * farStep} {
		for more := range seeds(40) {
			s := strings.Repeat("x", 25) + "7" + strings.Repeat("x", lines-20+int(more)) + "\n" + strings.Repeat("y\n", 5000) + "a\n"
			if got, _ := record(t, []Input{text("f", s)}, matching("a", '\n'), farOptions()); got != "f:t7:false:a$\n" {
				t.Fatalf("%d bytes: %q", lines+int(more), got)
			}
		}
	}
}

// A time far behind the start of a line is found.
func TestATimeFarInALine(t *testing.T) {
	o := lines()
	o.Since = 1
	o.NewClock = func(int) Clock { return lastClock{} }
	s := "a" + strings.Repeat("x", HeadBytes-2) + "7\n"
	if got, _ := record(t, []Input{text("f", s)}, matching("a", '\n'), o); !strings.Contains(got, "a") {
		t.Errorf("%.100q", got)
	}
}

// lastClock knows a line by its last byte.
type lastClock struct{}

func (lastClock) Time(line []byte) (int64, bool) { return 7, strings.HasSuffix(string(line), "7") }

// Where the time that decides is too far away to be looked for, that is an error, not a line less.
func TestATimeTooFarAwayIsAnError(t *testing.T) {
	s := strings.Repeat("x", 25) + "7\n" + strings.Repeat(strings.Repeat("y", 63)+"\n", LookBack/64+farStep) + "a\n"
	o := farOptions()
	o.geometry = defaultGeometry
	var said []string
	o.OnError = func(_ int, err error) { said = append(said, err.Error()) }
	stats, err := Run(context.Background(), []Input{text("f", s)}, matching("a", '\n'), o, func(*Batch) error { return nil })
	if err != nil || stats.Errors != 1 || len(said) != 1 || said[0] != fmt.Sprintf("no time in the %d bytes before byte %d", LookBack, len(s)-2) {
		t.Errorf("%v, %+v, %q", err, stats, said)
	}
}
