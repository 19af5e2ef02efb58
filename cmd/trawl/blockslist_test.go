package main

import (
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// The list is shown by service and by block, as the flags narrow it; what no node has that is up is said.
func TestBlocksList(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	url, stop := startBus(t, "--listen", "127.0.0.1:0", "--store", t.TempDir())
	defer stop()
	t.Setenv("NATS_URL", url)
	conn, err := bus.Connect(bus.Options{Server: url, User: "root", Responder: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if status, _, errout := trawl(t, "blocks", "--list"); status != 2 || !strings.Contains(errout, "no block list on this bus") {
		t.Errorf("without a list: status %d, %q", status, errout)
	}
	service, err := bus.Serve(t.Context(), conn, func() schemas.Node { return schemas.Node{Name: "web1", Instance: "i", Ready: true} }, bus.Handlers{})
	if err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "web1 is registered", service.Registered)
	const at = 1767225600e9 // 2026-01-01
	for i, b := range []schemas.BlockRecord{
		{Service: "api", Timed: true, MinTime: at, MaxTime: at + 60e9, Owners: []string{"web1", "web2"}, Labels: []schemas.Label{{K: "env", V: "prod"}}},
		{Service: "api", Timed: true, MinTime: at + 3600e9, MaxTime: at + 7200e9, Owners: []string{"web1"}},
		{Service: "api", Timed: true, MinTime: at - 3600e9, MaxTime: at - 1, Owners: []string{"web1"}, State: schemas.BlockRetired},
		{Service: "db\x1b", Owners: []string{"web2", "web3"}},
	} {
		b.ID, b.Home, b.Lines, b.Bytes, b.Stored, b.Checksum, b.Since = schemas.BlockID{15: byte(i)}, "web1", 1000, 2e6, 4e5, 7, at+9000e9
		if _, err := conn.PutBlock(t.Context(), &b, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args   string
		status int
		rows   []string // beginnings of the fields of each row but the head, joined by one blank
	}{
		{"", 1, []string{"api 2026-01-01T00:00:00Z 2026-01-01T02:00:00Z 2 2000 4MB 800kB 2×1 1×1 0 1", "db? - - 1 1000 2MB 400kB 2×1 1 0",
			"all, revision 5 2026-01-01T00:00:00Z 2026-01-01T02:00:00Z 3 3000 6MB 1.2MB 2×2 1×1 1 1"}},
		{"--service api --since 2026-01-01T01:00:00Z", 0, []string{"api 2026-01-01T01:00:00Z 2026-01-01T02:00:00Z 1 1000 2MB 400kB 1×1 0 0", "all, revision 5"}},
		{"--service a* --each", 0, []string{
			"api 2025-12-31T23:00:00Z 2025-12-31T23:59:59Z 1000 2MB 400kB web1 web1 retired 00000000000000000000000000000002",
			"api 2026-01-01T00:00:00Z 2026-01-01T00:01:00Z 1000 2MB 400kB web1 web1,web2 kept 00000000000000000000000000000000",
			"api 2026-01-01T01:00:00Z 2026-01-01T02:00:00Z 1000 2MB 400kB web1 web1 kept 00000000000000000000000000000001"}},
		{"--service {api,db} --each --under 2", 0, []string{"api 2026-01-01T01:00:00Z"}},
		{"--under 2 --each", 0, []string{"api 2026-01-01T01:00:00Z"}},
		{"--node web3 --each", 1, []string{"db? - - 1000 2MB 400kB web1 web2,web3 kept"}},
		{"--output json --until 2026-01-01T00:30:00Z --node web2 --service api", 0, []string{
			`{"block":"00000000000000000000000000000000","service":"api","home":"web1","labels":{"env":"prod"},"first":"2026-01-01T00:00:00.000000000Z","last":"2026-01-01T00:01:00.000000000Z",` +
				`"lines":1000,"bytes":2000000,"stored":400000,"checksum":"0000000000000007","owners":["web1","web2"],"up":1,"state":"kept","since":"2026-01-01T02:30:00.000000000Z"}`}},
	} {
		status, out, errout := trawl(t, append([]string{"blocks", "--list"}, strings.Fields(test.args)...)...)
		rows := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if !strings.Contains(test.args, "json") {
			rows = rows[1:]
		}
		ok := status == test.status && len(rows) == len(test.rows)
		for i := range min(len(rows), len(test.rows)) {
			ok = ok && strings.HasPrefix(strings.Join(strings.Fields(rows[i]), " "), test.rows[i])
		}
		if !ok || (status == 1) != strings.Contains(errout, "no node that is up has 1 block") {
			t.Errorf("%s: status %d\n%s%s", test.args, status, out, errout)
		}
	}
	for _, args := range []string{"--under 2", "--list --verify", "--list --service ["} {
		if status, _, errout := trawl(t, append([]string{"blocks"}, strings.Fields(args)...)...); status != 2 || !strings.Contains(errout, "trawl: ") {
			t.Errorf("%s: status %d, %q", args, status, errout)
		}
	}
}
