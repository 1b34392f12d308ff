package exec

import "slices"

// Recompute trades time for memory (Chen et al. 2016, gradient checkpointing). The first forward instructions are
// the forward pass; of a layer it keeps only results that are read outside of the layer. Before the first gradient
// that needs one of the others, the part of the layer that it needs runs again, on the same operands, with the same
// bits. It must come before Fuse.
func (b *Builder) Recompute(forward int) {
	p := &b.p
	f := &fusion{p: p}
	f.index()
	// kept reports whether a value of the forward pass is kept for as long as it is needed.
	kept := func(id ID) bool {
		w := f.writer(id)
		if p.Values[id].Class != Scratch || w >= forward || p.Instrs[w].Layer == 0 || f.named[id] {
			return true
		}
		return slices.ContainsFunc(f.readers[id], func(r int) bool { return r < forward && p.Instrs[r].Layer != p.Instrs[w].Layer })
	}
	needed := make([]bool, forward)
	var need func(id ID)
	need = func(id ID) {
		if id == None || kept(id) || needed[f.writer(id)] {
			return
		}
		needed[f.writer(id)] = true
		for _, in := range p.Instrs[f.writer(id)].In {
			need(in)
		}
	}
	for _, in := range p.Instrs[forward:] {
		for _, id := range in.In {
			need(id)
		}
	}

	again := map[ID]ID{}
	replaced := func(ids []ID) []ID {
		ids = slices.Clone(ids)
		for k, id := range ids {
			if r, ok := again[id]; ok {
				ids[k] = r
			}
		}
		return ids
	}
	list := slices.Clone(p.Instrs[:forward])
	done := map[int]bool{} // layers
	for _, in := range p.Instrs[forward:] {
		for _, id := range in.In {
			if id == None || kept(id) || done[p.Instrs[f.writer(id)].Layer] {
				continue
			}
			l := p.Instrs[f.writer(id)].Layer
			done[l] = true
			for i, forward := range p.Instrs[:forward] {
				if forward.Layer != l || !needed[i] {
					continue
				}
				forward.In, forward.Again = replaced(forward.In), true
				forward.Out = slices.Clone(forward.Out)
				for k, out := range forward.Out {
					if out != None {
						v := p.Values[out]
						forward.Out[k] = b.Scratch(v.Name, v.DType, v.Shape...)
						if !kept(out) {
							again[out] = forward.Out[k]
						}
					}
				}
				list = append(list, forward)
			}
		}
		in.In = replaced(in.In)
		list = append(list, in)
	}
	p.Instrs = list
}
