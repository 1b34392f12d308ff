package cpu

import (
	"fmt"

	"hone/trainer/exec"
)

// A cachedJob is attention of one new token a sequence to a cache, cut over
// sequences and key heads. Its tiles and chains are attention's, so that a token
// decoded equals the same token among its successors.
type cachedJob[T float] struct {
	d                        *Device
	qkv, keys, values, y     []T
	positions                []int32
	t, heads, kv, dim, width int // width: columns of qkv
	scale                    T
}

func (j *cachedJob[T]) chunk(i, worker int) {
	b, kv := i/j.kv, i%j.kv
	d, group, ld := j.dim, j.heads/j.kv, j.kv*j.dim
	row := j.qkv[b*j.width : (b+1)*j.width]
	pos := int(j.positions[b])
	keys, values := j.keys[b*j.t*ld+kv*d:], j.values[b*j.t*ld+kv*d:]
	copy(keys[pos*ld:pos*ld+d], row[(j.heads+kv)*d:])
	copy(values[pos*ld:pos*ld+d], row[(j.heads+j.kv+kv)*d:])

	h := kv * group // the group's query heads lie side by side: rows d apart
	o := newQuerier(j.d.kern, j.d.scratch[worker], group, d, row[h*d:], d, j.scale)
	o.begin(j.y[(b*j.heads+h)*d:], d)
	for k0 := 0; k0 <= pos; k0 += tileRows {
		o.add(min(tileRows, pos+1-k0), keys[k0*ld:], ld, values[k0*ld:], ld, &mask{})
	}
	o.end(nil, 0)
}

// attentionCached: qkv(B,(H+2·KV)·D), keys(B,T,KV·D), values, positions(B) -> y(B,H·D), keys, values.
func attentionCached[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if len(args) != 5 && len(args) != 7 {
		return operands(in, args, 7)
	}
	a := &in.Attrs
	b, w, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	if a.Heads < 1 || a.KVHeads < 1 || a.Heads%a.KVHeads != 0 || w%(a.Heads+2*a.KVHeads) != 0 || len(args[1].Shape) != 3 {
		return mismatch(in, args)
	}
	j := &js.cached
	*j = cachedJob[T]{
		d: d, t: args[1].Shape[1], heads: a.Heads, kv: a.KVHeads, dim: w / (a.Heads + 2*a.KVHeads), width: w, scale: T(a.Scale),
		qkv: view[T](args[0]), keys: view[T](args[1]), values: view[T](args[2]),
		positions: view[int32](args[3]), y: view[T](args[4]),
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
