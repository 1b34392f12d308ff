package cpu

import (
	"fmt"
	"math"

	"hone/trainer/exec"
)

// A cachedJob is attention of new tokens to the cached tokens of their sequences and to each other. It has the tiles and
// sums of attention, so that a token has the same bits whatever tokens are read with it. First the keys and values of
// all rows are written to the caches, cut over rows; then the queries attend to them, cut over stretches and key heads.
type cachedJob[T float] struct {
	d                    *Device
	writing              bool
	q, k, v              []T // of the new tokens
	ldq, ldk             int // the distance of their rows: k and v may lie beside q
	keys, values, y      []T
	positions, sequences []int32
	t, heads, kv, dim    int
	window               int // rows that a query sees up to its own; 0: all
	strict               int // 1: a query does not see the row of its own position
	bias                 []T // (H,T) or (R,H,T), ldr elements a row; nil: none
	ldr                  int
	scale                T
	stretches            []stretch // kept between launches
}

// A stretch is rows of one sequence that follow one another.
type stretch struct{ from, to int }

// writeRows is how many rows' keys and values one chunk writes.
const writeRows = 16

func (j *cachedJob[T]) chunk(i, worker int) {
	if j.writing {
		ld := j.kv * j.dim // of a row
		for r := i * writeRows; r < min(len(j.positions), (i+1)*writeRows); r++ {
			if at := j.cached(r); at >= 0 {
				copy(j.keys[at:at+ld], j.k[r*j.ldk:])
				if j.values != nil {
					copy(j.values[at:at+ld], j.v[r*j.ldk:])
				}
			}
		}
		return
	}
	j.attend(j.stretches[i/j.kv], i%j.kv, j.d.scratch[worker])
}

// cached is the index of a row's keys and values in the caches; -1: the row is not used.
func (j *cachedJob[T]) cached(r int) int {
	if j.positions[r] < 0 {
		return -1
	}
	return (int(j.sequences[r])*j.t + int(j.positions[r])) * j.kv * j.dim
}

// attend computes the results of a stretch for the query heads of one key head. Query i is of row i/group. Up to
// unitTiles tiles of queries take in each tile of keys together.
func (j *cachedJob[T]) attend(r stretch, kv int, w *scratch) {
	d, group, ld := j.dim, j.heads/j.kv, j.kv*j.dim
	first := int(j.sequences[r.from])*j.t*ld + kv*d
	keys, values := j.keys[first:], j.values[first:]
	of := func(i int) (row, head int) { return r.from + i/group, kv*group + i%group }
	t := newTiler[T](j.d.kern, w, d)
	for q0, all := 0, (r.to-r.from)*group; q0 < all; q0 += unitTiles * tileRows {
		o := newTileWork[T](j.d.kern, w, d, tileRows*t.ld+unitTiles*(tileRows*t.ld+t.querierSize(tileRows)))
		packed := o.take(tileRows * o.ld)
		var tiles [unitTiles]querier[T]
		count, first, last := min(unitTiles, (all-q0+tileRows-1)/tileRows), j.t, 0
		for i := range count {
			at := q0 + i*tileRows
			m := min(tileRows, all-at)
			q := o.take(m * o.ld)
			for k := range m {
				row, h := of(at + k)
				o.load(1, q[k*o.ld:], j.q[row*j.ldq+h*d:], d)
				first, last = min(first, int(j.positions[row])), max(last, int(j.positions[row])-j.strict)
			}
			tiles[i] = o.querier(m, q, o.ld)
		}
		from := 0
		if j.window > 0 {
			from = max(0, first-j.window+1) / tileRows * tileRows
		}
		for k0 := from; k0 <= last; k0 += tileRows {
			n := min(tileRows, last+1-k0)
			o.transpose(n, o.kt, keys[k0*ld:], ld, T(float64(j.scale)*math.Log2E))
			v, ldv := values[k0*ld:], ld
			if o.wide != d { // the product reads whole vectors
				o.load(n, packed, v, ld)
				v, ldv = packed, o.ld
			}
			for i := range count {
				u, most := &tiles[i], 0
				o.orders.banded = false
				for k := range u.m {
					row, _ := of(q0 + i*tileRows + k)
					at := int(j.positions[row]) - k0 // from the tile's first key
					seen := max(0, min(n, at+1-j.strict))
					o.orders.seen[k] = int32(seen)
					if j.window > 0 {
						o.orders.near[k] = int32(j.window - 1 - at)
						o.orders.banded = o.orders.banded || at >= j.window
						if at-(n-1) >= j.window {
							seen = 0
						}
					}
					most = max(most, seen)
				}
				if most == 0 {
					continue
				}
				o.product(u.m, n, d, u.q, o.ld, 1, o.kt, tileLD, o.s, tileLD, false, square)
				if j.bias != nil {
					for k := range u.m {
						row, h := of(q0 + i*tileRows + k)
						if seen := int(o.orders.seen[k]); seen > 0 {
							at := row*j.ldr + (h+1)*j.t - 1 - int(j.positions[row]) + k0
							o.add(1, seen, o.s, k*tileLD, tileLD, j.bias, at, 0, math.Log2E)
						}
					}
				}
				o.hide(u.m, n)
				u.softmax(&o, n)
				u.add(&o, n, v, ldv, square)
			}
		}
		for i := range count {
			u := &tiles[i]
			u.end(&o, u.q, o.ld, nil, 0) // in the queries' place
			for k := range u.m {
				row, h := of(q0 + i*tileRows + k)
				copy(j.y[(row*j.heads+h)*d:][:d], u.q[k*o.ld:])
			}
		}
	}
}

// split finds the stretches, each of at most as many rows as make up a unit's queries, and clears the results of unused
// rows.
func (j *cachedJob[T]) split() {
	most := max(1, unitTiles*tileRows*j.kv/j.heads)
	j.stretches = j.stretches[:0]
	for r, p := range j.positions {
		if p < 0 {
			clear(j.y[r*j.heads*j.dim:][:j.heads*j.dim])
			continue
		}
		if n := len(j.stretches); n > 0 {
			if u := &j.stretches[n-1]; u.to == r && u.to-u.from < most && j.sequences[u.from] == j.sequences[r] {
				u.to++
				continue
			}
		}
		j.stretches = append(j.stretches, stretch{r, r + 1})
	}
}

// cacheOf sets the caches, and where rows lie in them.
func (j *cachedJob[T]) cacheOf(in *exec.Instr, keys, values, positions, sequences exec.Arg, rows int) error {
	shape := keys.Shape
	if len(shape) == 2 {
		shape = append([]int{1}, shape...)
	}
	if len(shape) != 3 {
		return fmt.Errorf("cpu: %v: keys of shape %v", in.Op, shape)
	}
	j.keys, j.values, j.positions, j.sequences = view[T](keys), view[T](values), view[int32](positions), view[int32](sequences)
	b, n := shape[0], shape[0]*shape[1]*j.kv*j.dim
	if j.t = shape[1]; len(j.keys) != n || values.Buffer != nil && len(j.values) != n || len(j.positions) != rows || len(j.sequences) != rows {
		return fmt.Errorf("cpu: %v: caches %v and %v do not fit %d rows of %d heads of %d", in.Op, keys.Shape, values.Shape, rows, j.kv, j.dim)
	}
	for r, p := range j.positions {
		if s := j.sequences[r]; p >= 0 && (int(p) >= j.t || s < 0 || int(s) >= b) {
			return fmt.Errorf("cpu: %v %s: row %d: position %d of sequence %d is outside the caches of %d sequences of %d", in.Op, in.Note, r, p, s, b, j.t)
		}
	}
	return nil
}

// attentionCached: q(R,H·D), keys(B,T,KV·D), values, positions(R), sequences(R), k(R,KV·D), v, bias -> y(R,H·D), keys,
// values; or, without k and v, q(R,(H+2·KV)·D); or, without keys and values as results, q(R,H·D) alone.
func attentionCached[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	const inputs = 8
	if len(args) != inputs+1 {
		if err := operands(in, args, inputs+3); err != nil {
			return err
		}
	}
	a := &in.Attrs
	rows, w, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	writes, apart := len(args) == inputs+3, args[5].Buffer != nil
	heads := a.Heads // in q
	if writes && !apart {
		heads += 2 * a.KVHeads
	}
	if a.Heads < 1 || a.KVHeads < 1 || a.Heads%a.KVHeads != 0 || a.Window < 0 || w%heads != 0 || apart && !writes {
		return mismatch(in, args)
	}
	j := &js.cached
	*j = cachedJob[T]{
		d: d, heads: a.Heads, kv: a.KVHeads, dim: w / heads, window: a.Window, scale: T(a.Scale), bias: view[T](args[7]),
		q: view[T](args[0]), y: view[T](args[inputs]), ldq: w, ldk: w, stretches: j.stretches,
	}
	defer func() { *j = cachedJob[T]{stretches: j.stretches} }()
	if a.Strict {
		j.strict = 1
	}
	if err := j.cacheOf(in, args[1], args[2], args[3], args[4], rows); err != nil {
		return err
	}
	if len(args[7].Shape) == 3 {
		j.ldr = j.heads * j.t
	}
	if len(j.values) == 0 || len(j.y) != rows*j.heads*j.dim || j.bias != nil && len(j.bias) != max(1, rows*min(1, j.ldr))*j.heads*j.t {
		return mismatch(in, args)
	}
	switch {
	case apart:
		if j.k, j.v, j.ldk = view[T](args[5]), view[T](args[6]), a.KVHeads*j.dim; len(j.k) != rows*j.ldk || len(j.v) != rows*j.ldk {
			return mismatch(in, args)
		}
	case writes:
		j.k, j.v = j.q[a.Heads*j.dim:], j.q[(a.Heads+a.KVHeads)*j.dim:]
	}
	j.split()
	if writes {
		j.write()
	}
	d.pool.run(len(j.stretches)*j.kv, j)
	return nil
}

// write writes the rows' keys and values to the caches.
func (j *cachedJob[T]) write() {
	j.writing = true
	j.d.pool.run(chunks(len(j.positions), writeRows), j)
	j.writing = false
}

// cacheRows: x(R,2·W), keys(B,T,W), values, positions(R), sequences(R) -> keys, values; or x(R,W), without values.
func cacheRows[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	halves := 2
	if len(args) == 6 {
		halves = 1
	} else if err := operands(in, args, 7); err != nil {
		return err
	}
	rows, w, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	if w == 0 || w%halves != 0 || (args[2].Buffer != nil) != (halves == 2) {
		return mismatch(in, args)
	}
	j := &js.cached
	*j = cachedJob[T]{d: d, kv: 1, dim: w / halves, k: view[T](args[0]), ldk: w, stretches: j.stretches}
	defer func() { *j = cachedJob[T]{stretches: j.stretches} }()
	if err := j.cacheOf(in, args[1], args[2], args[3], args[4], rows); err != nil {
		return err
	}
	if rows > 0 {
		j.v = j.k[w/halves:]
		j.write()
	}
	return nil
}
