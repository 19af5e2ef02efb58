// Package freq tells how common a byte is in logs: PerMillion. The searches look for the rarest
// bytes of a literal first, and literals are judged by how often they will be met.
//
// The table was measured on the eight loghub samples (Zhu et al., "Loghub", ISSRE 2023), each with the
// same weight, by gen.go.
package freq

// PerMillion returns how many of a million bytes of log are b; never 0. It is an estimate that
// orders bytes well, not a probability to rely on: `x` may fill the next log.
func PerMillion(b byte) int { return int(perMillion[b]) }
