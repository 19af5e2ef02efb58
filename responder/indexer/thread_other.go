//go:build !linux

package indexer

import "time"

var started = time.Now()

// yield does nothing: there is no priority of a thread here.
func yield() {}

// used is time as it passes: there is no clock of a thread here.
func used() time.Duration { return time.Since(started) }
