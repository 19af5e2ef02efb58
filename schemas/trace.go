package schemas

// CheckTrace says whether s is the value of a traceparent header: version, trace id, parent id and
// flags in lower-case hexadecimal, joined by "-", neither id all zeros. Later versions may append.
func CheckTrace(s string) error {
	const form = "00-00000000000000000000000000000000-0000000000000000-00"
	if len(s) < len(form) || len(s) > 255 || len(s) > len(form) && (s[len(form)] != '-' || s[:2] == "00") || s[:2] == "ff" {
		return fieldErrorf("traceparent", "is not of the form %s", form)
	}
	for i := range len(form) {
		c := s[i]
		if (form[i] == '-') != (c == '-') || c != '-' && !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return fieldErrorf("traceparent", "is not of the form %s", form)
		}
	}
	if s[3:35] == form[3:35] || s[36:52] == form[36:52] {
		return fieldErrorf("traceparent", "has an id of zeros")
	}
	for i := len(form); i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			return fieldErrorf("traceparent", "holds %q", s[i:i+1])
		}
	}
	return nil
}
