package tokenizer

// lesser is an element of a heap: the least comes out first.
type lesser[T any] interface{ less(T) bool }

func heapPush[T lesser[T]](h []T, x T) []T {
	h = append(h, x)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !x.less(h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = x
	return h
}

// heapFix restores the order after h[i] has grown.
func heapFix[T lesser[T]](h []T, i int) {
	x := h[i]
	for {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && h[down+1].less(h[down]) {
			down++
		}
		if !h[down].less(x) {
			break
		}
		h[i] = h[down]
		i = down
	}
	h[i] = x
}

func heapPop[T lesser[T]](h []T) (T, []T) {
	top, last := h[0], len(h)-1
	h[0] = h[last]
	clear(h[last:])
	h = h[:last]
	if last > 0 {
		heapFix(h, 0)
	}
	return top, h
}
