package cpu

import (
	"fmt"
	"math"

	"hone/trainer/exec"
)

// A philoxKey is the ten round keys of Philox4x32-10 (Salmon et al. 2011).
type philoxKey [10][2]uint32

const philoxM0, philoxM1 = 0xD2511F53, 0xCD9E8D57

func newPhiloxKey(k0, k1 uint32) (k philoxKey) {
	for i := range k {
		k[i] = [2]uint32{k0, k1}
		k0 += 0x9E3779B9
		k1 += 0xBB67AE85
	}
	return
}

// words gives the four random words of a counter.
func (k *philoxKey) words(c0, c1, c2, c3 uint32) (uint32, uint32, uint32, uint32) {
	for i := range k {
		p0, p1 := uint64(c0)*philoxM0, uint64(c2)*philoxM1
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k[i][0], uint32(p1), uint32(p0>>32)^c3^k[i][1], uint32(p0)
	}
	return c0, c1, c2, c3
}

// A mask says which elements are dropped. Element i is decided by half-word i%8 of counter (i/8, salt, step, micro-batch)
// under key (seed low, seed high ^ salt's upper half). Sixteen bits are enough: kept elements are scaled by the rate as
// rounded to them.
type mask[T float] struct {
	k                 *kernels
	state             maskState
	key               philoxKey
	salt, step, micro uint32
	limit             uint64 // half-words below it drop the element; 0: none is
	scale             T
}

// A maskState is what the assembly reads: vectors of one word each, but for the counters'
// offsets and their step, which lie in the lower half of each 64 bits.
type maskState [30][8]uint32

func (s *maskState) fill(key *philoxKey, salt, step, micro uint32, limit uint64, scale float32) {
	words := [...]uint32{salt, step, micro, philoxM0, philoxM1, 0, uint32(limit) - 1, math.Float32bits(scale), 0, 4}
	for i := range s {
		for k := range s[i] {
			if i < 20 {
				s[i][k] = key[i/2][i%2]
			} else {
				s[i][k] = words[i-20]
			}
		}
	}
	for k := range uint32(4) {
		s[25][2*k], s[28][2*k] = math.MaxUint32, k
	}
}

// set reads the attributes of an op, and its rng, of four words. The probability is rounded to
// a multiple of 2^-16.
func (m *mask[T]) set(k *kernels, in *exec.Instr, rng []int32) error {
	p := in.Attrs.P
	if !(p >= 0 && p <= 1) {
		return fmt.Errorf("cpu: %v %s: probability %g is not within 0 and 1", in.Op, in.Note, p)
	}
	m.k, m.limit = k, uint64(math.Round(p*(1<<16)))
	m.scale = T((1 << 16) / float64(1<<16-m.limit))
	m.key = newPhiloxKey(uint32(rng[0]), uint32(rng[1])^uint32(in.Attrs.Salt>>32))
	m.step, m.micro, m.salt = uint32(rng[2]), uint32(rng[3]), uint32(in.Attrs.Salt)
	m.state.fill(&m.key, m.salt, m.step, m.micro, m.limit, float32(m.scale))
	return nil
}

// apply writes what is left of x to y, which may be x; block is an eighth of the first element's number.
func (m *mask[T]) apply(y, x []T, block uint32) {
	// The factor comes from a table: a branch would be mispredicted at each dropped element.
	factor := [2]T{m.scale, 0}
	limit := m.limit
	if n := len(y) / 32; isF32[T]() && m.k.dropout != nil && n > 0 {
		m.k.dropout(n, f32(y), f32(x), &m.state[0][0], block)
		x, y, block = x[32*n:], y[32*n:], block+4*uint32(n)
	}
	for ; len(y) >= 8; block++ {
		a, b, c, d := m.key.words(block, m.salt, m.step, m.micro)
		v, w := (*[8]T)(x), (*[8]T)(y)
		w[0] = v[0] * factor[drop(a&0xffff, limit)]
		w[1] = v[1] * factor[drop(a>>16, limit)]
		w[2] = v[2] * factor[drop(b&0xffff, limit)]
		w[3] = v[3] * factor[drop(b>>16, limit)]
		w[4] = v[4] * factor[drop(c&0xffff, limit)]
		w[5] = v[5] * factor[drop(c>>16, limit)]
		w[6] = v[6] * factor[drop(d&0xffff, limit)]
		w[7] = v[7] * factor[drop(d>>16, limit)]
		x, y = x[8:], y[8:]
	}
	if len(y) > 0 {
		var r [4]uint32
		r[0], r[1], r[2], r[3] = m.key.words(block, m.salt, m.step, m.micro)
		for k := range y {
			y[k] = x[k] * factor[drop(r[k/2]>>(k%2*16)&0xffff, limit)]
		}
	}
}

// drop is 1 for r < limit, else 0.
func drop(r uint32, limit uint64) uint64 { return (uint64(r) - limit) >> 63 }

// A dropoutJob is cut over elements.
type dropoutJob[T float] struct {
	x, y []T
	mask mask[T]
}

func (j *dropoutJob[T]) chunk(i, _ int) {
	lo := i * elemChunk // a multiple of 32
	hi := min(lo+elemChunk, len(j.y))
	j.mask.apply(j.y[lo:hi], j.x[lo:hi], uint32(lo/8))
}

// dropout: x, rng(4) int32 -> y.
func dropout[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 3); err != nil {
		return err
	}
	rng := view[int32](args[1])
	j := &js.dropout
	j.x, j.y = view[T](args[0]), view[T](args[2])
	if len(j.x) != len(j.y) || len(rng) != 4 {
		return mismatch(in, args)
	}
	if err := j.mask.set(d.kern, in, rng); err != nil {
		return err
	}
	if j.mask.limit == 1<<16 { // nothing is kept, and the scale would be infinite
		clear(j.y)
	} else {
		d.pool.run(chunks(len(j.y), elemChunk), j)
	}
	*j = dropoutJob[T]{}
	return nil
}
