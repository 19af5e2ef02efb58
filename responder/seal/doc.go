// Package seal keeps lines of logs in sealed blocks, so that they outlive the logs.
//
// A Sealer takes what is complete of the logs it is given, clusters it by service and window of time, and
// writes Blocks of the same number of lines: compressed in frames that can be read one by one, with a
// checksum each (format.go has the grammar) and, beside the file, the skip index of package block. A log is
// known by what it begins with, by device and inode, and by when it was made; it is a Log here, with an ID
// of its own, under whatever names it goes, and after it is gone.
//
// A Block says of each of its Runs which stretch of which Log it is, byte for byte. Where sealed lines end
// and a live file begins follows from these alone: to publish a block, by a rename, is to move that
// hand-over, so there are no two records of it that a crash could part. Nothing is taken from a log that
// is sealed: it is rotated, packed and deleted as its owner likes.
//
// A Store is the blocks of a state directory. A View of it is what a query sees: Match tells which file is
// which Log, which Logs are gone, and which files hold once more what a gone Log's blocks have. A Text
// reads a Log as if it were one file still: sealed bytes from blocks, the rest from the live file, at the
// offsets and line numbers that they had there.
//
// The package knows nothing of queries, the catalogue and the bus. Lines end in '\n' here.
package seal
