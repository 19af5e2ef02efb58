// Package trawl is the specification of the bus protocol; what speaks it stands in the packages below.
package trawl

import _ "embed"

// Protocol is PROTOCOL.md. The permissions in it are what trawl config auth prints.
//
//go:embed PROTOCOL.md
var Protocol string
