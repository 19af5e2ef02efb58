// Package responder answers queries on a node.
//
// A Responder owns the node's catalog of files (package source), the memory of queries
// (outbox.Ledger) and a bounded number of workers. Each query it takes becomes a session: a plan
// (selection → files), a search (package scan) whose batches are cut to the credit at hand, and an
// outbox.Outbox that numbers, keeps and repeats the frames. Whatever happens to the search, the
// session sends exactly one End.
//
// The bus is joined from outside: its messages come in through the Handle methods, which return at
// once, and frames leave through a Publisher.
//
// A query whose selection (schemas.Select.AdmitsNode: node names and groups) does not admit the node
// is not answered at all; the requester expects no answer by the same rule. Services, labels and
// paths select files: a node that holds none of those answers with an End of 0 files.
//
// A session without credit gives its worker back and stops reading; it takes one again when there
// is credit. How many wait so is bounded too. Beyond the bounds a query is answered "busy".
package responder
