package schemas

import "math"

// A control on the wire: [ version, run, ack, limit, resend, stop ].
// A cancel: [ version, reason ].
const (
	controlFields = 5
	cancelFields  = 1
)

// AppendControl appends the encoded control to dst.
func AppendControl(dst []byte, c *Control) []byte {
	w := appending(dst)
	w.open(controlFields)
	w.uint(c.Run)
	w.uint(c.Ack)
	w.int(c.Limit)
	w.uint(c.Resend)
	w.bool(c.Stop)
	return w.done()
}

// DecodeControl decodes and validates a control.
func DecodeControl(msg []byte) (*Control, error) {
	if len(msg) > MaxSmall {
		return nil, fieldErrorf("control", "has %d bytes, more than %d", len(msg), MaxSmall)
	}
	r := &reader{msg: msg}
	c := &Control{}
	extra := r.open("control", controlFields)
	c.Run = r.uint("control.run")
	c.Ack = r.uint("control.ack")
	c.Limit = r.count("control.limit")
	c.Resend = r.uint("control.resend")
	c.Stop = r.bool("control.stop")
	if err := r.close("control", extra); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// Validate says what is wrong with a control in itself; the error is a *FieldError.
func (c *Control) Validate() error {
	switch {
	case c.Limit < 0:
		return fieldErrorf("control.limit", "%d is negative", c.Limit)
	case c.Ack == math.MaxUint64:
		return fieldErrorf("control.ack", "is %d", c.Ack)
	case c.Resend != 0 && c.Resend <= c.Ack:
		return fieldErrorf("control.resend", "%d is acknowledged (ack %d)", c.Resend, c.Ack)
	}
	return nil
}

// AppendCancel appends the encoded cancel to dst. A reason beyond 200 bytes is cut.
func AppendCancel(dst []byte, c *Cancel) []byte {
	w := appending(dst)
	w.open(cancelFields)
	w.string(cut(c.Reason, maxReason))
	return w.done()
}

// DecodeCancel decodes and validates a cancel.
func DecodeCancel(msg []byte) (*Cancel, error) {
	if len(msg) > MaxSmall {
		return nil, fieldErrorf("cancel", "has %d bytes, more than %d", len(msg), MaxSmall)
	}
	r := &reader{msg: msg}
	extra := r.open("cancel", cancelFields)
	c := &Cancel{Reason: r.string("cancel.reason", maxReason)}
	if err := r.close("cancel", extra); err != nil {
		return nil, err
	}
	return c, c.Validate()
}

// Validate says what is wrong with a cancel; the error is a *FieldError.
func (c *Cancel) Validate() error {
	if len(c.Reason) > maxReason {
		return fieldErrorf("cancel.reason", "has %d bytes, more than %d", len(c.Reason), maxReason)
	}
	return nil
}
