package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
)

// knownNodes is a roster of fixed content.
type knownNodes struct {
	names []string
	kind  requester.RosterKind
	err   error
}

func (k knownNodes) Known(context.Context) (nodes []schemas.Node, kind requester.RosterKind, err error) {
	for _, name := range k.names {
		n := schemas.Node{Name: name, Instance: "i"}
		if strings.HasPrefix(name, "owner") {
			n.Store = &schemas.NodeStore{}
		}
		nodes = append(nodes, n)
	}
	return nodes, k.kind, k.err
}

// A node that is named is expected to answer: neither a glob beside it nor a roster that cannot be
// read may drop it without a word.
func TestGivenRoster(t *testing.T) {
	silent := errors.New("JetStream does not answer")
	registered := knownNodes{[]string{"n1", "n2", "web"}, requester.RosterRegistered, nil}
	for _, c := range []struct {
		roster knownNodes
		names  []string
		want   string
	}{
		{registered, nil, "[n1 n2 web] registered <nil>"},
		{registered, []string{"n1"}, "[n1] given <nil>"},
		{registered, []string{"n1", "gone"}, "[n1 gone] given <nil>"},
		{registered, []string{"gone"}, "[] registered <nil>"},
		{registered, []string{"n*"}, "[n1 n2] registered <nil>"},
		{registered, []string{"n*", "gone", "n1"}, "[n1 n2 gone] registered <nil>"},
		{registered, []string{"x*", "gone"}, "[] registered <nil>"},
		{knownNodes{[]string{"n1"}, requester.RosterDiscovered, nil}, []string{"n1", "gone"}, "[n1 gone] given <nil>"},
		{knownNodes{nil, requester.RosterDiscovered, nil}, []string{"gone"}, "[gone] given <nil>"},
		{knownNodes{nil, requester.RosterRegistered, silent}, []string{"n1", "n2"}, "[n1 n2] given <nil>"},
		{knownNodes{nil, requester.RosterRegistered, silent}, []string{"n1", "n*"}, "[] registered JetStream does not answer"},
		{knownNodes{[]string{"n1", "owner1", "web"}, requester.RosterRegistered, nil}, []string{"n1"}, "[n1 owner1] given <nil>"},
		{knownNodes{[]string{"n1", "owner1", "web"}, requester.RosterRegistered, nil}, []string{"gone"}, "[owner1] registered <nil>"},
		{knownNodes{nil, requester.RosterRegistered, silent}, nil, "[] registered JetStream does not answer"},
	} {
		nodes, kind, err := givenRoster{c.roster, c.names}.Known(t.Context())
		names := []string{}
		for _, n := range nodes {
			names = append(names, n.Name)
		}
		if got := fmt.Sprint(names, " ", kind, " ", err); got != c.want {
			t.Errorf("--node %v of %v: %s, want %s", c.names, c.roster, got, c.want)
		}
	}
}
