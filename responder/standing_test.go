package responder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// stream is a bus that takes live messages, or not.
type stream struct {
	t *testing.T

	mu    sync.Mutex
	away  bool
	texts strings.Builder
	last  schemas.Live
	runs  map[uint64]bool
}

func (s *stream) publish(ctx context.Context, name string, durable bool, id string, msg []byte) error {
	for {
		s.mu.Lock()
		if !s.away {
			break
		}
		s.mu.Unlock()
		if !durable {
			return errors.New("the bus is away")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
	defer s.mu.Unlock()
	l, err := schemas.DecodeLive(bytes.Clone(msg))
	if err != nil {
		s.t.Errorf("live message: %v", err)
		return nil
	}
	if s.runs[l.Run] && l.Seq != s.last.Seq+1 || !s.runs[l.Run] && l.Seq != 1 || id != fmt.Sprintf("%x-%d", l.Run, l.Seq) {
		s.t.Errorf("message %d, id %s, after %d", l.Seq, id, s.last.Seq)
	}
	s.runs[l.Run], s.last = true, *l
	for i := range l.Data.Chunks {
		s.texts.Write(l.Data.Chunks[i].Text)
	}
	return nil
}

func (s *stream) setAway(on bool) { s.mu.Lock(); defer s.mu.Unlock(); s.away = on }

func (s *stream) text() string { s.mu.Lock(); defer s.mu.Unlock(); return s.texts.String() }

func (s *stream) counts() schemas.Live { s.mu.Lock(); defer s.mu.Unlock(); return s.last }

func (s *stream) await(want string) {
	s.t.Helper()
	eventually(s.t, func() bool { return s.text() == want }, func() string { return fmt.Sprintf("published %q, want %q", s.text(), want) })
}

func eventually(t *testing.T, ok func() bool, what func() string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what())
		}
	}
}

func (s *stream) run(f *fleet) *Standing {
	standing := f.r.NewStanding(s.publish)
	f.t.Cleanup(standing.Close)
	return standing
}

func record(revision uint64, change func(*schemas.Standing)) StandingRecord {
	s := schemas.Standing{Name: "errors", Created: 7, Sample: 1, Query: *query("errors", "ERROR")}
	s.Query.Mode, s.Query.Order = schemas.ModeFollow, schemas.OrderArrival
	if change != nil {
		change(&s)
	}
	return StandingRecord{Name: s.Name, Revision: revision, Value: schemas.AppendStanding(nil, &s)}
}

func durable(s *schemas.Standing) { s.Durable = true }

// addTo appends to a file, which it makes if need be.
func addTo(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// takenUp waits until so many standing queries have begun to follow the files, and as many ended.
func (f *fleet) takenUp(begun, ended int) {
	f.t.Helper()
	eventually(f.t, func() bool {
		return strings.Count(f.logged(), `msg="standing query taken up"`) == begun && strings.Count(f.logged(), `msg="standing query ended"`) == ended
	}, func() string { return fmt.Sprintf("not %d taken up and %d ended: %s", begun, ended, f.logged()) })
}

func TestStandingQueryPublishesWhatIsWritten(t *testing.T) {
	f, dir := newFleet(t, nil, map[string]string{"a.log": "ERROR old\n"})
	s := &stream{t: t, runs: map[uint64]bool{}}
	standing := s.run(f)
	standing.Set([]StandingRecord{record(1, nil)})
	f.takenUp(1, 0)
	addTo(t, dir+"/a.log", "ERROR 1\nfine\nERROR 2\n")
	s.await("ERROR 1\nERROR 2\n")
	s.setAway(true) // what is written meanwhile is lost, and counted
	addTo(t, dir+"/a.log", "ERROR 3\n")
	eventually(t, func() bool { return strings.Contains(f.logged(), "not published") }, func() string { return f.logged() })
	s.setAway(false)
	addTo(t, dir+"/a.log", "ERROR 4\n")
	s.await("ERROR 1\nERROR 2\nERROR 4\n")
	if c := s.counts(); c.Matched != 4 || c.Lost != 1 {
		t.Errorf("counts %+v", c)
	}
	standing.Set([]StandingRecord{record(2, func(s *schemas.Standing) { s.Rate, s.Sample = 2, 3 })})
	f.takenUp(2, 1)
	addTo(t, dir+"/a.log", strings.Repeat("ERROR x\n", 300))
	eventually(t, func() bool { return s.counts().Matched == 300 }, func() string { return fmt.Sprint(s.counts()) })
	published := int64(strings.Count(s.text(), "ERROR x\n"))
	if c := s.counts(); c.Sampled != 200 || c.Limited+published != 100 || published < 2 {
		t.Errorf("%d published, counts %+v", published, c)
	}
	standing.Set(nil)
	f.takenUp(2, 2)
}

// A standing query that cannot be taken up is an error in the log, once.
func TestBadStandingQueriesAreLoggedOnce(t *testing.T) {
	f, _ := newFleet(t, func(c *Config) { c.Limits.MaxWatches = 1 }, map[string]string{"a.log": ""})
	standing := (&stream{t: t, runs: map[uint64]bool{}}).run(f)
	named := func(name string) func(*schemas.Standing) { return func(s *schemas.Standing) { s.Name = name } }
	other := record(1, named("b"))
	other.Name = "other"
	records := []StandingRecord{
		{Name: "junk", Revision: 1, Value: []byte("junk")}, other,
		record(1, func(s *schemas.Standing) { s.Name, s.Query.Patterns = "pattern", []string{"("} }),
		record(1, func(s *schemas.Standing) { s.Name, s.Query.Select.Nodes = "elsewhere", []string{"db*"} }),
		record(1, nil), record(1, named("toomany")),
	}
	for range 3 {
		standing.Set(records)
	}
	f.takenUp(1, 0)
	for name, n := range map[string]int{"junk": 1, "other": 1, "pattern": 1, "toomany": 1, "elsewhere": 0, "errors": 0} {
		if got := strings.Count(f.logged(), `msg="standing query not taken up" watch=`+name+" "); got != n {
			t.Errorf("%s is logged %d times, want %d\n%s", name, got, n, f.logged())
		}
	}
}

// A durable one loses nothing over a restart of the node, whatever rotation does meanwhile.
func TestDurableStandingQueryGoesOn(t *testing.T) {
	move := func(dir string) error { return os.Rename(dir+"/a.log", dir+"/a.log.1") }
	copied := func(dir string) error {
		text, err := os.ReadFile(dir + "/a.log")
		return errors.Join(err, os.WriteFile(dir+"/a.log.1", text, 0o600), os.Truncate(dir+"/a.log", 0))
	}
	for name, rotate := range map[string]func(string) error{"left": func(string) error { return nil }, "renamed": move, "copied and cut": copied} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			s := &stream{t: t, runs: map[uint64]bool{}}
			f, dir := newFleet(t, func(c *Config) { c.State = state; c.Sources[0].Logs[0] += "*" }, map[string]string{"a.log": "ERROR old\nERROR half"})
			standing := s.run(f)
			standing.Set([]StandingRecord{record(1, durable)})
			f.takenUp(1, 0)
			addTo(t, dir+"/a.log", " line\nERROR 1\n")
			s.await("ERROR half line\nERROR 1\n")
			s.setAway(true) // what is not acknowledged comes again
			addTo(t, dir+"/a.log", "ERROR 2\n")
			standing.Close()
			addTo(t, dir+"/a.log", "ERROR 3\n")
			if err := rotate(dir); err != nil {
				t.Fatal(err)
			}
			addTo(t, dir+"/a.log", "ERROR 4\n")
			s.setAway(false)

			again := s.run(f)
			again.Set([]StandingRecord{record(1, durable)})
			s.await("ERROR half line\nERROR 1\nERROR 2\nERROR 3\nERROR 4\n")
			addTo(t, dir+"/a.log", "ERROR 5\n")
			s.await("ERROR half line\nERROR 1\nERROR 2\nERROR 3\nERROR 4\nERROR 5\n")
			again.Close()

			addTo(t, dir+"/a.log", "ERROR 6\n")
			anew := s.run(f) // removed and added: another one of the same name
			anew.Set([]StandingRecord{record(2, func(s *schemas.Standing) { s.Durable, s.Created = true, 8 })})
			f.takenUp(3, 2)
			addTo(t, dir+"/a.log", "ERROR 7\n")
			s.await("ERROR half line\nERROR 1\nERROR 2\nERROR 3\nERROR 4\nERROR 5\nERROR 7\n")
		})
	}
}

func TestDamagedPlacesAreNone(t *testing.T) {
	for _, text := range []string{"{", `{"created":7,"places":[{"at":1,"before":"AAAA"}]}`, `{"created":7,"places":[null]}`} {
		name := write(t, t.TempDir()+"/errors.json", text)
		if p, err := loadPlaces(name, 7); err == nil || p.resumed || len(p.known) > 0 {
			t.Errorf("%s: %v %+v", text, err, p)
		}
	}
}

// New entries of systemd's journal are published as lines of files are.
func TestStandingQueryFollowsTheJournal(t *testing.T) {
	dir := t.TempDir()
	file, pids := write(t, dir+"/entries", journalLine(1)), write(t, dir+"/pids", "")
	journalOf(t, file, pids)
	f, _ := newFleet(t, func(c *Config) {
		c.Sources = nil
		if err := c.AddLogs("journald:nginx"); err != nil {
			t.Fatal(err)
		}
	}, nil)
	s := &stream{t: t, runs: map[uint64]bool{}}
	s.run(f).Set([]StandingRecord{record(1, func(s *schemas.Standing) { s.Query.Patterns = []string{"."} })})
	f.takenUp(1, 0)
	n := 1
	eventually(t, func() bool { // what is written before the journal's end was found is not new
		n++
		addTo(t, file, journalLine(n))
		return s.text() != ""
	}, f.logged)
	if got := s.counts(); got.Matched < 1 || got.Matched >= int64(n) {
		t.Errorf("%q, %+v", s.text(), got)
	}
}
