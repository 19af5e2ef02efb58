package freq

import "testing"

func TestPerMillion(t *testing.T) {
	sum := 0
	for b := range 256 {
		n := PerMillion(byte(b))
		if n < 1 {
			t.Errorf("PerMillion(%#x) = %d, want at least 1", b, n)
		}
		sum += n
	}
	if sum < 950_000 || sum > 1_100_000 {
		t.Errorf("the table sums to %d, want about a million", sum)
	}
	// Rarest first, as anyone who reads logs expects it.
	order := []byte{0x00, 'Z', 'w', 'd', 'e', ' '}
	for i := 1; i < len(order); i++ {
		if PerMillion(order[i-1]) >= PerMillion(order[i]) {
			t.Errorf("%q counts %d, %q %d: want fewer of the first",
				order[i-1], PerMillion(order[i-1]), order[i], PerMillion(order[i]))
		}
	}
}
