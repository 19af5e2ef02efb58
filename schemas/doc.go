// Package schemas holds what travels over the bus: Query, the reply frames (Hello, Data, Progress,
// End), the control messages of a requester (Control, Cancel), and Node, a node's own record.
//
// Each is a msgpack array, version first, whose fields are only ever appended; a reader skips the
// extra fields of a later version. The codecs are written by hand: they check every length against
// what is left of the message before they allocate, because the bus may carry anything.
// PROTOCOL.md is the specification.
package schemas
