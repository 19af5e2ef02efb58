package main

import (
	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/match/syntax"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

// syntaxOf names the pattern languages as the matcher does.
var syntaxOf = map[schemas.Syntax]syntax.Syntax{
	schemas.SyntaxRE2: syntax.RE2, schemas.SyntaxERE: syntax.ERE,
	schemas.SyntaxBRE: syntax.BRE, schemas.SyntaxFixed: syntax.Fixed,
}

// compileLocal compiles the patterns here, and returns what makes matchers of them, and the name of
// the strategy that they got.
func compileLocal(o *grepOptions, patterns []string) (newMatcher func() scan.Matcher, strategy string, err error) {
	var limits syntax.Limits // what the query may hold
	if o.local {
		limits = syntax.Limits{Patterns: maxPatternFile, Bytes: maxPatternFile, Expanded: maxPatternFile}
	}
	p, err := match.Compile(match.Spec{
		Patterns: patterns, Syntax: syntaxOf[o.syntax], IgnoreCase: o.ignoreCase, Word: o.word, Line: o.line,
		Terminator: o.terminator(), Limits: limits,
	})
	if err != nil {
		return nil, "", err
	}
	return func() scan.Matcher { return p.NewMatcher() }, p.Strategy().String(), nil
}
