package simd

// ClassTest tells which bytes of a text are in a Class, 64 at a time.
type ClassTest struct {
	kernel classKernel
}

// classKernel is read by the kernels (internal/asm; TestLayout).
type classKernel struct {
	tables      [2][lane]uint8 // low, high nibble; 16 entries twice
	minus, span uint8          // a class that is one range: byte+minus ≤ span
	byte        uint8          // the only one, if span is 0
	ranged      bool
	in          [256]bool // all that the kernel in Go needs
}

// NewClassTest returns false for the rare class whose rows have more than eight shapes (see NewWindow).
func NewClassTest(c Class) (*ClassTest, bool) {
	t := &ClassTest{}
	k := &t.kernel
	lo, hi, whole := c.span()
	k.minus, k.span, k.byte, k.ranged = -lo, hi-lo, lo, whole
	for b := range k.in {
		k.in[b] = c.Has(byte(b))
	}
	return t, fillShapes(&k.tables, &c)
}

// Bits sets bit i of out if text[i] is in the class, and clears it if not, for the 64*BitsWords bytes of text.
func (t *ClassTest) Bits(text []byte, out *Bits) {
	text = text[:64*BitsWords]
	if accelerated {
		classVector(&t.kernel, text, out)
		return
	}
	classPure(&t.kernel, text, out)
}

// Accelerated tells whether kernels in assembly run. Without them, to test a byte for several classes takes longer than a
// step of an automaton.
func Accelerated() bool { return accelerated }
