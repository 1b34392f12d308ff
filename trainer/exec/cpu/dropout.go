package cpu

import "hone/trainer/exec"

// A philoxKey is the ten round keys of Philox4x32-10 (Salmon et al. 2011).
type philoxKey [10][2]uint32

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
		p0, p1 := uint64(c0)*0xD2511F53, uint64(c2)*0xCD9E8D57
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k[i][0], uint32(p1), uint32(p0>>32)^c3^k[i][1], uint32(p0)
	}
	return c0, c1, c2, c3
}

// A dropoutJob is cut over elements. Element i takes word i%4 of counter
// (i/4, salt, step, micro-batch) under key (seed low, seed high ^ salt's upper half).
type dropoutJob[T float] struct {
	x, y              []T
	key               philoxKey
	salt, step, micro uint32
	limit             uint32 // words below it drop the element
	scale             T
}

func (j *dropoutJob[T]) chunk(i, _ int) {
	lo := i * elemChunk // a multiple of 4
	hi := min(len(j.y), lo+elemChunk)
	x, y := j.x[lo:hi], j.y[lo:hi]
	// A factor from a table, for a branch would be mispredicted at each dropped element.
	factor := [2]T{0, j.scale}
	limit, block := j.limit, uint32(lo/4)
	for ; len(y) >= 4; block++ {
		a, b, c, d := j.key.words(block, j.salt, j.step, j.micro)
		v, w := (*[4]T)(x), (*[4]T)(y)
		w[0] = v[0] * factor[keep(a, limit)]
		w[1] = v[1] * factor[keep(b, limit)]
		w[2] = v[2] * factor[keep(c, limit)]
		w[3] = v[3] * factor[keep(d, limit)]
		x, y = x[4:], y[4:]
	}
	if len(y) > 0 {
		var r [4]uint32
		r[0], r[1], r[2], r[3] = j.key.words(block, j.salt, j.step, j.micro)
		for k := range y {
			y[k] = x[k] * factor[keep(r[k], limit)]
		}
	}
}

// keep is 1 for r >= limit, else 0.
func keep(r, limit uint32) uint64 {
	return (uint64(limit) - 1 - uint64(r)) >> 63
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
	j.key = newPhiloxKey(uint32(rng[0]), uint32(rng[1])^uint32(in.Attrs.Salt>>32))
	j.step, j.micro, j.salt = uint32(rng[2]), uint32(rng[3]), uint32(in.Attrs.Salt)
	d.pool.run(chunks(len(j.y), elemChunk), j)
	return nil
}
