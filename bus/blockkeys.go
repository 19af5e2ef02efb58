package bus

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/trawl-logs/trawl/schemas"
)

// The key of a block record in the block list:
//
//	service . d . d . d . d . d . hh . home . id
//
// The service is base64url without padding; "=" stands for an empty name, and "==" with the first 32 bytes'
// base64url for one that is longer than 48. The five digits are the day, since 1970, and hh its hour, 00 to 23, all in UTC, as
// far as the block's first and last time share them; what they do not share is "-". So a search reads the keys of its services and
// times alone, whatever range those are: see cover.
const (
	keyTimes  = 6 // tokens of the time
	keyTokens = 1 + keyTimes + 2

	hourNanos = int64(3600e9)
	lastHour  = 100000*24 - 1 // of those that five digits can say; blocks beyond it have no digits

	maxKeyService  = 48 // bytes of a service's name that stands in a key in full
	longKeyService = 32
	maxFilters     = 4096 // patterns of one reading; where there were more, keys are read that are not wanted
)

// serviceToken is the token that stands for a service in keys; long names may share one.
func serviceToken(service string) string {
	switch n := len(service); {
	case n == 0:
		return "="
	case n > maxKeyService:
		return "==" + base64.RawURLEncoding.EncodeToString([]byte(service[:longKeyService]))
	}
	return base64.RawURLEncoding.EncodeToString([]byte(service))
}

// blockKey is the key of a record. It is made of what never changes of a block.
func blockKey(b *schemas.BlockRecord) string {
	key := append(make([]byte, 0, 160), serviceToken(b.Service)...)
	shared := 0
	first, last := hourTokens(0), hourTokens(0)
	if from, to := hourOf(b.MinTime), hourOf(b.MaxTime); b.Timed && from >= 0 && to <= lastHour {
		first, last = hourTokens(from), hourTokens(to)
		for shared < keyTimes && first[shared] == last[shared] {
			shared++
		}
	}
	for i := range keyTimes {
		key = append(key, '.')
		if i < shared {
			key = append(key, first[i]...)
		} else {
			key = append(key, '-')
		}
	}
	return string(key) + "." + b.Home + "." + b.ID.String()
}

// hourOf is the hour, since 1970, that a time lies in.
func hourOf(ns int64) int64 {
	h := ns / hourNanos
	if ns%hourNanos < 0 {
		h--
	}
	return h
}

// hourTokens are the tokens of an hour: the digits of its day, and the hour of the day.
func hourTokens(h int64) (tokens [keyTimes]string) {
	day := h / 24
	for i := keyTimes - 2; i >= 0; i-- {
		tokens[i] = strconv.FormatInt(day%10, 10)
		day /= 10
	}
	tokens[keyTimes-1] = strconv.FormatInt(100+h%24, 10)[1:]
	return tokens
}

// blockPatterns are the patterns of all keys that a filter may want, none of which covers a key of another.
func blockPatterns(f schemas.BlockFilter) []string {
	services, homes := []string{"*"}, []string{"*"}
	if len(f.Services) > 0 {
		services = services[:0]
		for _, s := range f.Services {
			services = append(services, serviceToken(s))
		}
		slices.Sort(services) // long ones may share a token
		services = slices.Compact(services)
	}
	if len(f.Homes) > 0 {
		homes = slices.Clone(f.Homes)
		slices.Sort(homes)
		homes = slices.Compact(homes)
	}
	times := coverTimes(f.Since, f.Until)
	if len(services)*len(times)*len(homes) > maxFilters {
		homes = []string{"*"}
	}
	if len(services)*len(times) > maxFilters {
		services = []string{"*"}
	}
	patterns := make([]string, 0, len(services)*len(times)*len(homes))
	for _, s := range services {
		for _, t := range times {
			for _, h := range homes {
				patterns = append(patterns, s+t+"."+h+".*")
			}
		}
	}
	return patterns
}

// narrower are the patterns that have the keys of one between them, by the next token of the time; nil if it has all
// of those. days says that it is a digit of the day.
func narrower(pattern string) (patterns []string, days bool) {
	tokens := strings.Split(pattern, ".")
	level := slices.Index(tokens[1:1+keyTimes], "*")
	if level < 0 {
		return nil, false
	}
	with := func(token, rest string) {
		next := slices.Clone(tokens)
		next[1+level] = token
		for i := level + 1; i < keyTimes; i++ {
			next[1+i] = rest
		}
		patterns = append(patterns, strings.Join(next, "."))
	}
	with("-", "-")
	step := hoursBelow[level+1]
	for at := int64(0); at < hoursBelow[level]; at += step {
		with(hourTokens(at)[level], "*")
	}
	return patterns, level < keyTimes-1
}

// coverTimes are the patterns of the times of all keys whose blocks may overlap a query's range, at most some 150: each
// begins with a dot.
func coverTimes(since, until int64) []string {
	if since == 0 && until == 0 {
		return []string{strings.Repeat(".*", keyTimes)}
	}
	from, to := int64(0), int64(lastHour)
	if since != 0 {
		from = hourOf(since)
	}
	if until != 0 {
		to = hourOf(until - 1)
	}
	return cover(nil, "", 0, 0, from, to)
}

// hoursBelow is how many hours a key with so many tokens of its time stands for.
var hoursBelow = [keyTimes + 1]int64{24e5, 24e4, 24e3, 2400, 240, 24, 1}

// cover appends the patterns of the keys that begin with a prefix, so many tokens, the first of whose hours is given, as far
// as they may hold something of the hours from and to: all of them where that is all of its hours, else those of blocks that
// are of no one of its parts, and what its parts have.
func cover(patterns []string, prefix string, level int, first, from, to int64) []string {
	last := first + hoursBelow[level] - 1
	switch {
	case level > 0 && (to < first || last < from):
		return patterns
	case level > 0 && from <= first && last <= to:
		return append(patterns, prefix+strings.Repeat(".*", keyTimes-level))
	}
	patterns = append(patterns, prefix+strings.Repeat(".-", keyTimes-level))
	step := hoursBelow[level+1]
	for at := first; at <= last; at += step {
		patterns = cover(patterns, prefix+"."+hourTokens(at)[level], level+1, at, from, to)
	}
	return patterns
}
