package main

import (
	"fmt"
	"io"
	"strings"
)

// say prints a message for people: errors, and what is wrong with a file. It may hold names that
// others chose, such as those of files that a glob of the shell found.
func say(errout io.Writer, text string) {
	fmt.Fprintln(errout, "trawl: "+message(text, isTerminal(errout)))
}

// plural is a number and what it counts: "1 line", "2 lines".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// message is text as it may be printed: for a terminal, each of its lines is escaped.
func message(text string, terminal bool) string {
	if !terminal {
		return text
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = shown(lines[i])
	}
	return strings.Join(lines, "\n")
}
