package exec

import (
	"slices"
	"strings"
)

// Recompute saves memory for time (Chen et al. 2016, gradient checkpointing): of the first
// instructions, so many, which are the forward pass, it keeps no results of a layer but
// those that are read outside of it. Before the first gradient that needs one of the others,
// what it needs of the layer runs again, on the same operands: the same bits. A layer is the
// instructions whose notes are equal up to the first number, as are h.3.attn and h.3.mlp.
// It comes before Fuse.
func (b *Builder) Recompute(forward int) {
	p := &b.p
	f := &fusion{p: p}
	f.index()
	layers := make([]string, forward)
	for i := range layers {
		layers[i] = layer(p.Instrs[i].Note)
	}
	// kept reports whether a value stays from the forward pass on, if at all it is needed.
	kept := func(id ID) bool {
		w := f.writer[id]
		if p.Values[id].Class != Scratch || w >= forward || layers[w] == "" || f.named[id] {
			return true
		}
		return slices.ContainsFunc(f.readers[id], func(r int) bool { return r < forward && layers[r] != layers[w] })
	}
	needed := make([]bool, forward)
	var need func(id ID)
	need = func(id ID) {
		if id == None || kept(id) || needed[f.writer[id]] {
			return
		}
		needed[f.writer[id]] = true
		for _, in := range p.Instrs[f.writer[id]].In {
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
	done := map[string]bool{}
	for _, in := range p.Instrs[forward:] {
		for _, id := range in.In {
			if id == None || kept(id) || done[layers[f.writer[id]]] {
				continue
			}
			l := layers[f.writer[id]]
			done[l] = true
			for i, forward := range p.Instrs[:forward] {
				if layers[i] != l || !needed[i] {
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

// layer is a note up to its first number, "" where it has none.
func layer(note string) string {
	i := strings.IndexAny(note, "0123456789")
	if i < 0 {
		return ""
	}
	n := len(note[i:]) - len(strings.TrimLeft(note[i:], "0123456789"))
	return note[:i+n]
}
