package bus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/trawl-logs/trawl/schemas"
)

// DefaultPrefix stands before every subject of the protocol.
const DefaultPrefix = "trawl.v1"

// anyNode is the last token of a reply subject before a node has put its own name there; no node may
// have this name.
const anyNode = "_"

// pingQuery stands in place of a query id in the subjects that pongs come back on.
const pingQuery = "ping"

// Key names one query on the bus: who asked, from which process, and which of its queries.
type Key struct{ User, Client, ID string }

func (k Key) String() string { return k.User + "." + k.Client + "." + k.ID }

// Subjects builds and parses the subjects beneath one prefix. The zero value is not usable.
type Subjects struct{ prefix string }

// NewSubjects returns the subjects beneath prefix, one or more tokens joined by dots; empty means
// DefaultPrefix.
func NewSubjects(prefix string) (Subjects, error) {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	for token := range strings.SplitSeq(prefix, ".") {
		if err := schemas.CheckToken("token", token); err != nil {
			return Subjects{}, fmt.Errorf("subject prefix %q: %w", prefix, err)
		}
	}
	return Subjects{prefix + "."}, nil
}

// Prefix returns what stands before every subject, without the last dot.
func (s Subjects) Prefix() string { return strings.TrimSuffix(s.prefix, ".") }

func (s Subjects) queryAll(user string) string { return s.prefix + "q." + user + ".all" }
func (s Subjects) queryGroup(user, group string) string {
	return s.prefix + "q." + user + ".grp." + group
}
func (s Subjects) queryNode(user, node string) string {
	return s.prefix + "node." + node + ".q." + user
}
func (s Subjects) ping(node string) string { return s.prefix + "node." + node + ".ping" }
func (s Subjects) doctor(node, user string) string {
	return s.prefix + "node." + node + ".doctor." + user
}
func (s Subjects) pingAll() string { return s.prefix + "ping" }
func (s Subjects) beacon(node string) string {
	return s.prefix + "hb." + node
}
func (s Subjects) result(k Key, node string) string {
	return s.prefix + "res." + k.User + "." + k.Client + "." + k.ID + "." + node
}
func (s Subjects) results(user, client string) string {
	return s.prefix + "res." + user + "." + client + ".>"
}
func (s Subjects) control(node string, k Key) string {
	return s.prefix + "ctl." + node + "." + k.User + "." + k.Client + "." + k.ID
}
func (s Subjects) cancel(k Key) string { return s.prefix + "cancel." + k.String() }

// gone is the reply subject of a node's frames: the server says there that nobody listens.
func (s Subjects) gone(node string, k Key) string {
	return s.prefix + "node." + node + ".gone." + k.User + "." + k.Client + "." + k.ID
}

// tokens are what cut finds; more is not asked for.
type tokens [4]string

// cut returns the n tokens that follow prefix and head in subject, none of them empty. It allocates nothing: every
// message passes through here.
func (s Subjects) cut(subject, head string, n int) (found tokens, ok bool) {
	rest, ok := strings.CutPrefix(subject, s.prefix)
	if !ok {
		return tokens{}, false
	}
	if rest, ok = strings.CutPrefix(rest, head); !ok {
		return tokens{}, false
	}
	for i := range n {
		more := false
		if found[i], rest, more = strings.Cut(rest, "."); more != (i+1 < n) || schemas.CheckToken("token", found[i]) != nil {
			return tokens{}, false
		}
	}
	return found, true
}

// parseQuery returns the user of a query subject that reached node.
func (s Subjects) parseQuery(subject, node string) (user string, ok bool) {
	if t, ok := s.cut(subject, "node."+node+".q.", 1); ok {
		return t[0], true
	}
	if t, ok := s.cut(subject, "q.", 2); ok && t[1] == "all" {
		return t[0], true
	}
	if t, ok := s.cut(subject, "q.", 3); ok && t[1] == "grp" {
		return t[0], true
	}
	return "", false
}

// parseControl returns the query that a control message to node is about.
func (s Subjects) parseControl(subject, node string) (Key, bool) {
	return keyOf(s.cut(subject, "ctl."+node+".", 3))
}

// parseCancel returns the query that is to end.
func (s Subjects) parseCancel(subject string) (Key, bool) {
	return keyOf(s.cut(subject, "cancel.", 3))
}

// parseGone returns the query for whose frames nobody listens.
func (s Subjects) parseGone(subject, node string) (Key, bool) {
	return keyOf(s.cut(subject, "node."+node+".gone.", 3))
}

func keyOf(t tokens, ok bool) (Key, bool) {
	if !ok {
		return Key{}, false
	}
	return Key{t[0], t[1], t[2]}, true
}

// parseResult returns the query that a message on a result subject belongs to, and the node that
// alone may publish there.
func (s Subjects) parseResult(subject string) (k Key, node string, ok bool) {
	t, ok := s.cut(subject, "res.", 4)
	if !ok {
		return Key{}, "", false
	}
	return Key{t[0], t[1], t[2]}, t[3], true
}

// parseBeacon returns the node that alone may publish this beacon.
func (s Subjects) parseBeacon(subject string) (node string, ok bool) {
	t, ok := s.cut(subject, "hb.", 1)
	if !ok {
		return "", false
	}
	return t[0], true
}

// pongSubject returns where node answers a ping with this reply subject. Only result subjects of
// pings are answered, with the node's own name last: a reply field is not covered by permissions,
// so it must not choose where a node publishes.
func (s Subjects) pongSubject(reply, node string) (string, bool) {
	k, _, ok := s.parseResult(reply)
	if !ok || k.ID != pingQuery {
		return "", false
	}
	return s.result(k, node), true
}

// parseDoctor returns the user who asks node for a checkup.
func (s Subjects) parseDoctor(subject, node string) (user string, ok bool) {
	t, ok := s.cut(subject, "node."+node+".doctor.", 1)
	if !ok {
		return "", false
	}
	return t[0], true
}

// checkupSubject returns where node answers user's request for a checkup with this reply subject: like
// pongSubject, with its own name last, and only to the user who asked.
func (s Subjects) checkupSubject(reply, user, node string) (string, bool) {
	k, _, ok := s.parseResult(reply)
	if !ok || k.ID != doctorQuery || k.User != user {
		return "", false
	}
	return s.result(k, node), true
}

// Token makes a token of a name that people gave: dots become "-", so that a fully qualified host
// name serves as it is. Anything else that a token cannot hold is an error that names it.
func Token(what, name string) (string, error) {
	token := strings.ReplaceAll(strings.TrimSuffix(name, "."), ".", "-")
	if err := schemas.CheckToken(what, token); err != nil {
		return "", err
	}
	return token, nil
}

// sanitize makes a token of a name that nobody chose for trawl, such as that of the operating
// system's user (`DOMAIN\jürgen`): what a token cannot hold becomes "-".
func sanitize(name string) (string, error) {
	token := schemas.Token(name)
	if strings.Trim(token, "-") == "" {
		return "", errors.New("no letter or digit in it")
	}
	return token, nil
}
