package model

import (
	"fmt"

	"hone/trainer/graph"
)

// recall is h (R,C) of a layer behind the hidden states that it remembers of the rows before,
// (R',C), and who sees what of them (Dai et al. 2019, §3.2). No gradient reaches what is
// remembered. Without a memory it is h itself.
func recall(b *graph.Builder, in Inputs, layer int, h *graph.Node, c int) (*graph.Node, graph.Attend) {
	sight, mem := graph.Attend{T: in.T, Segments: in.Segments, Order: in.Order}, in.Memory
	if mem.Len == 0 {
		return h, sight
	}
	cache := b.Cache(fmt.Sprintf("memory.%d", layer), mem.Count, in.B, mem.Len, c)
	sight.KeySegments, sight.KeyOrder, sight.KeyT = mem.Segments, mem.Order, mem.Len+in.T
	return b.Remember(h, cache, mem.Slots, mem.rows), sight
}

// rowsAfter are the rows (R) of sequences among those of what is remembered before each; nil where
// nothing is.
func rowsAfter(b *graph.Builder, in Inputs) *graph.Node {
	if in.Memory.Len == 0 {
		return nil
	}
	rows := make([]int32, in.B*in.T)
	for i := range rows {
		rows[i] = int32(i + (i/in.T+1)*in.Memory.Len)
	}
	return b.Constant("rows after memory", rows, len(rows))
}

// memory refuses one that is to be kept and has no length, or is not kept whole.
func (f *Faults) memory(kept bool, length, reused int) {
	if kept && length < 1 {
		f.add("mem_len", "missing: use_mems_train keeps so many hidden states of what came before")
	}
	if kept && reused != 0 {
		f.add("reuse_len", "%d is not supported with use_mems_train; want 0", reused)
	}
}
