package exec

// BF16 has the matrix products of linear layers round their operands to bf16, forward and
// backward. It comes before Fuse, which keeps that.
func (b *Builder) BF16() {
	for i := range b.p.Instrs {
		switch in := &b.p.Instrs[i]; in.Op {
		case OpLinear, OpLinearGradX, OpLinearGradW:
			in.Attrs.BF16 = true
		}
	}
}
