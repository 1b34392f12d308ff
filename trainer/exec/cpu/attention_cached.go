package cpu

import (
	"fmt"
	"math"

	"hone/trainer/exec"
)

// A cachedJob is attention of one new token a sequence to a cache, cut over
// sequences and key heads. Its tiles and chains are attention's, so that a token
// decoded equals the same token among its successors.
type cachedJob[T float] struct {
	d                 *Device
	q, k, v           []T // of the new tokens
	ldq, ldk          int // the distance of their rows: k and v may lie beside q
	keys, values, y   []T
	positions         []int32
	t, heads, kv, dim int
	scale             T
}

func (j *cachedJob[T]) chunk(i, worker int) {
	b, kv := i/j.kv, i%j.kv
	d, group, ld := j.dim, j.heads/j.kv, j.kv*j.dim
	row := j.q[b*j.ldq:]
	pos := int(j.positions[b])
	keys, values := j.keys[b*j.t*ld+kv*d:], j.values[b*j.t*ld+kv*d:]
	copy(keys[pos*ld:pos*ld+d], j.k[b*j.ldk+kv*d:])
	copy(values[pos*ld:pos*ld+d], j.v[b*j.ldk+kv*d:])

	// The group's query heads lie side by side: rows d apart, some at a time.
	w := j.d.scratch[worker]
	for first := 0; first < group; first += tileRows {
		h, m := kv*group+first, min(tileRows, group-first)
		t := newTiler[T](j.d.kern, w, d)
		o := newTileWork[T](j.d.kern, w, d, tileRows*t.ld+t.querierSize(m))
		packed := o.take(tileRows * o.ld)
		u := o.querier(m, row[h*d:], d)
		for k0 := 0; k0 <= pos; k0 += tileRows {
			n := min(tileRows, pos+1-k0)
			for i := range m {
				o.orders.seen[i] = int32(n)
			}
			o.transpose(n, o.kt, keys[k0*ld:], ld, T(float64(j.scale)*math.Log2E))
			o.product(m, n, d, u.q, d, 1, o.kt, tileLD, o.s, tileLD, false, square)
			v, ldv := values[k0*ld:], ld
			if o.wide != d { // the product reads whole vectors
				o.load(n, packed, v, ld)
				v, ldv = packed, o.ld
			}
			u.softmax(&o, n)
			u.add(&o, n, v, ldv, square)
		}
		u.end(&o, j.y[(b*j.heads+h)*d:], d, nil, 0)
	}
}

// attentionCached: q(B,H·D), keys(B,T,KV·D), values, positions(B), k(B,KV·D), v -> y(B,H·D), keys, values;
// or, without k and v, q(B,(H+2·KV)·D).
func attentionCached[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	inputs := 4
	if len(args) == 9 {
		inputs = 6
	} else if err := operands(in, args, 7); err != nil {
		return err
	}
	a := &in.Attrs
	b, w, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	heads := a.Heads // in q
	if inputs == 4 {
		heads += 2 * a.KVHeads
	}
	if a.Heads < 1 || a.KVHeads < 1 || a.Heads%a.KVHeads != 0 || w%heads != 0 || len(args[1].Shape) != 3 {
		return mismatch(in, args)
	}
	j := &js.cached
	*j = cachedJob[T]{
		d: d, t: args[1].Shape[1], heads: a.Heads, kv: a.KVHeads, dim: w / heads, scale: T(a.Scale),
		q: view[T](args[0]), keys: view[T](args[1]), values: view[T](args[2]),
		positions: view[int32](args[3]), y: view[T](args[inputs]), ldq: w, ldk: w,
	}
	if inputs == 4 {
		j.k, j.v = j.q[a.Heads*j.dim:], j.q[(a.Heads+a.KVHeads)*j.dim:]
	} else {
		j.k, j.v, j.ldk = view[T](args[4]), view[T](args[5]), a.KVHeads*j.dim
		if len(j.k) != b*j.ldk || len(j.v) != b*j.ldk {
			return mismatch(in, args)
		}
	}
	if n := b * j.t * j.kv * j.dim; len(j.keys) != n || len(j.values) != n || len(j.positions) != b || len(j.y) != b*j.heads*j.dim {
		return mismatch(in, args)
	}
	for i, p := range j.positions {
		if p < 0 || int(p) >= j.t {
			return fmt.Errorf("cpu: %v %s: sequence %d: position %d is outside the cache of %d rows", in.Op, in.Note, i, p, j.t)
		}
	}
	d.pool.run(b*j.kv, j)
	*j = cachedJob[T]{}
	return nil
}
