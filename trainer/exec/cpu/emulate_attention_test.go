package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// A window is the memory that a kernel may touch through a pointer: n elements from lo on.
type window struct {
	name  string
	p     unsafe.Pointer
	lo, n int
}

// run calls a function with windows on host memory, and copies all of them back.
func (e emulation) run(fn string, ints map[string]int, windows ...window) {
	e.t.Helper()
	m := &machine{code: e.proto.code, consts: e.proto.consts, origin: e.proto.origin, base: machineBase}
	args := map[string]uint64{}
	for name, v := range ints {
		args[name] = uint64(v)
	}
	const gap = -1e30
	host := func(w window) []float32 { return unsafe.Slice((*float32)(unsafe.Add(w.p, 4*w.lo)), w.n) }
	at := make([]uint64, len(windows))
	for i, w := range windows {
		at[i] = m.put(host(w))
		args[w.name] = at[i] - uint64(4*w.lo)
		m.put([]float32{gap})
	}
	if err := m.call(fn+"_"+e.set, args); err != nil {
		e.t.Fatal(err)
	}
	for i, w := range windows {
		if m.get(at[i]+uint64(4*w.n), 1)[0] != gap {
			e.t.Fatalf("%s writes beyond %s", fn, w.name)
		}
		copy(host(w), m.get(at[i], w.n))
	}
}

// rowsAt is the window on m rows of n elements, ld bytes apart, which may be negative.
func rowsAt(name string, p unsafe.Pointer, m, n, ld int) window {
	last := (m - 1) * ld / 4
	return window{name, p, min(0, last), max(last, -last) + n}
}

// attention sets the kernels of attention.
func (e emulation) attention(k *kernels) {
	const row = tileRows + 16 // of scores, with what is hidden behind it
	a := &k.attention
	for rows := 1; rows <= k.mr; rows++ {
		a.strips = append(a.strips, func(n, kc int, x *float32, ars, aks int, b *float32, bks int, c *float32, ldc, astep, bstep, kcstep int, next *float32, nextstep int, accumulate bool) {
			ints := map[string]int{"n": n, "kc": kc, "ars": ars, "aks": aks, "bks": bks, "ldc": ldc, "astep": astep, "bstep": bstep, "kcstep": kcstep, "next": 0, "nextstep": nextstep, "accumulate": 0}
			if accumulate {
				ints["accumulate"] = 1
			}
			na, nb := 0, 0
			for i := range n {
				steps := kc + i*kcstep - 1
				na = max(na, (i*astep+(rows-1)*ars+steps*aks)/4+1)
				nb = max(nb, (i*bstep+steps*bks)/4+k.nr)
			}
			e.run(fmt.Sprintf("attentionStrips%d", rows), ints, window{"a", unsafe.Pointer(x), 0, na}, window{"b", unsafe.Pointer(b), 0, nb},
				rowsAt("c", unsafe.Pointer(c), n*rows, k.nr, ldc))
		})
	}
	a.softmax = func(m, n int, s *float32, lds int, seen *int32, top, sum, alpha *float32) {
		e.run("attentionSoftmax", map[string]int{"m": m, "n": n, "lds": lds}, rowsAt("s", unsafe.Pointer(s), m, row, lds), window{"seen", unsafe.Pointer(seen), 0, m},
			window{"top", unsafe.Pointer(top), 0, tileRows}, window{"sum", unsafe.Pointer(sum), 0, tileRows}, window{"alpha", unsafe.Pointer(alpha), 0, 2 * tileRows})
	}
	a.grad = func(m, n int, s, dp *float32, ld int, seen *int32, lse, delta *float32) {
		e.run("attentionGrad", map[string]int{"m": m, "n": n, "ld": ld}, rowsAt("s", unsafe.Pointer(s), m, row, ld), rowsAt("dp", unsafe.Pointer(dp), m, row, ld),
			window{"seen", unsafe.Pointer(seen), 0, m}, window{"lse", unsafe.Pointer(lse), 0, m}, window{"delta", unsafe.Pointer(delta), 0, m})
	}
	a.mask = func(m, n int, s *float32, lds int, query, key *int32) {
		e.run("attentionMask", map[string]int{"m": m, "n": n, "lds": lds}, rowsAt("s", unsafe.Pointer(s), m, row, lds),
			window{"query", unsafe.Pointer(query), 0, m}, window{"key", unsafe.Pointer(key), 0, tileRows})
	}
	a.add = func(m, n int, dst *float32, ldd int, src *float32, lds int, factor float32) {
		e.run("attentionAdd", map[string]int{"m": m, "n": n, "ldd": ldd, "lds": lds, "factor": int(bits(factor))},
			rowsAt("dst", unsafe.Pointer(dst), m, n, ldd), rowsAt("src", unsafe.Pointer(src), m, n, lds))
	}
	a.scale = func(m, n int, dst *float32, ldd int, src *float32, lds int, factor *float32) {
		if dst == src {
			from := make([]float32, (m-1)*lds/4+n)
			copy(from, unsafe.Slice(src, len(from)))
			src = &from[0]
		}
		e.run("attentionScale", map[string]int{"m": m, "n": n, "ldd": ldd, "lds": lds}, rowsAt("src", unsafe.Pointer(src), m, n, lds),
			window{"factor", unsafe.Pointer(factor), 0, m}, rowsAt("dst", unsafe.Pointer(dst), m, n, ldd))
	}
	a.copy = func(m, n int, dst *float32, ldd int, src *float32, lds int) {
		e.run("attentionCopy", map[string]int{"m": m, "n": n, "ldd": ldd, "lds": lds}, rowsAt("src", unsafe.Pointer(src), m, n, lds), rowsAt("dst", unsafe.Pointer(dst), m, n, ldd))
	}
	a.dot = func(m, n int, dst, x *float32, ldx int, y *float32, ldy int) {
		e.run("attentionDot", map[string]int{"m": m, "n": n, "ldx": ldx, "ldy": ldy}, window{"dst", unsafe.Pointer(dst), 0, m},
			rowsAt("x", unsafe.Pointer(x), m, n, ldx), rowsAt("y", unsafe.Pointer(y), m, n, ldy))
	}
	a.transpose = func(n int, dst *float32, ldd int, src *float32, lds int, factor float32) {
		e.run("attentionTranspose", map[string]int{"n": n, "ldd": ldd, "lds": lds, "factor": int(bits(factor))},
			rowsAt("src", unsafe.Pointer(src), 8, n, lds), rowsAt("dst", unsafe.Pointer(dst), n, 8, ldd))
	}
}

// Attention by interpreted kernels: AVX-512's give the bits of AVX2's, and those of the processor.
func TestEmulatedAttention(t *testing.T) {
	oneGoroutine(t)
	r := rand.New(rand.NewPCG(37, 38))
	large := newAttention(r, 1, 66, 1, 1, 1) // scores that rise by more than the margin
	for i := range large.qkv {
		large.qkv[i] *= 4
	}
	cases := []*attentionCase{
		newAttention(r, 1, 17, 1, 1, 16), large, newAttention(r, 1, 14, 1, 1, 3).permuted(r).biased(r, false),
		newCross(r, 1, 2, 66, 2, 1, 3, separate).biased(r, true),
	}
	device := func(k *kernels) *Device {
		d := testDevice(t, 1, "generic")
		d.kern = k
		return d
	}
	sets := []*Device{device(emulated(t, "avx2", 8, 6, 16)), device(emulated(t, "avx512", 16, 12, 32))}
	if host, err := findKernels("avx2"); err == nil {
		sets = append(sets, device(host))
	}
	for i, c := range cases {
		dy := fill[float64](r, c.attrs.B*c.attrs.T*c.attrs.Heads*c.dim)
		want := c.run(t, sets[0], dy)
		for _, d := range sets[1:] {
			for k, got := range c.run(t, d, dy) {
				sameBits(t, fmt.Sprintf("case %d, output %d, %s and interpreted avx2", i, k, d.Name()), got, want[k])
			}
		}
	}
}
