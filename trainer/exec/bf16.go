package exec

// BF16 makes the matrix products of linear layers round their operands to bf16, forward and backward.
// It must come before Fuse, which keeps the rounding.
func (b *Builder) BF16() {
	for i := range b.p.Instrs {
		switch in := &b.p.Instrs[i]; in.Op {
		case OpLinear, OpLinearGradX, OpLinearGradW, OpAddLinear:
			in.Attrs.BF16 = true
		}
	}
}
