package schemas

import (
	"errors"
	"strings"
	"testing"
)

// manyPlanned is a query whose plan names so many blocks, half of them to be left.
func manyPlanned(blocks int) *Query {
	q := sampleQuery()
	ids := make([]BlockID, blocks)
	for i := range ids {
		ids[i] = BlockID{byte(i), byte(i >> 8), byte(i >> 16), 15: 1}
	}
	q.Plan = &Plan{Revision: 1, Leave: ids[:blocks/2], Read: []PlanRead{{"web2", ids[blocks/2:]}}}
	return q
}

// As many blocks as a plan may name travel in one query, in memory that is bounded by the message. Beyond the plan a query has
// no more room than one without.
func TestLimitsOfPlannedQueries(t *testing.T) {
	largest := AppendQuery(nil, manyPlanned(MaxPlanned))
	if len(largest) > MaxQuery*95/100 {
		t.Errorf("%d blocks make a query of %d bytes: there is no room for patterns", MaxPlanned, len(largest))
	}
	var q *Query
	var err error
	used := allocated(func() { q, err = DecodeQuery(largest) })
	if err != nil || len(q.Plan.Leave)+len(q.Plan.Read[0].Blocks) != MaxPlanned {
		t.Fatal(err)
	}
	if used > allocBudget(len(largest)) {
		t.Errorf("%d bytes are allocated for a message of %d", used, len(largest))
	}
	wide := manyPlanned(10)
	wide.Select.Paths = strings.Fields(strings.Repeat(strings.Repeat("x", 1000)+" ", 250))
	if _, err := DecodeQuery(AppendQuery(nil, wide)); err != nil {
		t.Error(err)
	}
	wide.Select.Include = strings.Fields(strings.Repeat(strings.Repeat("x", 1000)+" ", 20))
	for what, msg := range map[string][]byte{
		"beside its plan": AppendQuery(nil, wide),
		"more than":       AppendQuery(nil, manyPlanned(1<<16)),
	} {
		_, err := DecodeQuery(msg)
		var field *FieldError
		if !errors.As(err, &field) || field.Field != "query" || !strings.Contains(err.Error(), what) {
			t.Errorf("a query of %d bytes: %v", len(msg), err)
		}
	}
}
