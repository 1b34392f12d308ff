package exec

// Cost is that of one instruction: its FLOPs, counted as FLOPs does, and the bytes that it has to read
// and write at least, each operand once.
func (p *Program) Cost(instr int) (flops, bytes float64) {
	in := &p.Instrs[instr]
	for k, id := range in.In {
		switch {
		case id == None:
		case in.Op == OpEmbed && k == 0: // a row for each id, not the table
			bytes += float64(p.Values[in.Out[0]].Bytes())
		default:
			bytes += float64(p.Values[id].Bytes())
		}
	}
	for _, id := range in.Out {
		if id != None {
			bytes += float64(p.Values[id].Bytes())
		}
	}
	return p.instrFLOPs(in), bytes
}
