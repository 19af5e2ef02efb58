// Package bus joins trawl to NATS; it is the only package that imports nats.go and nats-server.
//
// The principals and how they meet:
//
//   - Options say where the bus is and who asks; Connect makes a Conn of them.
//   - Subjects names every subject of the protocol, and takes apart those that come in. Who sent a
//     message, and for which query, is read from its subject alone, because that is what the
//     server's permissions are about.
//   - Service is a responder's side: Serve subscribes a node, hands queries and control messages to
//     Handlers, publishes frames, and keeps the node's roster record.
//   - Scatter is a requester's side: it publishes queries and control messages, and delivers what
//     nodes answer as Events.
//   - Roster is the nodes that are known, whether or not they are up.
//   - Server is an embedded NATS server with safe defaults.
//
// Neither requester nor responder knows this package: cmd joins them. PROTOCOL.md holds the table
// of subjects and the permissions of each role.
package bus
