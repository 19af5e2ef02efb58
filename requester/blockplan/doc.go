// Package blockplan decides which node reads which sealed blocks in a query. It is pure: from the records of the
// block list, the roster and the query alone, whoever asks gets the same Plan.
//
// Make chooses for every block in question one of its owners, and gives each node that is asked a schemas.Plan;
// a node that owns none of them, and has nothing else in the query's range, is not asked. TakeOver chooses again
// for blocks whose reader has failed. What of a node nobody else can have, because it was not sealed, is its
// Tail.
package blockplan
