// Package requester asks a fleet and accounts for its answer. Other services import it.
//
// A Requester sends a schemas.Query through a Transport to the nodes that a Roster knows, and gives
// an Answer: hits, or whole chunks, as they are released, and at the end a Receipt that says what
// each known node answered. The accounting is Gather's, a state machine without I/O, goroutines or
// a clock of its own, that takes frames in any order, with any loss, and yields exact lines or a
// named gap.
//
// Transport and Roster are this package's own interfaces over schemas types; package bus fulfils
// them, and the command joins the two.
package requester
