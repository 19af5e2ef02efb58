// Package block knows which stretches of a log file need not be read.
//
// A Builder takes the bytes of a file as it grows. Every complete run of N lines becomes a Block: its
// byte range, its lines, its times, a checksum, and a filter over its strips, which are stretches of
// some tens of KiB with the same number of lines each. The blocks of a file are appended to its Index,
// one file in the state directory, known by the device and inode of the log (format.go has the
// grammar). What follows the last complete block is always read.
//
// A Filter says which strips a search has to read: it is made from what every matching line must hold
// (literals, combined by and and or), and asked through Index.Walk, which gives the ranges to read in
// order. Everything is conservative: a strip is left out only if no line of it can match.
//
// The filter is a matrix of bits for each block, one column a strip. Grams of the text, five bytes or
// four letters, in lower case, choose the rows in which their strip has its bit (gram.go). A query
// ANDs the rows of its literals' grams, some dozens of bytes each, so that of an Index the few pages
// are read that a query needs, each with a checksum, and nothing is loaded. Grams that most strips of a
// block have would say nothing: they are left out of it, and marked beside the rows.
//
// Before an answer relies on an Index, Check holds it against the file as it is now: one that was
// truncated or rewritten is noticed. A damaged Index is never believed: what is read from it is
// checked, page by page, and where a page is wrong its whole block is read.
//
// The blocks of an archive are of its content. Its index has, beside them, the Points at which decompression
// can begin, and is relied on only once all of the archive is in it: Builder.End, Index.Complete.
//
// The package knows nothing of queries, sources and patterns. Lines end in '\n' here: a search whose
// lines end in NUL must not use it, nor one that selects lines which do not match.
package block
