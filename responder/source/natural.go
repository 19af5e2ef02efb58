package source

// CompareNatural orders names as people do: runs of digits by their value, so that app.log.2 comes
// before app.log.10. Names of equal value (007 and 7) are ordered by their bytes: only equal names
// compare as 0.
func CompareNatural(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if isDigit(a[i]) && isDigit(b[j]) {
			ia, ja := skipDigits(a, i), skipDigits(b, j)
			if c := compareDigits(a[i:ia], b[j:ja]); c != 0 {
				return c
			}
			i, j = ia, ja
			continue
		}
		if a[i] != b[j] {
			return sign(a[i] < b[j])
		}
		i++
		j++
	}
	switch {
	case i < len(a):
		return 1
	case j < len(b):
		return -1
	case a == b:
		return 0
	}
	return sign(a < b)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func skipDigits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// compareDigits compares two runs of digits of any length by value.
func compareDigits(a, b string) int {
	for len(a) > 1 && a[0] == '0' {
		a = a[1:]
	}
	for len(b) > 1 && b[0] == '0' {
		b = b[1:]
	}
	switch {
	case len(a) != len(b):
		return sign(len(a) < len(b))
	case a != b:
		return sign(a < b)
	}
	return 0
}

func sign(less bool) int {
	if less {
		return -1
	}
	return 1
}
