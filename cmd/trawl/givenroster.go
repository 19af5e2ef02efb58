package main

import (
	"context"
	"slices"
	"strings"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
)

// givenRoster is what the bus knows, unless the user named nodes: then those are expected, whether
// or not the bus has heard of them, also beside globs. Where nodes register, and not one is known
// that the names admit, they are a slip of the finger, and the selection is empty. Nodes with a part in the
// fleet's sealed blocks are there in any case.
type givenRoster struct {
	requester.Roster
	names []string
}

// Known returns the nodes that are expected to answer. Where every one is named, a roster that cannot
// be read is not missed.
func (g givenRoster) Known(ctx context.Context) ([]schemas.Node, requester.RosterKind, error) {
	nodes, kind, err := g.Roster.Known(ctx)
	if len(g.names) == 0 {
		return nodes, kind, err
	}
	globs := slices.ContainsFunc(g.names, isGlob)
	if err != nil {
		if globs || ctx.Err() != nil {
			return nil, kind, err
		}
		nodes, kind = nil, requester.RosterGiven
	}
	byName := schemas.Select{Nodes: g.names}
	var known, others []schemas.Node
	for _, n := range nodes {
		switch {
		case byName.AdmitsNode(n.Name, nil):
			known = append(known, n)
		case n.Store != nil: // it may have blocks of those that are named
			others = append(others, n)
		}
	}
	if len(known) == 0 && kind == requester.RosterRegistered {
		return others, kind, nil
	}
	for _, name := range g.names {
		if !isGlob(name) && !slices.ContainsFunc(known, func(n schemas.Node) bool { return n.Name == name }) {
			known = append(known, schemas.Node{Name: name})
		}
	}
	if !globs {
		kind = requester.RosterGiven
	}
	return append(known, others...), kind, nil
}

// Remembered gives what the bus remembers, where no node is named.
func (g givenRoster) Remembered() (nodes []schemas.Node, kind requester.RosterKind, holds requester.Holds, ok bool) {
	m, can := g.Roster.(requester.Rememberer)
	if !can || len(g.names) > 0 {
		return nil, "", nil, false
	}
	return m.Remembered()
}

func isGlob(name string) bool { return strings.ContainsAny(name, `*?[\{`) }
