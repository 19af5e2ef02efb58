package responder

import (
	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/match/syntax"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

var languages = [...]syntax.Syntax{
	schemas.SyntaxRE2: syntax.RE2, schemas.SyntaxERE: syntax.ERE, schemas.SyntaxBRE: syntax.BRE, schemas.SyntaxFixed: syntax.Fixed,
}

// program is what a query's patterns come down to.
type program struct {
	newMatcher func() scan.Matcher
	strategy   string             // its name
	needs      func() match.Needs // what a line must hold to match; nil: not known
}

// compile makes matchers of a query's patterns. Its errors name the pattern.
func compile(q *schemas.Query, maxProgram int) (program, error) {
	p, err := match.Compile(match.Spec{
		Patterns: q.Patterns, Syntax: languages[q.Syntax], IgnoreCase: q.IgnoreCase, Word: q.Word, Line: q.Line,
		Terminator: q.Terminator(), MaxProgram: maxProgram,
	})
	if err != nil {
		return program{}, err
	}
	return program{newMatcher: func() scan.Matcher { return p.NewMatcher() }, strategy: p.Strategy().String(), needs: p.Needs}, nil
}
