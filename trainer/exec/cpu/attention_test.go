package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"hone/trainer/exec"
)

// An attentionCase is attention's operands. Queries, keys and values lie together as form says.
type attentionCase struct {
	attrs             exec.Attrs
	dim               int
	form              attentionForm
	qkv               []float64 // fused; or of queries alone
	k, v              []float64 // keys, with values beside them if fusedKV; values
	segments, order   []int32
	kSegments, kOrder []int32 // nil: the queries'
	bias              []float64
	biasRows          bool // of each query its own
	rng               [4]int32
}

type attentionForm int

const (
	fused attentionForm = iota
	fusedKV
	separate
)

func (f attentionForm) String() string { return [...]string{"fused", "fusedKV", "separate"}[f] }

// keyRows is the number of keys of a sequence.
func (c *attentionCase) keyRows() int {
	if c.kSegments == nil {
		return c.attrs.T
	}
	return len(c.kSegments) / c.attrs.B
}

// width is the columns of the first operand.
func (c *attentionCase) width() int {
	if c.form == fused {
		return (c.attrs.Heads + 2*c.attrs.KVHeads) * c.dim
	}
	return c.attrs.Heads * c.dim
}

// operands are attention's, in the order of the op.
func (c *attentionCase) operands() []tensor {
	a, s := c.attrs, c.attrs.B*c.keyRows()
	in := []tensor{floats(c.qkv, a.B*a.T, c.width()), absent, absent, ints(c.segments...), ints(c.order...), absent, absent, absent, absent}
	if c.form == fusedKV {
		in[1] = floats(c.k, s, 2*a.KVHeads*c.dim)
	} else if c.form == separate {
		in[1], in[2] = floats(c.k, s, a.KVHeads*c.dim), floats(c.v, s, a.KVHeads*c.dim)
	}
	if c.kSegments != nil {
		in[5], in[6] = ints(c.kSegments...), ints(c.kOrder...)
	}
	if c.bias != nil {
		n := a.T + c.keyRows() - 1
		in[7] = floats(c.bias, len(c.bias)/n, n)
		if c.biasRows {
			in[7].shape = []int{a.B * a.T, a.Heads, n}
		}
	}
	if a.P > 0 {
		in[8] = ints(c.rng[:]...)
	}
	return in
}

// results are y and lse; gradients dq, dk, dv, dbias.
func (c *attentionCase) results() []tensor {
	return outputs([]int{c.attrs.B * c.attrs.T, c.attrs.Heads * c.dim}, []int{c.attrs.B * c.attrs.T, c.attrs.Heads})
}

func (c *attentionCase) gradients() []tensor {
	in := c.operands()
	var outs []tensor
	for _, k := range []int{0, 1, 2, 7} {
		if in[k].shape == nil {
			outs = append(outs, absent)
		} else {
			outs = append(outs, outputs(in[k].shape)[0])
		}
	}
	return outs
}

// wrt are the operands that have gradients.
func (c *attentionCase) wrt() []int {
	var ks []int
	for _, k := range []int{0, 1, 2, 7} {
		if c.operands()[k].shape != nil {
			ks = append(ks, k)
		}
	}
	return ks
}

// naive is the definition, in float64.
func (c *attentionCase) naive() (y, lse []float64) {
	a, d, w, tk := c.attrs, c.dim, c.width(), c.keyRows()
	rows, group := a.B*a.T, a.Heads/a.KVHeads
	key := func(j, kv int) []float64 {
		switch c.form {
		case fused:
			return c.qkv[j*w+(a.Heads+kv)*d:][:d]
		case fusedKV:
			return c.k[(2*j*a.KVHeads+kv)*d:][:d]
		}
		return c.k[(j*a.KVHeads+kv)*d:][:d]
	}
	value := func(j, kv int) []float64 {
		switch c.form {
		case fused:
			return c.qkv[j*w+(a.Heads+a.KVHeads+kv)*d:][:d]
		case fusedKV:
			return c.k[((2*j+1)*a.KVHeads+kv)*d:][:d]
		}
		return c.v[(j*a.KVHeads+kv)*d:][:d]
	}
	kSegments, kOrder := c.kSegments, c.kOrder
	if kSegments == nil {
		kSegments, kOrder = c.segments, c.order
	}
	y, lse = make([]float64, rows*a.Heads*d), make([]float64, rows*a.Heads)
	for i := range rows {
		for h := range a.Heads {
			sum, out := 0.0, y[(i*a.Heads+h)*d:][:d]
			for jj := range tk {
				j := i/a.T*tk + jj
				if c.segments[i] < 0 || c.segments[i] != kSegments[j] || kOrder[j] > c.order[i] || a.Strict && kOrder[j] == c.order[i] || a.Window > 0 && i%a.T-jj >= a.Window {
					continue
				}
				s := 0.0
				for e, v := range key(j, h/group) {
					s += c.qkv[i*w+h*d+e] * v
				}
				s *= a.Scale
				if n := a.T + tk - 1; c.biasRows {
					s += c.bias[(i*a.Heads+h)*n+jj-i%a.T+a.T-1]
				} else if c.bias != nil {
					s += c.bias[h*n+jj-i%a.T+a.T-1]
				}
				p := math.Exp(s)
				sum += p
				p *= c.kept(i, h, j)
				for e, v := range value(j, h/group) {
					out[e] += p * v
				}
			}
			if sum > 0 {
				for e := range out {
					out[e] /= sum
				}
				lse[i*a.Heads+h] = math.Log(sum)
			}
		}
	}
	return
}

// kept is the factor of a weight: 0, or the scale of those that are not dropped. The segments of a
// sequence are in one piece each.
func (c *attentionCase) kept(query, h, key int) float64 {
	if c.attrs.P == 0 {
		return 1
	}
	tk, segments := c.keyRows(), c.kSegments
	if segments == nil {
		segments = c.segments
	}
	first := key
	for first%tk > 0 && segments[first-1] == segments[key] {
		first--
	}
	i := (query*c.attrs.Heads+h)*((tk+63)/64*64) + key - first
	k := newPhiloxKey(uint32(c.rng[0]), uint32(c.rng[1]))
	var words [4]uint32
	words[0], words[1], words[2], words[3] = k.words(uint32(i/8), uint32(c.attrs.Salt), uint32(c.rng[2]), uint32(c.rng[3]))
	limit := math.Round(c.attrs.P * 65536)
	if float64(words[i%8/2]>>(i%2*16)&0xffff) < limit {
		return 0
	}
	return 65536 / (65536 - limit)
}

func newAttention(r *rand.Rand, b, t, heads, kv, dim int) *attentionCase {
	c := &attentionCase{attrs: exec.Attrs{B: b, T: t, Heads: heads, KVHeads: kv, Scale: 1 / math.Sqrt(float64(dim))}, dim: dim}
	c.qkv = fill[float64](r, b*t*c.width())
	for i := range b * t {
		c.segments = append(c.segments, 0)
		c.order = append(c.order, int32(i%t))
	}
	return c
}

// newCross is attention of queries to other rows, all in sight.
func newCross(r *rand.Rand, b, t, tk, heads, kv, dim int, form attentionForm) *attentionCase {
	c := newAttention(r, b, t, heads, kv, dim)
	clear(c.order)
	c.form, c.qkv = form, fill[float64](r, b*t*heads*dim)
	c.kSegments, c.kOrder = make([]int32, b*tk), make([]int32, b*tk)
	if form == fusedKV {
		c.k = fill[float64](r, b*tk*2*kv*dim)
	} else {
		c.k, c.v = fill[float64](r, b*tk*kv*dim), fill[float64](r, b*tk*kv*dim)
	}
	return c
}

// packed cuts the rows into documents of some tokens and some padding.
func (c *attentionCase) packed(r *rand.Rand, longest int) *attentionCase {
	t := c.attrs.T
	for b := range c.attrs.B {
		for i, seg := 0, int32(0); i < t; seg++ {
			n := min(t-i, 1+r.IntN(longest))
			for k := range n {
				c.segments[b*t+i+k] = seg
				if seg%4 == 3 {
					c.segments[b*t+i+k] = -1
				}
			}
			i += n
		}
	}
	return c
}

// dropping drops a share of the weights.
func (c *attentionCase) dropping(p float64) *attentionCase {
	c.attrs.P, c.attrs.Salt, c.rng = p, 7, [4]int32{1, 2, 3, 4}
	return c
}

// permuted gives each sequence an order of its own.
func (c *attentionCase) permuted(r *rand.Rand) *attentionCase {
	for b := range c.attrs.B {
		for i, o := range r.Perm(c.attrs.T) {
			c.order[b*c.attrs.T+i] = int32(o)
		}
	}
	return c
}

func (c *attentionCase) biased(r *rand.Rand, rows bool) *attentionCase {
	n := c.attrs.Heads * (c.attrs.T + c.keyRows() - 1)
	if rows {
		n *= c.attrs.B * c.attrs.T
	}
	c.bias, c.biasRows = fill[float64](r, n), rows
	return c
}

// crossed cuts queries and keys into documents of the same numbers, some of one side only.
func (c *attentionCase) crossed() *attentionCase {
	for b := range c.attrs.B {
		cut := func(seg []int32, per int, numbers []int32) {
			for i := range seg {
				seg[i] = numbers[min(i/per, len(numbers)-1)]
			}
		}
		t, tk := c.attrs.T, c.keyRows()
		cut(c.segments[b*t:(b+1)*t], max(1, t/4), []int32{0, 1, 3, 4, -1})
		cut(c.kSegments[b*tk:(b+1)*tk], max(1, tk/5), []int32{0, 2, 1, -1, 4, 4})
	}
	return c
}

// attentionCases are causal, bidirectional, permuted and prefix orders; one segment,
// packed ones, padding, segments in pieces; grouped heads; odd sizes; other keys; biases.
func attentionCases(r *rand.Rand) []*attentionCase {
	var cases []*attentionCase
	add := func(c ...*attentionCase) { cases = append(cases, c...) }
	for _, s := range [][5]int{{1, 1, 1, 1, 1}, {2, 3, 2, 1, 5}, {2, 17, 3, 3, 8}, {1, 64, 1, 1, 16}, {2, 65, 2, 2, 17}, {1, 150, 4, 2, 12}, {1, 130, 2, 1, 32}, {1, 70, 1, 1, 128}, {1, 80, 1, 1, 96}} {
		add(newAttention(r, s[0], s[1], s[2], s[3], s[4])) // causal
		bi := newAttention(r, s[0], s[1], s[2], s[3], s[4])
		clear(bi.order)
		add(bi)
	}
	add(newAttention(r, 3, 140, 2, 1, 8).packed(r, 20), newAttention(r, 1, 300, 2, 2, 8).packed(r, 150))
	prefix := newAttention(r, 1, 200, 2, 1, 8)
	clear(prefix.order[:100])
	pieces := newAttention(r, 2, 130, 2, 1, 8)
	for i := range 130 {
		pieces.segments[i] = int32(r.IntN(4)) - 1
	}
	bipacked := newAttention(r, 2, 100, 2, 1, 8).packed(r, 80)
	clear(bipacked.order)
	perm := newAttention(r, 2, 140, 2, 1, 8).packed(r, 90).permuted(r)
	add(perm, prefix, pieces, bipacked)
	for _, strict := range []*attentionCase{newAttention(r, 1, 100, 2, 1, 16), newAttention(r, 2, 90, 2, 2, 8).packed(r, 40).permuted(r), newAttention(r, 1, 10, 1, 1, 16)} {
		strict.attrs.Strict = true
		if strict.attrs.T == 10 {
			clear(strict.order) // nothing in sight
		}
		add(strict)
	}
	// Other keys: cross-attention, two streams, a memory before the queries.
	for i, s := range [][3]int{{5, 3, 0}, {1, 70, 0}, {70, 2, 0}, {66, 130, 1}, {90, 70, 1}} {
		form := fusedKV + attentionForm(i%2)
		c := newCross(r, 2, s[0], s[1], 4, 2, 16, form)
		if s[2] == 1 {
			c.crossed()
		}
		add(c)
	}
	streams := newCross(r, 1, 80, 80, 2, 2, 8, separate)
	streams.order = newAttention(r, 1, 80, 1, 1, 1).permuted(r).order
	streams.kOrder = streams.order
	streams.attrs.Strict = true
	memory := newCross(r, 1, 70, 100, 2, 1, 16, separate).biased(r, true)
	for i := range memory.kOrder {
		memory.kOrder[i] = int32(i)
	}
	for i := range memory.order {
		memory.order[i] = int32(30 + i)
	}
	crossPieces := newCross(r, 2, 40, 75, 2, 1, 8, fusedKV)
	for i := range crossPieces.kSegments {
		crossPieces.kSegments[i] = int32(i % 3)
	}
	add(streams, memory, crossPieces)
	add(newAttention(r, 2, 70, 2, 1, 16).biased(r, false), newAttention(r, 2, 100, 2, 1, 8).packed(r, 80).biased(r, false),
		newAttention(r, 2, 70, 2, 2, 16).permuted(r).biased(r, true), newAttention(r, 1, 60, 2, 2, 16).packed(r, 20).biased(r, true),
		newCross(r, 2, 20, 33, 2, 2, 8, separate).biased(r, false))
	add(newAttention(r, 2, 150, 4, 2, 16).dropping(0.25), newAttention(r, 2, 200, 2, 1, 8).packed(r, 90).dropping(0.1),
		newAttention(r, 1, 70, 2, 2, 16).permuted(r).biased(r, true).dropping(0.5), newCross(r, 2, 66, 130, 2, 2, 8, fusedKV).dropping(0.4))
	// Windows, shorter and longer than tiles and documents, among masks of every kind.
	for _, w := range []int{1, 2, 37, 64, 65, 100, 1000} {
		add(newAttention(r, 2, 150, 4, 2, 16).windowed(w), newAttention(r, 1, 200, 2, 1, 8).packed(r, 120).windowed(w))
	}
	bi := newAttention(r, 1, 140, 2, 1, 8).windowed(40)
	clear(bi.order)
	pieces = newAttention(r, 2, 130, 2, 1, 8).windowed(33)
	for i := range pieces.segments {
		pieces.segments[i] = int32(r.IntN(3)) - 1
	}
	add(bi, pieces, newAttention(r, 2, 140, 2, 1, 8).packed(r, 90).permuted(r).windowed(30), newAttention(r, 1, 150, 2, 2, 12).dropping(0.3).windowed(50),
		newAttention(r, 1, 130, 2, 2, 16).biased(r, true).windowed(70))
	for range 12 {
		t, kv := 1+r.IntN(260), 1+r.IntN(2)
		add(newAttention(r, 1+r.IntN(2), t, kv*(1+r.IntN(3)), kv, 1+r.IntN(40)).packed(r, 1+r.IntN(t)).windowed(1 + r.IntN(t)))
	}
	return cases
}

// windowed has each query see so many rows.
func (c *attentionCase) windowed(n int) *attentionCase {
	c.attrs.Window = n
	return c
}

// attend gives y and lse.
func (c *attentionCase) attend(t testing.TB, d *Device) [][]float64 {
	return launchOn[float32](t, d, &exec.Instr{Op: exec.OpAttention, Attrs: c.attrs}, c.operands(), c.results())
}

// run gives y, lse, dq, dk, dv, dbias.
func (c *attentionCase) run(t testing.TB, d *Device, dy []float64) [][]float64 {
	out, res := c.attend(t, d), c.results()
	ins := append(c.operands(), floats(out[0], res[0].shape...), floats(out[1], res[1].shape...), floats(dy, res[0].shape...))
	return append(out, launchOn[float32](t, d, &exec.Instr{Op: exec.OpAttentionGrad, Attrs: c.attrs}, ins, c.gradients())...)
}

// A document's outputs and gradients are the same bits alone, at another offset of
// a row, in another row of the batch, and whatever its neighbours are.
func TestAttentionOfADocumentIsItsOwn(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	everyKernels(t, func(t *testing.T, k *kernels) {
		d := testDevice(t, 2, k.name)
		for _, n := range []int{1, 64, 131} {
			for _, order := range []string{"causal", "bidirectional", "permuted"} {
				t.Run(fmt.Sprintf("%d/%s", n, order), func(t *testing.T) {
					alone := newAttention(r, 1, n, 2, 1, 24)
					switch order {
					case "bidirectional":
						clear(alone.order)
					case "permuted":
						for i, o := range r.Perm(n) {
							alone.order[i] = int32(o)
						}
					}
					dy := fill[float64](r, n*2*24)
					want := alone.run(t, d, dy)
					for _, at := range []struct{ b, rows, row, offset int }{{1, n + 7, 0, 7}, {1, n + 40, 0, 33}, {2, n + 70, 1, 69}} {
						among := newAttention(r, at.b, at.rows, 2, 1, 24)
						start := at.row*at.rows + at.offset
						for i := range among.segments {
							switch {
							case i < start:
								among.segments[i] = 1 + int32(i/29)
							case i >= start+n:
								among.segments[i] = 1000 + int32(i/31)
							}
						}
						w := among.width()
						copy(among.qkv[start*w:], alone.qkv)
						copy(among.order[start:], alone.order)
						all := fill[float64](r, at.b*at.rows*2*24)
						copy(all[start*2*24:], dy)
						got := among.run(t, d, all)
						for i, cols := range []int{2 * 24, 2, w} { // y, lse, dq
							sameBits(t, fmt.Sprintf("%v, output %d", at, i), got[i][start*cols:(start+n)*cols], want[i])
						}
					}
				})
			}
		}
	})
}

// Every kernel set gives the same bits for any number of threads.
func TestAttentionSameForAnyThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(45, 46))
	cases := []*attentionCase{
		newAttention(r, 3, 70, 4, 2, 16).packed(r, 30), newAttention(r, 1, 300, 2, 1, 16), newAttention(r, 3, 40, 2, 1, 16).biased(r, false),
		newCross(r, 3, 20, 70, 2, 2, 16, fusedKV),
	}
	everyKernels(t, func(t *testing.T, k *kernels) {
		for i, c := range cases {
			dy := fill[float64](rand.New(rand.NewPCG(47, 48)), c.attrs.B*c.attrs.T*c.attrs.Heads*c.dim)
			want := c.run(t, testDevice(t, 1, k.name), dy)
			for _, threads := range []int{2, 3, 5} {
				for n, got := range c.run(t, testDevice(t, threads, k.name), dy) {
					sameBits(t, fmt.Sprintf("case %d, output %d, %d threads", i, n, threads), got, want[n])
				}
			}
		}
	})
}

// Reading sequences in pieces of any size, side by side or one after the other, gives the bits
// of the whole at once.
func TestCachedAttentionEqualsAttention(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		r := rand.New(rand.NewPCG(33, 34))
		d := testDevice(t, 2, k.name)
		for _, s := range []struct {
			kv, window int
			biased     bool
		}{{1, 0, false}, {2, 0, false}, {4, 0, false}, {2, 1, false}, {1, 50, false}, {4, 64, false}, {2, 97, false}, {4, 0, true}, {1, 50, true}} {
			const b, n, heads, dim = 2, 140, 4, 24
			whole := newAttention(r, b, n, heads, s.kv, dim).windowed(s.window)
			if s.biased {
				whole.bias = fill[float64](r, heads*(2*n-1))
			}
			want := whole.run(t, d, make([]float64, b*n*heads*dim))[0]
			for _, most := range []int{1, 7, 64, n} { // rows of a sequence read at once
				if testing.Short() && most != 64 {
					continue
				}
				t.Run(fmt.Sprintf("%d key heads, window %d, bias %v, %d rows", s.kv, s.window, s.biased, most), func(t *testing.T) {
					checkCached(t, r, d, whole, want, b, n, most)
				})
			}
		}
	})
}

func checkCached(t *testing.T, r *rand.Rand, d *Device, whole *attentionCase, want []float64, b, n, most int) {
	heads, kv := whole.attrs.Heads, whole.attrs.KVHeads
	w := whole.width()
	dim := w / (heads + 2*kv)
	const slots = 3 // of the caches: the sequences lie in the last of them
	cache := tensor{shape: []int{slots, n + 3, kv * dim}, f: make([]float64, slots*(n+3)*kv*dim)}
	for i := range cache.f {
		cache.f[i] = math.NaN() // what no token has written must not be read
	}
	keys, values := place[float32](t, d, cache), place[float32](t, d, cache)
	in := &exec.Instr{Op: exec.OpAttentionCached, Attrs: exec.Attrs{Heads: heads, KVHeads: kv, Scale: whole.attrs.Scale, Window: whole.attrs.Window}}
	bias := func(rows int) tensor { // of all, or of each of so many rows
		if whole.bias == nil {
			return absent
		}
		span := n + 3
		x := make([]float64, 0, heads*span)
		for h := range heads {
			for c := range span { // c - (span-1) keys from the query
				x = append(x, whole.bias[h*(2*n-1)+max(0, c-(span-1)+n-1)])
			}
		}
		if rows == 0 {
			return floats(x, heads, span)
		}
		return tensor{shape: []int{rows, heads, span}, f: slices.Repeat(x, rows)}
	}
	done := make([]int, b)
	for slices.Min(done) < n {
		var rows, positions, sequences []int32
		var qkv []float64
		pad := func() {
			for range r.IntN(3) {
				rows, positions, sequences = append(rows, -1), append(positions, -1), append(sequences, -7)
				qkv = append(qkv, slices.Repeat([]float64{math.NaN()}, w)...)
			}
		}
		for s := range b {
			pad()
			for range min(n-done[s], 1+r.IntN(most)) {
				row := s*n + done[s]
				rows, positions, sequences = append(rows, int32(row)), append(positions, int32(done[s])), append(sequences, int32(slots-b+s))
				qkv = append(qkv, whole.qkv[row*w:(row+1)*w]...)
				done[s]++
			}
		}
		pad()
		if len(rows) == 0 {
			continue
		}
		step := tensor{shape: []int{len(rows), w}, f: qkv}
		at, of := place[float32](t, d, ints(positions...)), place[float32](t, d, ints(sequences...))
		y := place[float32](t, d, outputs([]int{len(rows), heads * dim})[0])
		if err := d.Launch(in, []exec.Arg{place[float32](t, d, step), keys, values, at, of, {}, {}, place[float32](t, d, bias(0)), y, keys, values}); err != nil {
			t.Fatal(err)
		}
		got := fetch[float32](t, d, y)
		// Keys and values that are matrices of their own give the same bits.
		var parts [3]tensor
		for i := range rows {
			row := qkv[i*w : (i+1)*w]
			for k, cut := range [][]float64{row[:heads*dim], row[heads*dim : (heads+kv)*dim], row[(heads+kv)*dim:]} {
				parts[k].shape, parts[k].f = []int{len(rows), len(cut)}, append(parts[k].f, cut...)
			}
		}
		apart := place[float32](t, d, outputs([]int{len(rows), heads * dim})[0])
		if err := d.Launch(in, []exec.Arg{place[float32](t, d, parts[0]), keys, values, at, of,
			place[float32](t, d, parts[1]), place[float32](t, d, parts[2]), place[float32](t, d, bias(len(rows))), apart, keys, values}); err != nil {
			t.Fatal(err)
		}
		sameBits(t, "apart", fetch[float32](t, d, apart), got)
		for i, row := range rows {
			exact := make([]float64, heads*dim) // of what is no row
			if row >= 0 {
				exact = want[int(row)*heads*dim:][:heads*dim]
			}
			sameBits(t, fmt.Sprintf("row %d", row), got[i*heads*dim:(i+1)*heads*dim], exact)
		}
	}
	args := func(position, sequence int32) []exec.Arg {
		y := place[float32](t, d, outputs([]int{2, heads * dim})[0])
		return []exec.Arg{place[float32](t, d, tensor{shape: []int{2, w}, f: make([]float64, 2*w)}), keys, values,
			place[float32](t, d, ints(5, position)), place[float32](t, d, ints(1, sequence)), {}, {}, place[float32](t, d, bias(0)), y, keys, values}
	}
	good := args(int32(n), 2)
	if n := testing.AllocsPerRun(5, func() { d.Launch(in, good) }); n != 0 {
		t.Errorf("%v allocations a launch", n)
	}
	for _, bad := range [][2]int32{{int32(n + 3), 0}, {0, slots}, {0, -1}} {
		if err := d.Launch(in, args(bad[0], bad[1])); err == nil {
			t.Errorf("wrote position %d of sequence %d", bad[0], bad[1])
		}
	}
}

// Keys and values that were written by themselves, in pieces, give the bits of attention to other rows.
func TestCacheRows(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		r := rand.New(rand.NewPCG(37, 38))
		d := testDevice(t, 2, k.name)
		const b, n, tk, heads, kv, dim = 2, 5, 90, 4, 2, 24
		whole := newCross(r, b, n, tk, heads, kv, dim, fusedKV)
		want := whole.run(t, d, make([]float64, b*n*heads*dim))[0]
		cache := tensor{shape: []int{b, tk + 9, kv * dim}, f: make([]float64, b*(tk+9)*kv*dim)}
		for i := range cache.f {
			cache.f[i] = math.NaN()
		}
		keys, values := place[float32](t, d, cache), place[float32](t, d, cache)
		for from := 0; from < b*tk; from += 37 {
			var positions, sequences []int32
			var x []float64
			for row := from; row < min(b*tk, from+37); row++ {
				positions, sequences = append(positions, int32(row%tk), -1), append(sequences, int32(row/tk), 5)
				x = append(append(x, whole.k[row*2*kv*dim:(row+1)*2*kv*dim]...), slices.Repeat([]float64{math.NaN()}, 2*kv*dim)...)
			}
			in := &exec.Instr{Op: exec.OpCacheRows}
			args := []exec.Arg{place[float32](t, d, floats(x, len(positions), 2*kv*dim)), keys, values, place[float32](t, d, ints(positions...)), place[float32](t, d, ints(sequences...)), keys, values}
			if err := d.Launch(in, args); err != nil {
				t.Fatal(err)
			}
			if n := testing.AllocsPerRun(5, func() { d.Launch(in, args) }); n != 0 {
				t.Errorf("%v allocations a launch", n)
			}
		}
		var last, sequences []int32
		for i := range b * n {
			last, sequences = append(last, tk-1), append(sequences, int32(i/n))
		}
		y := place[float32](t, d, outputs([]int{b * n, heads * dim})[0])
		in := &exec.Instr{Op: exec.OpAttentionCached, Attrs: whole.attrs}
		err := d.Launch(in, []exec.Arg{place[float32](t, d, floats(whole.qkv, b*n, heads*dim)), keys, values,
			place[float32](t, d, ints(last...)), place[float32](t, d, ints(sequences...)), {}, {}, {}, y})
		if err != nil {
			t.Fatal(err)
		}
		sameBits(t, "attention", fetch[float32](t, d, y), want)
	})
}

// A score that is no number shows, also beside masks.
func TestAttentionKeepsNaN(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		c := newAttention(rand.New(rand.NewPCG(35, 36)), 1, 40, 1, 1, 16)
		c.qkv[20*c.width()] = math.NaN() // query 20
		got := c.run(t, testDevice(t, 1, k.name), make([]float64, 40*16))[0]
		if !math.IsNaN(got[20*16]) || slices.ContainsFunc(got[:20*16], math.IsNaN) {
			t.Error("a query with a NaN gives numbers, or other queries do not")
		}
	})
}
