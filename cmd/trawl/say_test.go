package main

import (
	"bytes"
	"testing"
)

// The name of a file, given by a glob of the shell, could set the terminal's title from an error.
func TestMessagesAreEscapedOnTerminals(t *testing.T) {
	const name = "a\x1b]0;pwn\x07: no such file\nsecond line \xff"
	if got := message(name, true); got != `a\x1b]0;pwn\x07: no such file`+"\n"+`second line \xff` {
		t.Errorf("on a terminal: %q", got)
	}
	var pipe bytes.Buffer
	if say(&pipe, name); pipe.String() != "trawl: "+name+"\n" {
		t.Errorf("into a pipe: %q", pipe.String())
	}
}
