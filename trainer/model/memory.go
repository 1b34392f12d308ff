package model

import (
	"fmt"

	"hone/trainer/graph"
)

// recall puts a layer's remembered hidden states before its hidden states h (R,C): (R',C), with the segments and
// orders that say which rows see which (Dai et al. 2019, §3.2). No gradient flows into the memory. Without one, it
// gives h itself.
func recall(b *builder, in Inputs, layer int, h *graph.Node, c int) (*graph.Node, graph.Attend) {
	sight, mem := graph.Attend{T: in.T, Segments: in.Segments, Order: in.Order}, in.Memory
	if mem.Len == 0 {
		return h, sight
	}
	cache := b.Cache(fmt.Sprintf("memory.%d", layer), mem.Count, in.B, mem.Len, c)
	sight.KeySegments, sight.KeyOrder, sight.KeyT = mem.Segments, mem.Order, mem.Len+in.T
	return b.Remember(h, cache, mem.Slots, mem.rows), sight
}

// rowsAfter are the indices (R) of the sequences' own rows among all rows with the memory before each sequence;
// nil without a memory.
func rowsAfter(b *builder, in Inputs) *graph.Node {
	if in.Memory.Len == 0 {
		return nil
	}
	rows := make([]int32, in.B*in.T)
	for i := range rows {
		rows[i] = int32(i + (i/in.T+1)*in.Memory.Len)
	}
	return b.Constant("rows after memory", rows, len(rows))
}

// memory refuses a memory of no length, and one that is kept in part.
func (f *Faults) memory(kept bool, length, reused int) {
	if kept && length < 1 {
		f.add("mem_len", "missing: with use_mems_train it is the number of hidden states that are remembered")
	}
	if kept && reused != 0 {
		f.add("reuse_len", "%d is not supported with use_mems_train; want 0", reused)
	}
}
