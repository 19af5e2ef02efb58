package main

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// A file of thousands of strings selects, prints and counts what GNU grep does with it.
func TestGrepLargeSetAsGNU(t *testing.T) {
	grep := requireGNUGrep(t)
	t.Chdir(t.TempDir())
	rng := rand.New(rand.NewPCG(4, 4))
	text := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString([]string{"a", "b", "c", "d", "e", "f", "-", "é", "_"}[rng.IntN(9)])
		}
		return b.String()
	}
	var words []string
	for range 2000 {
		words = append(words, text(5+rng.IntN(6)))
	}
	var log strings.Builder
	for i := range 3000 {
		log.WriteString(text(rng.IntN(12)))
		if i%3 == 0 {
			log.WriteString([]string{"", " "}[rng.IntN(2)] + words[rng.IntN(len(words))] + []string{"", " "}[rng.IntN(2)])
		}
		log.WriteString(text(rng.IntN(4)) + "\n")
	}
	for range 20 { // whole lines
		log.WriteString(words[rng.IntN(len(words))] + "\n")
	}
	writeFile(t, "words", strings.Join(words, "\n")+"\n")
	writeFile(t, "log", log.String())
	for _, flags := range []string{"-F", "-Fw", "-Fx", "-Fo", "-Fow", "-Fnb", "-Fc", "-Fv", "-E", "-Fon", "-FA1"} {
		t.Run(flags, func(t *testing.T) {
			compareGrep(t, grep, []string{flags, "-f", "words", "log"}, "")
		})
	}
}
