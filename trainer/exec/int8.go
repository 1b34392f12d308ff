package exec

// Int8 makes the products with quantised weights round their other operand to 8 bits, as llama.cpp does: each row in blocks
// of 32 numbers, with a scale of their own, so that sums of a block are sums of integers. It must come after Fuse, which
// finds the weights of joint products.
func (b *Builder) Int8() {
	for i := range b.p.Instrs {
		switch in := &b.p.Instrs[i]; in.Op {
		case OpLinear, OpLinearCrossEntropy:
			in.Attrs.Int8 = b.p.Values[in.In[1]].DType.Quantized()
		}
	}
}
