// Package scan searches files for lines, many at a time, and hands the results on in file and line
// order.
//
// Run cuts every Input into segments at line ends (a segment owns the lines that start in it), lets
// workers search them in parallel with a Matcher each, and calls emit with one Batch after another
// from a single goroutine. A bounded window of segments is in flight, and each may hold only a few
// batches that were not emitted yet, so memory is bounded whatever the sizes of files, lines and
// answers. Searches whose result depends on the lines before (context, -m) take a file as a single
// segment; files still run in parallel.
//
// Files are read with package mapped where File has a Raw one, else by position; what is searched
// is always a copy that nobody else can change.
//
// What is a line, a binary file, a context group or the last line of a count follows GNU grep 3.8 in
// a UTF-8 locale. Its window of 96 KiB matters in one place: a NUL makes a file binary from the
// window on in which it lies, and lines that ended before that window have been printed.
//
// The package knows nothing of patterns: Matcher is what it needs of one.
package scan
