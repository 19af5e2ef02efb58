package bus

import (
	"strings"
	"testing"
)

func TestSubjects(t *testing.T) {
	s, err := NewSubjects("")
	if err != nil {
		t.Fatal(err)
	}
	k := Key{"ann", "c1", "q1"}
	for got, want := range map[string]string{
		s.Prefix():                "trawl.v1",
		s.queryAll("ann"):         "trawl.v1.q.ann.all",
		s.queryGroup("ann", "db"): "trawl.v1.q.ann.grp.db",
		s.queryNode("ann", "n1"):  "trawl.v1.node.n1.q.ann",
		s.result(k, "n1"):         "trawl.v1.res.ann.c1.q1.n1",
		s.results("ann", "c1"):    "trawl.v1.res.ann.c1.>",
		s.control("n1", k):        "trawl.v1.ctl.n1.ann.c1.q1",
		s.cancel(k):               "trawl.v1.cancel.ann.c1.q1",
		s.ping("n1"):              "trawl.v1.node.n1.ping",
		s.pingAll():               "trawl.v1.ping",
		s.beacon("n1"):            "trawl.v1.hb.n1",
		s.gone("n1", k):           "trawl.v1.node.n1.gone.ann.c1.q1",
	} {
		if got != want {
			t.Errorf("subject is %q, want %q", got, want)
		}
	}
}

// A ping's reply field is the sender's to choose: the node answers on result subjects of pings alone,
// and ends them with its own name.
func TestPongSubject(t *testing.T) {
	s, _ := NewSubjects("")
	for reply, want := range map[string]string{
		"trawl.v1.res.ann.c1.ping._":      "trawl.v1.res.ann.c1.ping.n1",
		"trawl.v1.res.ann.c1.ping.n2":     "trawl.v1.res.ann.c1.ping.n1",
		"trawl.v1.res.ann.c1.q1._":        "",
		"trawl.v1.res.ann.c1.ping":        "",
		"trawl.v1.res.ann.*.ping._":       "",
		"trawl.v1.q.ann.all":              "",
		"trawl.v1.hb.n2":                  "",
		"_INBOX.x":                        "",
		"$KV.trawl_nodes.n2":              "",
		"":                                "",
		"trawl.v1.res.ann.c1.ping._.x":    "",
		"trawl.v1.res.ann.c1.ping.n\x002": "",
	} {
		if got, ok := s.pongSubject(reply, "n1"); got != want || ok != (want != "") {
			t.Errorf("pong to %q goes to %q, %v; want %q", reply, got, ok, want)
		}
	}
}

// Whatever a subject holds, what is parsed of it builds the same subject again, and nothing else.
func FuzzParse(f *testing.F) {
	s, _ := NewSubjects("")
	k := Key{"ann", "c1", "q1"}
	for _, subject := range []string{
		s.queryAll("ann"), s.queryGroup("ann", "db"), s.queryNode("ann", "n1"), s.result(k, "n1"), s.control("n1", k),
		s.cancel(k), s.beacon("n1"), s.gone("n1", k), "", ".", "trawl.v1.", "trawl.v1.res....", "trawl.v1.q.*.all", "trawl.v1.q.a.grp.>", "trawl.v1.cancel.a b.c.d",
	} {
		f.Add(subject)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		var built []string
		if user, ok := s.parseQuery(subject, "n1"); ok {
			group := subject[strings.LastIndexByte(subject, '.')+1:]
			all := []string{s.queryAll(user), s.queryNode(user, "n1"), s.queryGroup(user, group)}
			for _, q := range all {
				if q == subject {
					built = append(built, q)
				}
			}
			if built == nil {
				t.Errorf("query subject %q came from user %q", subject, user)
			}
		}
		if k, ok := s.parseControl(subject, "n1"); ok {
			built = append(built, s.control("n1", k))
		}
		if k, ok := s.parseCancel(subject); ok {
			built = append(built, s.cancel(k))
		}
		if k, ok := s.parseGone(subject, "n1"); ok {
			built = append(built, s.gone("n1", k))
		}
		if k, node, ok := s.parseResult(subject); ok {
			built = append(built, s.result(k, node))
		}
		if node, ok := s.parseBeacon(subject); ok {
			built = append(built, s.beacon(node))
		}
		if len(built) > 1 {
			t.Errorf("%q has %d meanings", subject, len(built))
		}
		for _, b := range built {
			if b != subject || strings.ContainsAny(b, "*> \t\r\n") {
				t.Errorf("%q was read as %q", subject, b)
			}
		}
	})
}
