package clean

import (
	"math"
	"slices"
)

// An Index has 20 bands of 6 rows: a pair of similarity 0.8 meets in a band with
// probability 1-(1-0.8⁶)²⁰ = 0.998.
const (
	indexBands = 20
	indexRows  = 6
	indexSigns = indexBands * indexRows
)

// An Index finds for each text of a stream whether an earlier text duplicates it. It keeps
// about 600 bytes for each text, whatever its length: where the MinHash signatures of two
// candidates do not rule a duplicate out, the texts themselves are read again and compared.
type Index struct {
	near      bool
	threshold float64
	least     int // the texts of two signatures with fewer equal rows are not compared
	text      func(id int64) (string, error)
	seeds     [indexSigns]uint64

	exact map[uint64]struct{}
	ids   []int64
	mins  [][indexSigns]uint16
	// slots is a hash table of the bands of all texts, probed linearly: 32 bits of the
	// band's hash, and the text's place in ids and mins, from 1; 0 is empty.
	slots []uint64
	used  int
}

// A Signature is what an Index keeps of a text; see Sign.
type Signature struct {
	key   uint64
	words bool
	mins  [indexSigns]uint16
	bands [indexBands]uint64
	set   []uint64 // sorted hashes of the n-grams
}

// A Verdict is the result of comparing a text with the earlier ones.
type Verdict int

const (
	Fresh Verdict = iota
	Exact         // it has the words of an earlier text
	Near          // it is a near duplicate of an earlier text
)

// NewIndex makes an index for rules that set Dedup. text reads again the text that was
// inserted with an id.
func NewIndex(r Rules, text func(id int64) (string, error)) *Index {
	r = r.WithDefaults()
	x := &Index{near: r.Dedup == "near", threshold: r.Threshold, text: text, exact: map[uint64]struct{}{}}
	// Three standard deviations below the mean of a pair at the threshold.
	x.least = int(indexSigns * (r.Threshold - 3*math.Sqrt(r.Threshold*(1-r.Threshold)/indexSigns)))
	for i := range x.seeds {
		x.seeds[i] = mix(uint64(i+1) * 0x9e3779b97f4a7c15)
	}
	return x
}

// Sign computes a text's signature. It may be called from several goroutines at once.
func (x *Index) Sign(text string) (s Signature) {
	if !x.near {
		s.key = Key(text)
		return s
	}
	var list []uint64
	words(text, func(h uint64) { list = append(list, h) })
	s.key = keyOf(list)
	if s.words = len(list) > 0; !s.words {
		return s
	}
	s.set = set(grams(list, DedupNGram))
	var low [indexSigns]uint64
	for i := 0; i < indexSigns; i += 4 { // four at a time stay in registers
		a, b, c, d := x.seeds[i], x.seeds[i+1], x.seeds[i+2], x.seeds[i+3]
		la, lb, lc, ld := uint64(math.MaxUint64), uint64(math.MaxUint64), uint64(math.MaxUint64), uint64(math.MaxUint64)
		for _, h := range s.set {
			// As in sign: n-gram hashes are mixed already.
			la = min(la, (h^a)*(a|1))
			lb = min(lb, (h^b)*(b|1))
			lc = min(lc, (h^c)*(c|1))
			ld = min(ld, (h^d)*(d|1))
		}
		low[i], low[i+1], low[i+2], low[i+3] = la, lb, lc, ld
	}
	for b := range s.bands {
		k := uint64(b)
		for r, v := range low[b*indexRows : (b+1)*indexRows] {
			// The lowest bits of a product are mixed least, and the highest of a minimum are 0.
			s.mins[b*indexRows+r] = uint16(v >> 24)
			k = mix(k*3 + v)
		}
		s.bands[b] = k
	}
	return s
}

func set(grams []uint64) []uint64 {
	slices.Sort(grams)
	return slices.Compact(grams)
}

// Insert compares a text with those inserted before, and keeps its signature if it repeats
// none of them. Of two duplicates the one that is inserted first stays.
func (x *Index) Insert(id int64, s *Signature) (Verdict, error) {
	if _, ok := x.exact[s.key]; ok {
		return Exact, nil
	}
	if x.near && s.words {
		near, err := x.find(s)
		if err != nil {
			return Fresh, err
		}
		if near {
			return Near, nil
		}
		x.insert(id, s)
	}
	x.exact[s.key] = struct{}{}
	return Fresh, nil
}

// candidates is how many texts of one band are compared at most: boilerplate puts very
// many texts into one band.
const candidates = 64

func (x *Index) find(s *Signature) (bool, error) {
	if len(x.slots) == 0 {
		return false, nil
	}
	var seen []uint64
	for _, h := range s.bands {
		looked := 0
		for at := x.slot(h >> 32); x.slots[at] != 0 && looked < candidates; at = (at + 1) % len(x.slots) {
			if x.slots[at]>>32 != h>>32 {
				continue
			}
			looked++
			k := x.slots[at]&math.MaxUint32 - 1
			if slices.Contains(seen, k) {
				continue
			}
			seen = append(seen, k)
			equal := 0
			for i, v := range &s.mins {
				if x.mins[k][i] == v {
					equal++
				}
			}
			if equal < x.least {
				continue
			}
			other, err := x.text(x.ids[k])
			if err != nil {
				return false, err
			}
			if jaccard(s.set, set(ngrams(nil, other, DedupNGram))) >= x.threshold {
				return true, nil
			}
		}
	}
	return false, nil
}

func (x *Index) insert(id int64, s *Signature) {
	x.ids, x.mins = append(x.ids, id), append(x.mins, s.mins)
	if 3*(x.used+indexBands) > 2*len(x.slots) {
		x.grow()
	}
	for _, h := range s.bands {
		x.put(h, uint64(len(x.ids)))
	}
	x.used += indexBands
}

func (x *Index) put(h, k uint64) {
	at := x.slot(h >> 32)
	for x.slots[at] != 0 {
		at = (at + 1) % len(x.slots)
	}
	x.slots[at] = h>>32<<32 | k
}

// slot is where the search for the upper half of a hash begins.
func (x *Index) slot(high uint64) int { return int(high * uint64(len(x.slots)) >> 32) }

// grow doubles the table.
func (x *Index) grow() {
	old := x.slots
	x.slots = make([]uint64, max(1024, 2*len(old)))
	for _, s := range old {
		if s != 0 {
			x.put(s, s&math.MaxUint32)
		}
	}
}
