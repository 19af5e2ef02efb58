package bus

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/trawl-logs/trawl/schemas"
)

// ServiceName is the name under which responders are found by `nats micro`.
const ServiceName = "trawl"

// Served counts what an endpoint has answered.
type Served struct {
	Queries   int64         `json:"queries"`
	Lines     int64         `json:"lines"`
	Bytes     int64         `json:"bytes"`
	BytesRead int64         `json:"bytes_read"`
	Errors    int64         `json:"errors"`
	LastError string        `json:"-"`
	Time      time.Duration `json:"time_ns"`
}

// Announcement is what a node says of itself to people who look around with `nats micro`. The funcs are
// called for each of them, from several goroutines.
type Announcement struct {
	Node    func() schemas.Node
	Queries func() Served
	Text    func() (s Served, on bool) // of the coordinator
}

// Announce answers the requests of the NATS services API (ADR-32) for the node: ping, info, stats. The
// instance is the node's own, so that what was found is known after a restart for another. It is spoken
// here with micro's types but without its Service, which would take over the handlers of the
// connection, and count the time that it takes to take a query, not to answer it. Requests that are not to
// be answered to an inbox are dropped. The func that it returns ends it.
func (c *Conn) Announce(a Announcement) (stop func(), err error) {
	n := a.Node()
	started := time.Unix(0, n.Started).UTC()
	var subs []*nats.Subscription
	stop = func() {
		for _, sub := range subs {
			_ = sub.Unsubscribe() // the connection may be closed
		}
	}
	for verb, answer := range map[micro.Verb]func() any{
		micro.PingVerb: func() any { return micro.Ping{ServiceIdentity: identity(a.Node()), Type: micro.PingResponseType} },
		micro.InfoVerb: func() any { return c.info(&a) },
		micro.StatsVerb: func() any {
			return micro.Stats{ServiceIdentity: identity(a.Node()), Type: micro.StatsResponseType, Started: started, Endpoints: c.stats(&a)}
		},
	} {
		on := func(m *nats.Msg) {
			if !isInbox(m.Reply) {
				return
			}
			text, err := json.Marshal(answer())
			if err == nil {
				err = c.nc.Publish(m.Reply, text)
			}
			if err != nil {
				c.log.Debug("services API", "subject", m.Subject, "err", err)
			}
		}
		for _, name := range []struct{ name, id string }{{}, {ServiceName, ""}, {ServiceName, n.Instance}} {
			subject, err := micro.ControlSubject(verb, name.name, name.id)
			if err == nil {
				var sub *nats.Subscription
				if sub, err = c.nc.Subscribe(subject, on); err == nil {
					subs = append(subs, sub)
					err = sub.SetPendingLimits(1024, 1<<20)
				}
			}
			if err != nil {
				stop()
				return nil, fmt.Errorf("services API: %w", err)
			}
		}
	}
	return stop, nil
}

// identity is who a node is, with its node, groups and services, of which a list shows nothing.
func identity(n schemas.Node) micro.ServiceIdentity {
	return micro.ServiceIdentity{Name: ServiceName, ID: n.Instance, Version: semantic(n.Version), Metadata: map[string]string{
		"node": n.Name, "host": n.Host, "groups": strings.Join(n.Groups, ","), "services": cut(strings.Join(n.Services, ","), 4096),
		"files": fmt.Sprint(n.Files), "bytes": fmt.Sprint(n.Bytes), "version": n.Version, "protocol": "trawl.v1",
	}}
}

// info says what a node offers. The list of the nats command shows nothing but the description, and
// there the node comes first.
func (c *Conn) info(a *Announcement) micro.Info {
	n := a.Node()
	about := []string{n.Name}
	if len(n.Groups) > 0 {
		about = append(about, "groups "+strings.Join(n.Groups, ","))
	}
	if len(n.Services) > 0 {
		about = append(about, "services "+strings.Join(n.Services, ","))
	}
	info := micro.Info{ServiceIdentity: identity(n), Type: micro.InfoResponseType, Description: cut(strings.Join(about, ": "), 120)}
	subjects := []string{c.subjects.queryAll("*"), c.subjects.queryNode("*", n.Name)}
	for _, g := range n.Groups {
		subjects = append(subjects, c.subjects.queryGroup("*", g))
	}
	info.Endpoints = []micro.EndpointInfo{{Name: "query", Subject: subjects[0], Metadata: map[string]string{
		"subjects": strings.Join(subjects, " "), "request_schema": querySchema, "response_schema": frameSchema,
	}}}
	if _, on := a.Text(); on {
		info.Endpoints = append(info.Endpoints, micro.EndpointInfo{Name: "text", Subject: c.subjects.text(), QueueGroup: textQueue, Metadata: map[string]string{
			"subjects":       strings.Join([]string{c.subjects.text(), c.subjects.textUser("*"), c.subjects.textNode(n.Name)}, " "),
			"request_schema": textSchema, "response_schema": linesSchema,
		}})
	}
	return info
}

func (c *Conn) stats(a *Announcement) []*micro.EndpointStats {
	all := []*micro.EndpointStats{endpointStats("query", c.subjects.queryAll("*"), "", a.Queries())}
	if text, on := a.Text(); on {
		all = append(all, endpointStats("text", c.subjects.text(), textQueue, text))
	}
	return all
}

func endpointStats(name, subject, queue string, s Served) *micro.EndpointStats {
	data, _ := json.Marshal(s) // numbers can be marshalled
	e := &micro.EndpointStats{Name: name, Subject: subject, QueueGroup: queue, NumRequests: int(s.Queries), NumErrors: int(s.Errors),
		LastError: s.LastError, ProcessingTime: s.Time, Data: data}
	if s.Queries > 0 {
		e.AverageProcessingTime = s.Time / time.Duration(s.Queries)
	}
	return e
}

var semanticVersion = sync.OnceValue(func() *regexp.Regexp { // only a responder needs it
	return regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
})

// semantic is a version as the services API wants it: a semantic one, without the "v".
func semantic(version string) string {
	if v := strings.TrimPrefix(version, "v"); semanticVersion().MatchString(v) {
		return v
	}
	return "0.0.0-" + strings.Trim(schemas.Token(version), "=_-")
}

// cut shortens a list for people.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// The schemas of what endpoints take and give. The arrays are msgpack, and PROTOCOL.md, 4, is what holds.
const (
	querySchema = `{"$comment":"msgpack array; PROTOCOL.md, 4, Query","type":"array","minItems":37,"prefixItems":[` +
		`{"title":"version","const":1},{"title":"id","type":"string"},{"title":"user","type":"string"},{"title":"client","type":"string"},` +
		`{"title":"patterns","type":"array","items":{"type":"string"},"minItems":1,"maxItems":1000}]}`
	frameSchema = `{"$comment":"msgpack array; PROTOCOL.md, 4, Frame; sent to res.<user>.<client>.<qid>.<node>","type":"array","minItems":7,"prefixItems":[` +
		`{"title":"version","const":1},{"title":"run","type":"integer"},{"title":"seq","type":"integer"},{"title":"hello"},{"title":"data"},{"title":"progress"},{"title":"end"}]}`
	textSchema = `{"$comment":"or text: options, then the pattern; docs/bus.md","type":"object","additionalProperties":false,"properties":{` +
		`"pattern":{"type":"string"},"patterns":{"type":"array","items":{"type":"string"}},` +
		`"flags":{"type":"array","items":{"type":"string"}},"paths":{"type":"array","items":{"type":"string"}}}}`
	linesSchema = `{"$comment":"a line an object, asked in JSON; an empty message with the header Trawl-Status ends the answer","type":"object","required":["type"],` +
		`"properties":{"type":{"type":"string"},"node":{"type":"string"},"file":{"type":"string"},"text":{"type":"string"}}}`
)
