package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/responder"
	"github.com/trawl-logs/trawl/schemas"
)

// The text of a diagnosis in which everything is wrong that can be, as a terminal shows it.
func TestDoctorText(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	ns := at.UnixNano()
	d := &diagnosis{
		Roster: "registered",
		Bus: &busDiagnosis{URL: "nats://bus:4222", Server: "2.12.0", RoundTrip: 0.31, User: "ann",
			Refused: []refusal{{"ask one node", "trawl.v1.node._.q.ann"}}},
		Nodes: []nodeDiagnosis{
			{Node: "db1", State: "down", Since: &at},
			{Node: "old1", State: "up", Version: "0.1.0", Error: bus.ErrNoCheckup.Error()},
			{Node: "web1", State: "up", Since: &at, Version: "0.2.0",
				Clock: &clockDiagnosis{Ahead: -2500, Within: 0.4, ahead: -2500 * time.Millisecond, within: 400 * time.Microsecond},
				checkup: &schemas.Checkup{
					Name: "web1", User: "trawl (uid 998)", Zone: "CET +01:00",
					Problems: []schemas.FileError{{File: "/var/log/private", Err: "permission denied"}},
					Store:    "no room for blocks of other nodes",
					Sources: []schemas.SourceCheckup{
						{Service: "nginx", Logs: "/var/log/nginx/*.log", Files: 300, Bytes: 12_400_000, Opened: 200, Unreadable: 1, Timeless: 1, Unsorted: 1, Details: []schemas.FileCheckup{
							{Path: "/var/log/nginx/error.log", Size: 7, Err: "permission denied", First: schemas.NoTime, Last: schemas.NoTime},
							{Path: "/var/log/nginx/odd.log", Size: 7, First: schemas.NoTime, Last: schemas.NoTime},
							{Path: "/var/log/nginx/access.log", Size: 12_000_000, Form: "02/Jan/2006:15:04:05 -0700 in \"[\"", Sample: "04/Mar/2026:06:06:07 +0100", First: ns, Last: ns + 9e9, Order: schemas.OrderUnsorted},
							{Path: "/var/log/nginx/not-shown.log", First: schemas.NoTime, Last: schemas.NoTime},
						}},
						{Logs: "/srv/none/*.log"},
						{Service: "sshd", Logs: "journald:sshd", Files: 1, Opened: 1, Details: []schemas.FileCheckup{
							{Path: "journald:sshd", Form: "the journal's", Sample: "2026-03-04T05:06:07Z", First: ns, Last: schemas.NoTime, Order: schemas.OrderSorted},
						}},
					},
				}},
		},
	}
	d.conclude()
	var got bytes.Buffer
	if err := d.text(&got); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/doctor.txt", got.Bytes())
	for line := range strings.Lines(got.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > doctorWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	got.Reset()
	if err := d.json(&got); err != nil || !json.Valid(got.Bytes()) || d.Healthy {
		t.Errorf("%v: %s", err, got.Bytes())
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is now\n%s", name, got)
	}
}

// Doctor over a bus: a node that is well, one that is down, and none.
func TestDoctorOfAFleet(t *testing.T) {
	b := bustest.Start(t)
	t.Setenv("NATS_URL", b.URL())
	log := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(log, []byte("2026-03-04T05:06:07Z one\n2026-03-04T05:06:09Z two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := trawl(t, "doctor"); status != exitUnwell || !strings.Contains(out, "no node is known") {
		t.Errorf("without nodes: %d, %s", status, out)
	}
	var nodes []*busNode
	for _, name := range []string{"web1", "web2"} {
		c := responder.DefaultConfig()
		c.Node, c.State = name, t.TempDir()
		if err := c.AddLogs(log); err != nil {
			t.Fatal(err)
		}
		if err := c.Finish(); err != nil {
			t.Fatal(err)
		}
		n, err := joinNode(t.Context(), c, bus.Options{Server: b.URL(), Responder: true}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		bustest.Eventually(t, name+" is registered", n.service.Registered)
		nodes = append(nodes, n)
	}
	defer nodes[0].Close()
	nodes[1].Close()
	status, out, errout := trawl(t, "doctor", "--output", "json")
	var d diagnosis
	if err := json.Unmarshal([]byte(out), &d); err != nil || status != exitUnwell || errout != "" {
		t.Fatalf("%d, %v: %s%s", status, err, out, errout)
	}
	if len(d.Problems) != 1 || d.Problems[0] != "web2 is down" || d.Roster != "registered" || len(d.Bus.Refused) > 0 {
		t.Errorf("%+v", d)
	}
	web1 := d.Nodes[0]
	if c := web1.Clock; web1.State != "up" || c == nil || max(c.Ahead, -c.Ahead) > c.Within+0.002 || len(web1.Sources) != 1 || web1.Sources[0].Details[0].Order != "sorted" {
		t.Errorf("%+v", web1)
	}
	if status, out, _ := trawl(t, "doctor", "--node", "web1"); status != 0 || !strings.HasSuffix(out, "all is well\n") || !strings.Contains(out, "may do all that a query needs") {
		t.Errorf("of web1: %d, %s", status, out)
	}
}
