package schemas

// NextMessage cuts the first message, a msgpack array, off a stream of them. Only its lengths are
// looked at: decode it to know whether it is good. The error is a *FieldError.
func NextMessage(stream []byte) (msg, rest []byte, err error) {
	r := &reader{msg: stream}
	r.skip("message", 1)
	if r.err != nil {
		return nil, nil, r.err
	}
	n := len(stream) - len(r.msg)
	return stream[:n:n], stream[n:], nil
}
