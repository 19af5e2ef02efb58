// Package feed makes lines of what is not a plain log: a container's log, each line of which is
// wrapped with its time and stream, and systemd's journal.
//
// Unwrap and Journal.Open give Lines: a stream of plain lines, to be searched like a file's, that
// says of each line what time it is of and where it came from. Lines whose wrapper is damaged are
// given as they are rather than lost. Memory is bounded by the longest line that is kept and by what
// the reader has not released.
//
// Namer tells the container, pod and namespace that a log file belongs to.
package feed
