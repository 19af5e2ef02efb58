package bus_test

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// cluster is the configuration of as many servers that know of each other.
func cluster(t *testing.T, size int) (configs []string) {
	t.Helper()
	routes := ""
	for range size {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer l.Close() // with the others, so that no two are the same
		routes += fmt.Sprintf("\"nats://%s\", ", l.Addr())
		configs = append(configs, l.Addr().String())
	}
	for i, address := range configs {
		configs[i] = fmt.Sprintf("server_name: s%d\ncluster { name: c, listen: %q, routes: [%s] }", i, address, routes)
	}
	return configs
}

// eventually is for what waits for an election, which takes some seconds.
func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = ok(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// lists writes a block into the list as soon as the cluster has found itself.
func lists(t *testing.T, conn *bus.Conn, b *schemas.BlockRecord) {
	t.Helper()
	eventually(t, "a block is listed", func() error {
		_, err := conn.PutBlock(t.Context(), b, 0)
		return err
	})
}

// The list has three copies in a cluster of three, and is read and written when one of them is away.
func TestBlockListInACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("elections take many seconds")
	}
	var servers []*bustest.Bus
	for _, c := range cluster(t, 3) {
		servers = append(servers, bustest.Start(t, bustest.Config(c)))
	}
	conn := servers[0].Connect("web1")
	lists(t, conn, block(1, "api", "web1", midday, midday))
	nc, err := nats.Connect(servers[0].URL())
	must(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(t, err)
	s, err := js.Stream(t.Context(), "KV_"+bus.BlockBucket)
	must(t, err)
	if n := s.CachedInfo().Config.Replicas; n != 3 {
		t.Errorf("%d copies", n)
	}
	servers[2].Stop()
	lists(t, conn, block(2, "api", "web1", midday, midday))
	want := []string{block(1, "", "", 0, 0).ID.String(), block(2, "", "", 0, 0).ID.String()}
	eventually(t, "both blocks are read", func() error {
		var ids []string
		_, err := conn.Blocks(t.Context(), schemas.BlockFilter{}, func(b *schemas.BlockRecord, _ uint64) { ids = append(ids, b.ID.String()) })
		if slices.Sort(ids); err == nil && !slices.Equal(ids, want) {
			err = fmt.Errorf("listed are %v", ids)
		}
		return err
	})
}
