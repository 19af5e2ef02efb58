package requester

import "strings"

// naturalLess orders names as people do: runs of digits by their value, so that node2 stands before
// node10; equal values by length (node02 behind node2).
func naturalLess(a, b string) bool {
	for a != "" && b != "" {
		if digit(a[0]) && digit(b[0]) {
			na, nb := digits(a), digits(b)
			va, vb := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			switch {
			case len(va) != len(vb):
				return len(va) < len(vb)
			case va != vb:
				return va < vb
			case na != nb:
				return na < nb
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return a[0] < b[0]
		}
		a, b = a[1:], b[1:]
	}
	return len(a) < len(b)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// digits is the length of the run of digits that s starts with.
func digits(s string) int {
	n := 0
	for n < len(s) && digit(s[n]) {
		n++
	}
	return n
}
