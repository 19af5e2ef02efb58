package blockplan

import (
	"bytes"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/trawl-logs/trawl/schemas"
)

// Filter is what of the block list a query needs: the records of its range, and of the services and the homes that it
// names, if it names them by no globs.
func Filter(s *schemas.Select, since, until int64) schemas.BlockFilter {
	f := schemas.BlockFilter{Since: since, Until: until}
	for _, g := range s.Services {
		name, exact := literal(g)
		if !exact {
			f.Services = nil
			break
		}
		f.Services = append(f.Services, name)
	}
	for _, g := range s.Nodes {
		if schemas.CheckToken("node", g) != nil { // a glob: no token has what one is made of
			f.Homes = nil
			break
		}
		f.Homes = append(f.Homes, g)
	}
	return f
}

// literal is the one name that a glob matches, if it matches but one.
func literal(glob string) (name string, exact bool) {
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		switch glob[i] {
		case '*', '?', '[', ']', '{', '}':
			return "", false
		case '\\':
			if i++; i == len(glob) {
				return "", false
			}
		}
		b.WriteByte(glob[i])
	}
	return b.String(), true
}

// admits says whether a node's own logs are in question.
func (q *Question) admits(n *schemas.Node) bool { return q.Select.AdmitsRecord(n) }

// inQuestion are the blocks that may hold an answer, and are not read where they were sealed whatever the plan, in an order that depends on nothing but them.
func (p *Plan) inQuestion(q *Question) []*schemas.BlockRecord {
	var blocks []*schemas.BlockRecord
	p.Retired = map[schemas.BlockID]bool{}
	for _, b := range q.Blocks {
		if b.State == schemas.BlockRetired {
			p.Retired[b.ID] = true
		}
		if b.State == schemas.BlockKept && b.Overlaps(q.Since, q.Until) && matchesAny(q.Select.Services, b.Service) && p.admitsHome(q, b) && takesPlans(p.nodes[b.Home]) {
			blocks = append(blocks, b)
		}
	}
	slices.SortFunc(blocks, func(a, b *schemas.BlockRecord) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return slices.CompactFunc(blocks, func(a, b *schemas.BlockRecord) bool { return a.ID == b.ID })
}

// admitsHome says whether the selection of nodes, groups and labels admits lines that were written where the block
// was sealed. Of a node that has left the fleet, the groups are not known any more, and no group admits it.
func (p *Plan) admitsHome(q *Question, b *schemas.BlockRecord) bool {
	labels := b.Labels
	home := p.nodes[b.Home]
	if home != nil {
		labels = slices.Concat(labels, home.Labels)
		if !q.admits(home) {
			return false
		}
	} else if !q.Select.AdmitsNode(b.Home, nil) {
		return false
	}
	return admitsLabels(q.Select.Labels, labels)
}

// admitsLabels joins conditions on one key by "or", those on different keys by "and".
func admitsLabels(wanted, labels []schemas.Label) bool {
	for _, w := range wanted {
		met := slices.ContainsFunc(wanted, func(o schemas.Label) bool {
			return o.K == w.K && slices.ContainsFunc(labels, func(l schemas.Label) bool {
				return l.K == o.K && (l.V == o.V || doublestar.MatchUnvalidated(o.V, l.V))
			})
		})
		if !met {
			return false
		}
	}
	return true
}

// takesPlans says whether a node can leave to others what it sealed. One that has no store reads all that it has;
// one that is known by name alone, or not at all, may have gone for good.
func takesPlans(n *schemas.Node) bool { return n == nil || n.Store != nil || n.Instance == "" }

func matchesAny(globs []string, name string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(g string) bool { return doublestar.MatchUnvalidated(g, name) })
}

// tailOf is what of a node's logs is in question and in no listed block. Where the range is open, the list could
// not be read or is older than the record goes by, or the record may not name all services, there may always be something.
func tailOf(n *schemas.Node, q *Question) Tail {
	if n.Store == nil || n.Instance == "" || len(n.Services) >= schemas.MaxServices || q.Revision == 0 || q.Revision < n.Store.Listed {
		return Tail{Any: true}
	}
	t := Tail{Any: q.Until == 0}
	sealed := false
	for _, service := range n.Services {
		if !matchesAny(q.Select.Services, service) {
			continue
		}
		i := slices.IndexFunc(n.Store.Services, func(s schemas.SealedService) bool { return s.Service == service })
		if i < 0 {
			t.Any, t.Unsealed = true, append(t.Unsealed, service)
			continue
		}
		until := n.Store.Services[i].Until
		t.Any = t.Any || q.Until > until
		if !sealed || until < t.Since {
			t.Since, sealed = until, true
		}
	}
	if len(t.Unsealed) > 0 {
		t.Since = 0
	}
	return t
}
