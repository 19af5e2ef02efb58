// Package tracing tells an OpenTelemetry collector what became of queries, as spans.
//
// FromEnvironment reads the standard OTEL_* variables into Settings, or nil where tracing is off; New
// makes an Exporter of them; Export hands it a Span, and never waits. The Exporter sends what it has in
// batches, in the background: OTLP over HTTP in its JSON form, which is a POST of one object. What a
// collector does not take is tried again; of what waits there is at most queueMost, then the oldest is
// dropped. So a collector that is down costs a line of the log.
//
// The OpenTelemetry SDK does the same and more. With its exporter over HTTP it brings protobuf and gRPC,
// whose initialisers every trawl grep would pay for, traced or not (ARCHITECTURE.md has the figures).
package tracing
