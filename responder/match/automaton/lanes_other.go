//go:build !amd64

package automaton

func runLanes(rows []uint32, col *[256]uint8, limit uint32, text *[numLanes][]byte, id *[numLanes]uint32, n int) (steps, ahead int) {
	return stepLanes(rows, col, limit, text, id, n)
}
