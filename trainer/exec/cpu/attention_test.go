package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"hone/trainer/exec"
)

// An attentionCase is attention's operands, in the order of the graph.
type attentionCase struct {
	attrs           exec.Attrs
	dim             int
	qkv             []float64
	segments, order []int32
}

func (c *attentionCase) width() int { return (c.attrs.Heads + 2*c.attrs.KVHeads) * c.dim }

func (c *attentionCase) operands() (qkv, segments, order tensor) {
	return floats(c.qkv, c.attrs.B*c.attrs.T, c.width()), ints(c.segments...), ints(c.order...)
}

// naive is the definition, in float64.
func (c *attentionCase) naive() (y, lse []float64) {
	a, d, w := c.attrs, c.dim, c.width()
	rows := a.B * a.T
	y, lse = make([]float64, rows*a.Heads*d), make([]float64, rows*a.Heads)
	for i := range rows {
		for h := range a.Heads {
			kv := h / (a.Heads / a.KVHeads)
			sum, out := 0.0, y[(i*a.Heads+h)*d:][:d]
			for j := i / a.T * a.T; j < i/a.T*a.T+a.T; j++ {
				if c.segments[i] < 0 || c.segments[i] != c.segments[j] || c.order[j] > c.order[i] {
					continue
				}
				s := 0.0
				for e := range d {
					s += c.qkv[i*w+h*d+e] * c.qkv[j*w+(a.Heads+kv)*d+e]
				}
				p := math.Exp(s * a.Scale)
				sum += p
				for e := range d {
					out[e] += p * c.qkv[j*w+(a.Heads+a.KVHeads+kv)*d+e]
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

func newAttention(r *rand.Rand, b, t, heads, kv, dim int) *attentionCase {
	c := &attentionCase{attrs: exec.Attrs{B: b, T: t, Heads: heads, KVHeads: kv, Scale: 1 / math.Sqrt(float64(dim))}, dim: dim}
	c.qkv = fill[float64](r, b*t*c.width())
	for i := range b * t {
		c.segments = append(c.segments, 0)
		c.order = append(c.order, int32(i%t))
	}
	return c
}

// attentionCases are causal, bidirectional, permuted and prefix orders; one segment,
// packed ones, padding, segments in pieces; grouped heads; odd sizes.
func attentionCases(r *rand.Rand) []*attentionCase {
	var cases []*attentionCase
	packed := func(c *attentionCase, longest int) *attentionCase {
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
	for _, s := range [][5]int{{1, 1, 1, 1, 1}, {2, 3, 2, 1, 5}, {2, 17, 3, 3, 8}, {1, 64, 1, 1, 16}, {2, 65, 2, 2, 17}, {1, 150, 4, 2, 12}} {
		cases = append(cases, newAttention(r, s[0], s[1], s[2], s[3], s[4])) // causal
		bi := newAttention(r, s[0], s[1], s[2], s[3], s[4])
		clear(bi.order)
		cases = append(cases, bi)
	}
	cases = append(cases, packed(newAttention(r, 3, 140, 2, 1, 8), 20), packed(newAttention(r, 1, 300, 2, 2, 8), 150))
	perm := packed(newAttention(r, 2, 140, 2, 1, 8), 90)
	for i, o := range r.Perm(140) {
		perm.order[i], perm.order[140+i] = int32(o), int32(o)
	}
	prefix := newAttention(r, 1, 200, 2, 1, 8)
	clear(prefix.order[:100])
	pieces := newAttention(r, 2, 130, 2, 1, 8)
	for i := range 130 {
		pieces.segments[i] = int32(r.IntN(4)) - 1
	}
	bipacked := packed(newAttention(r, 2, 100, 2, 1, 8), 80)
	clear(bipacked.order)
	return append(cases, perm, prefix, pieces, bipacked)
}

// run gives y, lse, dqkv.
func (c *attentionCase) run(t testing.TB, d *Device, dy []float64) [][]float64 {
	qkv, seg, ord := c.operands()
	rows := c.attrs.B * c.attrs.T
	yshape := []int{rows, c.attrs.Heads * c.dim}
	out := launchOn[float32](t, d, &exec.Instr{Op: exec.OpAttention, Attrs: c.attrs}, []tensor{qkv, seg, ord}, outputs(yshape, []int{rows, c.attrs.Heads}))
	grad := launchOn[float32](t, d, &exec.Instr{Op: exec.OpAttentionGrad, Attrs: c.attrs},
		[]tensor{qkv, seg, ord, floats(out[0], yshape...), floats(out[1], rows, c.attrs.Heads), floats(dy, yshape...)}, outputs(qkv.shape))
	return append(out, grad...)
}

// A document's outputs and gradients are the same bits alone, at another offset of
// a row, in another row of the batch, and whatever its neighbours are.
func TestAttentionOfADocumentIsItsOwn(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	everyKernels(t, func(t *testing.T, k *kernels) {
		d := testDevice(t, 2, k.name)
		for _, n := range []int{1, 5, 64, 100, 131} {
			for _, order := range []string{"causal", "bidirectional", "permuted"} {
				t.Run(fmt.Sprintf("%d/%s", n, order), func(t *testing.T) {
					alone := newAttention(r, 1, n, 4, 2, 24)
					switch order {
					case "bidirectional":
						clear(alone.order)
					case "permuted":
						for i, o := range r.Perm(n) {
							alone.order[i] = int32(o)
						}
					}
					dy := fill[float64](r, n*4*24)
					want := alone.run(t, d, dy)
					for _, at := range []struct{ b, rows, row, offset int }{{1, n + 7, 0, 7}, {2, n + 80, 1, 33}, {3, n + 300, 1, 299}} {
						among := newAttention(r, at.b, at.rows, 4, 2, 24)
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
						all := fill[float64](r, at.b*at.rows*4*24)
						copy(all[start*4*24:], dy)
						got := among.run(t, d, all)
						for i, cols := range []int{4 * 24, 4, w} {
							sameBits(t, fmt.Sprintf("%v, output %d", at, i), got[i][start*cols:(start+n)*cols], want[i])
						}
					}
				})
			}
		}
	})
}

// Decoding token by token gives the bits of the whole at once.
func TestCachedAttentionEqualsAttention(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	everyKernels(t, func(t *testing.T, k *kernels) {
		d := testDevice(t, 2, k.name)
		for _, kv := range []int{1, 2, 4} {
			t.Run(fmt.Sprintf("%d key heads", kv), func(t *testing.T) {
				const b, n, heads, dim = 2, 140, 4, 24
				whole := newAttention(r, b, n, heads, kv, dim)
				want := whole.run(t, d, make([]float64, b*n*heads*dim))[0]
				w := whole.width()
				cache := tensor{shape: []int{b, n + 3, kv * dim}, f: make([]float64, b*(n+3)*kv*dim)}
				for i := range cache.f {
					cache.f[i] = math.NaN() // what no token has written must not be read
				}
				keys, values := place[float32](t, d, cache), place[float32](t, d, cache)
				in := &exec.Instr{Op: exec.OpAttentionCached, Attrs: exec.Attrs{Heads: heads, KVHeads: kv, Scale: whole.attrs.Scale}}
				for pos := range n {
					step := tensor{shape: []int{b, w}}
					for s := range b {
						step.f = append(step.f, whole.qkv[(s*n+pos)*w:(s*n+pos+1)*w]...)
					}
					y := place[float32](t, d, outputs([]int{b, heads * dim})[0])
					args := []exec.Arg{place[float32](t, d, step), keys, values, place[float32](t, d, ints(int32(pos), int32(pos))), y, keys, values}
					if err := d.Launch(in, args); err != nil {
						t.Fatal(err)
					}
					got := fetch[float32](t, d, y)
					for s := range b {
						sameBits(t, fmt.Sprintf("position %d, sequence %d", pos, s), got[s*heads*dim:(s+1)*heads*dim], want[(s*n+pos)*heads*dim:][:heads*dim])
					}
				}
				args := []exec.Arg{place[float32](t, d, tensor{shape: []int{b, w}, f: make([]float64, b*w)}), keys, values,
					place[float32](t, d, ints(5, n)), place[float32](t, d, outputs([]int{b, heads * dim})[0]), keys, values}
				if n := testing.AllocsPerRun(5, func() { d.Launch(in, args) }); n != 0 {
					t.Errorf("%v allocations a launch", n)
				}
				args = []exec.Arg{args[0], keys, values,
					place[float32](t, d, ints(0, n+3)), place[float32](t, d, outputs([]int{b, heads * dim})[0]), keys, values}
				if err := d.Launch(in, args); err == nil {
					t.Error("wrote past the cache")
				}
			})
		}
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
