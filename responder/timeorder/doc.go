// Package timeorder searches files as package scan does, and hands the results on in the order of
// their times, with bounded memory.
//
// Run surveys every input first (survey.go): which times its lines have, and whether they are in
// order. Where earlier searches found that out, nothing is read for it. Files that are in order are
// searched when the merge comes to their first line, and stream; so many of them at once as may be
// open (choose.go). The lines of all others, which a file out of order, a stream, or one too many
// holds, go through a Sorter (sorter.go), which keeps some MiB and spills the rest to an unlinked
// file (spill.go). The merge (merge.go) takes the least unit of all sources, and says which times are
// still to come.
//
// A unit is what stays together: a line; with context, a group, by the time of its first line. A line
// without a time has that of the line above it, and one that has none above comes before all others.
// Units of one time come in the order of inputs, then of the file.
package timeorder
