// Package indexer keeps the indexes of a node's logs: it builds them in the background, hands them to
// searches, and drops those that are wrong.
//
// A Store holds the indexes of a state directory that are open. A search Uses one, and says what it
// found of it: Suspect, where the file was modified and has to be verified, or Drop, where the index is
// damaged or of another file. A Builder goes over the logs that there are, the newest first, and makes
// and extends their indexes with package block; it takes a share of one core, less while searches run,
// at the lowest priority. What it did is in the indexes alone, so that it goes on where it was after any
// end of the process. Which indexes there shall be is decided by choose, which does no I/O.
//
// An archive is decompressed once, in the Builder's goroutine, and its index is there when all of it was read
// and was sound: packed.go.
//
// All blocks that a node makes have the same number of lines: sizing.go says how that is found and kept. Where
// it is another than that of an index, this one is used until the next is made: reshape.go.
package indexer
