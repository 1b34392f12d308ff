package cpu

import (
	"math/bits"

	"hone/trainer/exec"
)

// philox is Philox4x32-10 (Salmon et al. 2011): four random words of a counter and a key.
func philox(c0, c1, c2, c3, k0, k1 uint32) (uint32, uint32, uint32, uint32) {
	for range 10 {
		hi0, lo0 := bits.Mul32(0xD2511F53, c0)
		hi1, lo1 := bits.Mul32(0xCD9E8D57, c2)
		c0, c1, c2, c3 = hi1^c1^k0, lo1, hi0^c3^k1, lo0
		k0 += 0x9E3779B9
		k1 += 0xBB67AE85
	}
	return c0, c1, c2, c3
}

// A dropoutJob is cut over elements. Element i takes word i%4 of counter
// (i/4, salt, step, micro-batch) under key (seed low, seed high ^ salt's upper half).
type dropoutJob[T float] struct {
	x, y                      []T
	salt, step, micro, k0, k1 uint32
	limit                     uint32 // words below it drop the element
	scale                     T
}

func (j *dropoutJob[T]) chunk(i, _ int) {
	lo := i * elemChunk // a multiple of 4
	hi := min(len(j.y), lo+elemChunk)
	x, y := j.x[lo:hi], j.y[lo:hi]
	block := uint32(lo / 4)
	for len(y) >= 4 {
		r := [4]uint32{}
		r[0], r[1], r[2], r[3] = philox(block, j.salt, j.step, j.micro, j.k0, j.k1)
		v, w := (*[4]T)(x), (*[4]T)(y)
		for k := range r {
			// A table, for the branch would be mispredicted at each dropped element.
			w[k] = v[k] * [2]T{0, j.scale}[keep(r[k], j.limit)]
		}
		x, y = x[4:], y[4:]
		block++
	}
	if len(y) > 0 {
		r := [4]uint32{}
		r[0], r[1], r[2], r[3] = philox(block, j.salt, j.step, j.micro, j.k0, j.k1)
		for k := range y {
			y[k] = x[k] * [2]T{0, j.scale}[keep(r[k], j.limit)]
		}
	}
}

// keep is 1 for r >= limit, else 0.
func keep(r, limit uint32) uint32 {
	_, borrow := bits.Sub32(r, limit, 0)
	return 1 - borrow
}

// dropout: x, rng(4) int32 -> y.
func dropout[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 3); err != nil {
		return err
	}
	rng := view[int32](args[1])
	j := &js.dropout
	*j = dropoutJob[T]{x: view[T](args[0]), y: view[T](args[2])}
	if len(j.x) != len(j.y) || len(rng) != 4 {
		return mismatch(in, args)
	}
	p := in.Attrs.P
	if p >= 1 { // nothing is kept, and 1/(1-p) is no number
		clear(j.y)
		return nil
	}
	j.limit = uint32(max(0, p) * (1 << 32))
	j.scale = T(1 / (1 - max(0, p)))
	j.k0, j.k1 = uint32(rng[0]), uint32(rng[1])^uint32(in.Attrs.Salt>>32)
	j.step, j.micro, j.salt = uint32(rng[2]), uint32(rng[3]), uint32(in.Attrs.Salt)
	d.pool.run(chunks(len(j.y), elemChunk), j)
	return nil
}
