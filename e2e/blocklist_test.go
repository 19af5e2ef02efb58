package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trawl-logs/trawl/bus"
)

// listLogins is a bus on which the nodes may not make the block list, so that one that is lost stays lost, and one user may not
// read it.
const listLogins = `authorization { users: [
	{user: node, password: secret, permissions: {publish: {deny: ["$JS.API.STREAM.CREATE.KV_trawl_blocks"]}}}
	{user: ann, password: secret}
	{user: bob, password: secret, permissions: {publish: {deny: ["$JS.API.DIRECT.GET.KV_trawl_blocks"]}}}
] }
`

// The block list of a fleet that has sealed cannot be read, and then is lost: each node is asked for what it has, every line comes
// once, and neither the exit status nor the receipt says that the answer is complete. It is again when there is a list again.
func TestWithoutBlockList(t *testing.T) {
	if err := lookAtSources(); err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, home: t.TempDir(), nodes: map[string]*process{}}
	config := filepath.Join(f.home, "bus.conf")
	if err := os.WriteFile(config, []byte(listLogins), 0o600); err != nil {
		t.Fatal(err)
	}
	f.startBus("127.0.0.1:0", "--config", config)
	address := strings.TrimPrefix(f.url, "nats://")
	as := func(user string) { f.url = "nats://" + user + ":secret@" + address }

	as("ann")
	nc, err := nats.Connect(f.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	newList := func() {
		if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bus.BlockBucket}); err != nil {
			t.Fatal(err)
		}
	}
	newList()
	as("node")
	names := []string{"a", "b", "c"}
	sealed, fresh, until := f.sealing(names)
	all := append(allSealed(f), fresh...)

	as("ann")
	sameLines(t, "there is a list", f.grep("-h", " line "), 0, all)
	as("bob")
	f.withoutList("nats: permissions violation: ", until, all, sealed)

	as("ann")
	if err := js.DeleteKeyValue(t.Context(), bus.BlockBucket); err != nil {
		t.Fatal(err)
	}
	f.withoutList("there is none, and nodes say that they have listed blocks", until, all, sealed)

	newList()
	f.await("the nodes list what they have, and the answer is complete", time.Minute, func() bool {
		return f.grep("-c", " line ").code == 0
	})
	f.twice(f.connect(), 3*len(names))
	sameLines(t, "there is a list again", f.grep("-h", " line "), 0, all)

	as("bob")
	f.nodes["b"].end(syscall.SIGKILL)
	mine := func(line string) bool { return strings.Contains(line, " b ") }
	r := f.grep("-h", "--until", until, " line ")
	sameLines(t, "no list, and a node is dead", r, 3, slices.DeleteFunc(slices.Clone(sealed), mine))
	if !strings.Contains(r.stderr, "\n  b  down ") {
		t.Errorf("who is missing is not named:\n%s", r.stderr)
	}
	as("ann")
	sameLines(t, "there is one, and a node is dead", f.grep("-h", "--until", until, " line "), 0, sealed)
}

// withoutList asks while the block list cannot be read, and why is part of the reason that is said.
func (f *fleet) withoutList(why, until string, all, sealed []string) {
	t := f.t
	t.Helper()
	for _, q := range []struct {
		args []string
		want []string
	}{{nil, all}, {[]string{"--order", "time"}, all}, {[]string{"--until", until}, sealed}} {
		r := f.grep(append(q.args, "-h", " line ")...)
		sameLines(t, why, r, 3, q.want)
		if i := strings.Index(r.stderr, "  block list: "); i < 0 || !strings.HasPrefix(r.stderr[i+len("  block list: "):], why) || !strings.Contains(r.stderr[i:], "; each node was asked for what it has\n") {
			t.Errorf("%s: it is not said:\n%s", why, r.stderr)
		}
	}
	if r := f.grep("--until", until, "no such line"); r.code != 4 {
		t.Errorf("%s, no line matches: exit status %d\n%s", why, r.code, r.stderr)
	}
	if r := f.grep("--ok-partial", "-h", " line "); r.code != 0 {
		t.Errorf("%s, --ok-partial: exit status %d\n%s", why, r.code, r.stderr)
	}
	r := f.grep("-c", "--output", "json", " line ")
	last := planned(t, r)
	if r.code != 3 || last.Complete || !strings.HasPrefix(last.Store.Error, why) || last.Store.Revision != 0 || last.Store.Blocks != 0 || len(last.Nodes) != len(f.nodes) {
		t.Errorf("%s: exit status %d, %+v", why, r.code, last)
	}
	for _, n := range last.Nodes {
		if n.Status != "complete" || n.SealedBlocks != 0 {
			t.Errorf("%s: %+v", why, n)
		}
	}
	if r := f.grep("--explain", " line "); !strings.Contains(r.stdout, "block list: "+last.Store.Error) || strings.Contains(r.stdout, "revision 0") {
		t.Errorf("%s, --explain:\n%s%s", why, r.stdout, r.stderr)
	}
}
