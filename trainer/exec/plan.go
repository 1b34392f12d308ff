package exec

import (
	"fmt"
	"slices"
	"sort"
)

// plan gives each scratch value an offset, such that values that are alive at the
// same time do not overlap: greedily by size, each at the lowest gap that is free
// for its whole life (Pisarchyk & Lee 2020, "greedy by size"). An elementwise op
// whose first operand, or a term of its sum, dies there writes over it.
func (p *Program) plan() error {
	type life struct {
		first, last int // instructions
		bytes       int
	}
	lives := make([]life, len(p.Values))
	for i := range lives {
		lives[i] = life{first: -1, last: -1, bytes: alignUp(p.Values[i].Bytes())}
	}
	for i := range p.Instrs {
		in := &p.Instrs[i]
		for _, id := range in.In {
			if id == None {
				continue
			}
			if v := &p.Values[id]; v.Class == Scratch && lives[id].first < 0 {
				return fmt.Errorf("instruction %d (%v %s) reads %s before it is written", i, in.Op, in.Note, v.Name)
			}
			lives[id].last = i
		}
		for _, id := range in.Out {
			if id == None {
				continue
			}
			if lives[id].first < 0 {
				lives[id].first = i
			} else if p.Values[id].Class == Scratch {
				return fmt.Errorf("instruction %d (%v %s) writes %s a second time", i, in.Op, in.Note, p.Values[id].Name)
			}
			lives[id].last = max(lives[id].last, i)
		}
	}
	for name, id := range p.Named {
		if p.Values[id].Class == Scratch {
			if lives[id].first < 0 {
				return fmt.Errorf("output %s is never written", name)
			}
			lives[id].last = len(p.Instrs)
		}
	}

	// alias[out] = in: out takes over in's buffer, and their lives are joined.
	root := make([]ID, len(p.Values))
	for i := range root {
		root[i] = ID(i)
	}
	for i := range p.Instrs {
		in := &p.Instrs[i]
		if !in.Op.inPlace() {
			continue
		}
		dst := in.Out[0]
		for k, src := range in.In[:in.Op.terms()] {
			if src == None || dst == None || slices.Contains(in.In[k+1:], src) || slices.Contains(in.In[:k], src) ||
				p.Values[src].Class != Scratch || p.Values[dst].Class != Scratch ||
				lives[src].last != i || lives[src].bytes != lives[dst].bytes {
				continue
			}
			r := root[src]
			root[dst] = r
			lives[r].last = max(lives[r].last, lives[dst].last)
			break
		}
	}

	var order []ID
	for i := range p.Values {
		if p.Values[i].Class == Scratch && root[i] == ID(i) && lives[i].first >= 0 {
			order = append(order, ID(i))
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return lives[order[a]].bytes > lives[order[b]].bytes })
	var placed []ID // by offset
	total := 0
	for _, id := range order {
		offset := 0
		for _, other := range placed {
			o := &lives[other]
			if o.last < lives[id].first || lives[id].last < o.first {
				continue
			}
			at := p.Values[other].Offset
			if offset+lives[id].bytes <= at {
				break
			}
			offset = max(offset, at+o.bytes)
		}
		p.Values[id].Offset = offset
		total = max(total, offset+lives[id].bytes)
		k := sort.Search(len(placed), func(k int) bool { return p.Values[placed[k]].Offset > offset })
		placed = slices.Insert(placed, k, id)
	}
	for i := range p.Values {
		if p.Values[i].Class != Scratch {
			continue
		}
		if r := root[i]; r != ID(i) {
			p.Values[i].Offset = p.Values[r].Offset
		}
	}
	p.Bytes[Scratch] = total
	return nil
}

// terms is the number of an in-place op's first operands whose place its first result may take.
func (o Op) terms() int {
	switch o {
	case OpAdd, OpAddLayerNorm, OpAddRMSNorm:
		return 2
	}
	return 1
}
