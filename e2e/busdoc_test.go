package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// The sessions of docs/bus.md are what really happens with the stock nats command, over two nodes.
func TestBusDocSession(t *testing.T) {
	f := twoNodes(t)
	name, err := stockNats()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(f.url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	r := &replay{
		t: t, page: "../docs/bus.md", name: "BusDoc", dir: f.home,
		env: append(environment(f.home), "NATS_URL="+f.url, "TRAWL_USER=ann", "PATH="+filepath.Dir(name)+":"+os.Getenv("PATH")),
		// How the lines are shared out among messages, and whether anybody had to wait, is chance.
		hides: func(line string) bool { return line == "\n" || strings.HasPrefix(line, "# waiting") },
		settled: func(command, printed string) string {
			if strings.HasPrefix(command, "nats micro ") {
				return settledTable(printed)
			}
			return settled(printed)
		},
		looks: func(command string) bool {
			return strings.HasPrefix(command, "grep ") || strings.HasPrefix(command, "nats micro ")
		},
		begun: func(command string) {
			switch {
			case strings.HasPrefix(command, "nats sub ") && strings.HasSuffix(command, " &"):
				f.subscribed(nc, subscribes.FindStringSubmatch(command)[1])
			case strings.HasPrefix(command, "trawl watch add "):
				f.logs("node1", "standing query taken up", 1)
				f.logs("node2", "standing query taken up", 1)
			}
		},
	}
	r.run()
}

// subscribes finds the subject of a subscription.
var subscribes = regexp.MustCompile(`^nats sub '?([^ ']+)'?`)

// subscribed waits until the bus knows a subscription. Who has it gets an empty message, of which neither
// trawl decode nor grep shows anything.
func (f *fleet) subscribed(nc *nats.Conn, subject string) {
	f.t.Helper()
	probe := strings.NewReplacer("*", "probe", ">", "probe").Replace(subject)
	f.await("somebody subscribes "+subject, 30*time.Second, func() bool {
		_, err := nc.Request(probe, nil, 50*time.Millisecond)
		return !errors.Is(err, nats.ErrNoResponders)
	})
}

// settledTable is the words of a table in order, since its rows come in any. Which of the nodes answered a
// question in text is chance.
func settledTable(printed string) string {
	var words []string
	for line := range strings.Lines(settled(printed)) {
		line = strings.Map(func(r rune) rune {
			if strings.ContainsRune("╭╮╰╯├┤┬┴┼─│", r) {
				return ' '
			}
			return r
		}, line)
		if strings.Contains(line, "text") {
			line = digits.ReplaceAllString(line, "N")
		}
		words = append(words, strings.Fields(line)...)
	}
	slices.Sort(words)
	return strings.Join(words, "\n") + "\n"
}

var digits = regexp.MustCompile(`\b\d+\b`)
