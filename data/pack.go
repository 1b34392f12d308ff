package data

import (
	"math/bits"
	"slices"
)

// bestFit packs sequences of the given lengths into rows of the given capacity with
// at most maxSeqs in each: longest first, each into the fullest row that still takes
// it, a new row where none does (best-fit decreasing; Johnson 1973). It returns the
// indices of each row. Lengths are at most capacity. Equal lengths keep their order.
func bestFit(lengths []int, capacity, maxSeqs int) [][]int {
	order := make([]int, len(lengths))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return lengths[b] - lengths[a] })

	var rows [][]int
	open := make([][]int, capacity+1)        // rows by the room they have left
	some := make([]uint64, (capacity+64)/64) // bit r: open[r] is not empty
	for _, i := range order {
		room := firstSet(some, lengths[i])
		var row int
		if room < 0 {
			room, row = capacity, len(rows)
			rows = append(rows, nil)
		} else {
			row = open[room][0]
			if open[room] = open[room][1:]; len(open[room]) == 0 {
				some[room/64] &^= 1 << (room % 64)
			}
		}
		rows[row] = append(rows[row], i)
		if len(rows[row]) < maxSeqs {
			room -= lengths[i]
			open[room] = append(open[room], row)
			some[room/64] |= 1 << (room % 64)
		}
	}
	return rows
}

// firstSet is the lowest bit set at from or above, or -1.
func firstSet(set []uint64, from int) int {
	for w := from / 64; w < len(set); w++ {
		x := set[w]
		if w == from/64 {
			x &^= 1<<(from%64) - 1
		}
		if x != 0 {
			return w*64 + bits.TrailingZeros64(x)
		}
	}
	return -1
}
