package schemas

import (
	"strings"
	"testing"
)

func TestCheckTrace(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, s := range []string{good, "cc" + good[2:] + "-more"} {
		if err := CheckTrace(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{
		"", good[1:], good + "-more", "ff" + good[2:], strings.ToUpper(good), strings.Replace(good, "-", "_", 1),
		"00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"cc" + good[2:] + "-a\nb", "cc" + good[2:] + "-" + strings.Repeat("x", 300),
	} {
		if CheckTrace(s) == nil {
			t.Errorf("%q is a traceparent", s)
		}
	}
}
