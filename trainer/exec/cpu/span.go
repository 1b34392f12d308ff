package cpu

import (
	"cmp"
	"math"
	"slices"
)

// rows are the segments and orders of queries or of keys, in sequences of t rows each.
type rows struct {
	segments, order []int32
	t               int
}

// A span is a run of queries and the run of keys of the same segment. Its queries see no other keys.
type span struct {
	q, nq        int32 // the first query, of all, and their number
	k, nk        int32 // keys; none, or no queries: nothing is seen
	qtile, ktile int32 // its first tiles
	seq          int32
	kind         spanKind
}

type spanKind uint8

const (
	spanSorted  spanKind = iota // the keys' order never decreases: each query sees the first so many keys
	spanOrdered                 // any order
	spanMixed                   // a whole sequence, because one of its segments is in several pieces
)

func tilesOf(n int32) int { return (int(n) + tileRows - 1) / tileRows }

// A tile is some tileRows rows of a span, with the least and the largest of their orders.
type tile struct{ min, max int32 }

// A unit is a part of the work: some consecutive query tiles of a span.
type unit struct {
	span, from, to int32
	cost           int32
}

// spans are the spans of a batch, with their tiles and units. The lists keep their capacity, since the number of documents
// changes from batch to batch.
type spans struct {
	list           []span
	first          []int32 // of each sequence, and the number of all
	qtiles, ktiles []tile
	qruns, kruns   []run
	units          []unit
}

// A run is some equal segments side by side.
type run struct{ row, n, segment int32 }

// find cuts a batch into spans. self says that the keys are the queries themselves. With strict, a query does not see keys
// of its own order.
func (s *spans) find(q, k rows, self, strict bool) {
	if n := len(q.segments) + len(k.segments); cap(s.list) < n {
		s.list, s.first, s.units = make([]span, 0, n), make([]int32, 0, n+1), make([]unit, 0, n)
		s.qtiles, s.ktiles, s.qruns, s.kruns = make([]tile, 0, n), make([]tile, 0, n), make([]run, 0, n), make([]run, 0, n)
	}
	s.list, s.first, s.qtiles, s.ktiles = s.list[:0], s.first[:0], s.qtiles[:0], s.ktiles[:0]
	for seq := range len(q.segments) / q.t {
		s.first = append(s.first, int32(len(s.list)))
		s.sequence(seq, q, k, self)
	}
	s.first = append(s.first, int32(len(s.list)))
	less := int32(0)
	if strict {
		less = 1
	}
	for i := range s.list {
		sp := &s.list[i]
		sp.qtile, sp.ktile = int32(len(s.qtiles)), int32(len(s.ktiles))
		if sp.nk == 0 || sp.nq == 0 {
			continue
		}
		s.qtiles = appendTiles(s.qtiles, q.order[sp.q:sp.q+sp.nq], less)
		keys := k.order[sp.k : sp.k+sp.nk]
		s.ktiles = appendTiles(s.ktiles, keys, 0)
		if sp.kind == spanMixed {
			continue
		}
		for j := 1; j < len(keys); j++ {
			if keys[j] < keys[j-1] {
				sp.kind = spanOrdered
				break
			}
		}
	}
}

func appendTiles(tiles []tile, order []int32, less int32) []tile {
	for lo := 0; lo < len(order); lo += tileRows {
		rows := order[lo:min(lo+tileRows, len(order))]
		t := tile{rows[0], rows[0]}
		for _, o := range rows[1:] {
			t.min, t.max = min(t.min, o), max(t.max, o)
		}
		tiles = append(tiles, tile{t.min - less, t.max - less})
	}
	return tiles
}

// sequence appends the spans of one sequence.
func (s *spans) sequence(seq int, q, k rows, self bool) {
	q0, k0 := seq*q.t, seq*k.t
	var whole bool
	s.qruns, whole = appendRuns(s.qruns[:0], q.segments, q0, q.t)
	s.kruns = append(s.kruns[:0], s.qruns...)
	if !self {
		var mixed bool
		s.kruns, mixed = appendRuns(s.kruns[:0], k.segments, k0, k.t)
		whole = whole || mixed
	}
	if whole {
		s.list = append(s.list, span{q: int32(q0), nq: int32(q.t), k: int32(k0), nk: int32(k.t), seq: int32(seq), kind: spanMixed})
		return
	}
	next := 0 // the key run to look at first: usually both come in the same order
	for _, r := range s.qruns {
		sp := span{q: r.row, nq: r.n, seq: int32(seq)}
		for i := 0; r.segment >= 0 && i < len(s.kruns); i++ {
			kr := &s.kruns[(next+i)%len(s.kruns)]
			if kr.segment == r.segment {
				sp.k, sp.nk = kr.row, kr.n
				kr.segment = -1
				kr.n = 0
				next += i + 1
				break
			}
		}
		s.list = append(s.list, sp)
	}
	for _, r := range s.kruns {
		if r.n > 0 { // no query is of this segment
			s.list = append(s.list, span{k: r.row, nk: r.n, seq: int32(seq)})
		}
	}
}

// appendRuns appends the runs of segments[row0:row0+n], and tells whether a segment that is
// not negative is in several of them.
func appendRuns(runs []run, segments []int32, row0, n int) ([]run, bool) {
	top := int32(-1) // the largest so far
	segments = segments[:row0+n]
	for lo := row0; lo < len(segments); {
		seg := segments[lo]
		hi := lo + 1
		for hi < len(segments) && segments[hi] == seg {
			hi++
		}
		if seg > top {
			top = seg
		} else if seg >= 0 {
			for _, r := range runs {
				if r.segment == seg {
					return runs, true
				}
			}
		}
		runs = append(runs, run{int32(lo), int32(hi - lo), seg})
		lo = hi
	}
	return runs, false
}

// plan cuts the spans into units of so many query tiles, the most expensive first, so that all workers end at about the
// same time. Keys that no query sees are units too.
func (s *spans) plan(tiles int) {
	s.units = s.units[:0]
	for i := range s.list {
		sp := &s.list[i]
		n, keys := tilesOf(sp.nq), tilesOf(sp.nk)
		for lo := 0; ; {
			hi := min(n, lo+tiles)
			s.units = append(s.units, unit{span: int32(i), from: int32(lo), to: int32(hi), cost: int32(min((hi-lo)*(hi+keys), math.MaxInt32))})
			if lo = hi; lo == n {
				break
			}
		}
	}
	slices.SortStableFunc(s.units, func(a, b unit) int { return cmp.Compare(b.cost, a.cost) })
}

// of is the span of a unit, if there is one.
func (s *spans) of(u *unit) *span {
	if u == nil {
		return nil
	}
	return &s.list[u.span]
}

// queries are those of a unit: the first, and their number.
func (s *spans) queries(u *unit) (first, n int) {
	sp := &s.list[u.span]
	lo := int(u.from) * tileRows
	return int(sp.q) + lo, min(int(u.to)*tileRows, int(sp.nq)) - lo
}

// keys are those of a unit's span, up to the last tile that the unit sees: the first, and their number.
func (s *spans) keys(u *unit) (first, n int) {
	sp := &s.list[u.span]
	if sp.nq == 0 {
		return int(sp.k), 0
	}
	for kt := tilesOf(sp.nk); kt > 0; kt-- {
		for qt := u.from; qt < u.to; qt++ {
			if s.ktiles[int(sp.ktile)+kt-1].min <= s.qtiles[sp.qtile+qt].max {
				return int(sp.k), min(kt*tileRows, int(sp.nk))
			}
		}
	}
	return int(sp.k), 0
}
