// Package mover has the sealed blocks of a fleet lie where the rule of package placement says.
//
// Each node has a Mover. In a Turn it reads the block list through its Fleet, and what it holds through its
// Disk, and Decide tells for each block what this node has to do about it: to list it, to copy it and enter
// itself as an owner, to leave the owners, to drop what it holds. Nobody else does that for it: what a node
// says of a block it says of its own copy. Only about nodes that are gone for good, and about age and room, the
// block's leader decides, the first of its owners that is up.
//
// Every change of a record is a compare-and-set on its revision. After a conflict nothing is repeated, but to enter
// with a block that was just copied: the next Turn reads again and decides again.
//
//   - A node enters the owners after it has the block whole, verified and published.
//   - It leaves them only in favour of all nodes that the rule names, while those are owners and up.
//   - It drops a block that the list, read anew, gives to others only, or has retired, and only when that has
//     been so for the longest time that a query may take: old plans still read it here.
//   - What turns out to be damaged counts as lost, and is replaced by a copy of another owner; it is dropped only where a good block would be.
//   - That a record is missing is no reason to drop anything: whoever holds such a block lists it again.
//   - Lines go for good by retirement alone: when a block is older than they are kept, or its owner has no room. Whoever decides
//     that decides it for all copies.
//
// So a crash, a partition or a full disk at any step leaves a copy too many, never one too few; only age and room take
// blocks away, from all nodes at once. The package does no I/O, starts
// no goroutine and has no clock.
package mover
