package cpu

// A span is a run of rows of one sequence that see nothing outside it.
type span struct {
	row, n int32 // within all R rows
	tile0  int32 // its first tile
	kind   spanKind
}

type spanKind uint8

const (
	spanBlank   spanKind = iota // negative segment: sees nothing
	spanCausal                  // order increases with each row
	spanOrdered                 // any order
	spanMixed                   // a whole sequence, for one of its segments is in several pieces
)

// tileEnd is the number of the tile after the last.
func (s *span) tileEnd() int { return int(s.tile0) + (int(s.n)+tileRows-1)/tileRows }

// A tile is some tileRows rows of a span, with the least and the largest of their orders.
type tile struct {
	span     int32
	min, max int32
}

// spans are a batch's cut. Both lists have room for one entry a row from the start,
// for the number of documents changes from batch to batch.
type spans struct {
	list  []span
	tiles []tile
}

func (s *spans) find(segments, order []int32, t int) {
	if cap(s.list) < len(segments) {
		s.list = make([]span, 0, len(segments))
		s.tiles = make([]tile, 0, len(segments))
	}
	s.list, s.tiles = s.list[:0], s.tiles[:0]
	for row0 := 0; row0 < len(segments); row0 += t {
		s.sequence(row0, segments[row0:row0+t], order[row0:row0+t])
	}
	for i := range s.list {
		sp := &s.list[i]
		sp.tile0 = int32(len(s.tiles))
		for r := sp.row; r < sp.row+sp.n; r += tileRows {
			rows := order[r:min(r+tileRows, sp.row+sp.n)]
			t := tile{int32(i), rows[0], rows[0]}
			for _, o := range rows[1:] {
				t.min, t.max = min(t.min, o), max(t.max, o)
			}
			s.tiles = append(s.tiles, t)
		}
	}
}

func (s *spans) sequence(row0 int, segments, order []int32) {
	first := len(s.list)
	top := int32(-1) // the largest segment so far
	for lo := 0; lo < len(segments); {
		seg := segments[lo]
		kind, hi := spanCausal, lo+1
		for ; hi < len(segments) && segments[hi] == seg; hi++ {
			if order[hi] <= order[hi-1] {
				kind = spanOrdered
			}
		}
		if seg < 0 {
			kind = spanBlank
		} else if seg > top {
			top = seg
		} else {
			for _, sp := range s.list[first:] {
				if segments[int(sp.row)-row0] == seg {
					s.list = append(s.list[:first], span{row: int32(row0), n: int32(len(segments)), kind: spanMixed})
					return
				}
			}
		}
		s.list = append(s.list, span{row: int32(row0 + lo), n: int32(hi - lo), kind: kind})
		lo = hi
	}
}

// A mask tells which keys of a tile the queries see. The zero mask hides none.
type mask struct {
	prefix     bool    // query i sees keys 0..i
	qOrd, kOrd []int32 // query i sees key j when kOrd[j] <= qOrd[i]
	qSeg, kSeg []int32 // and their segments are equal and not negative; nil: they are
}

func (m *mask) sees(i, j int) bool {
	return m.kOrd[j] <= m.qOrd[i] && (m.qSeg == nil || m.kSeg[j] == m.qSeg[i] && m.qSeg[i] >= 0)
}

// hide clears what query i does not see.
func hide[T float](m *mask, row []T, i int) {
	for j := range row {
		if !m.sees(i, j) {
			row[j] = 0
		}
	}
}
