package data

import (
	"fmt"
	"math"
	"strings"

	"hone/data/corpus"
)

// A Part is one corpus of a mixture.
type Part struct {
	Name    string
	Records corpus.Records
	Weight  float64 // its share is Weight over the sum of all
}

// A Unit is what the weights of a mixture share out.
type Unit uint8

const (
	ByDocument Unit = iota
	ByToken
)

var units = []string{ByDocument: "document", ByToken: "token"}

func (u Unit) String() string {
	if int(u) < len(units) {
		return units[u]
	}
	return fmt.Sprintf("unit(%d)", uint8(u))
}

// ParseUnit is the unit of a name.
func ParseUnit(name string) (Unit, error) {
	for u, n := range units {
		if n == name {
			return Unit(u), nil
		}
	}
	return 0, fmt.Errorf("data: a mixture is weighed by %q; known: %s", name, strings.Join(units, ", "))
}

// Weights tempers the shares of a mixture: sizes, or weights, to the power of
// 1/temperature, scaled to sum 1. Temperature 1 leaves the proportions; above it small
// corpora gain (Arivazhagan et al. 2019).
func Weights(sizes []float64, temperature float64) []float64 {
	top := 0.0
	for _, s := range sizes {
		top = max(top, s)
	}
	w := make([]float64, len(sizes))
	sum := 0.0
	for i, s := range sizes {
		w[i] = math.Pow(s/top, 1/temperature)
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// next is the corpus that the next document of a mixture comes from: stride scheduling
// (Waldspurger & Weihl 1995). A corpus that has given u units at weight w stands at
// (u+phase)/w, the phase in documents of its mean size, and the one that stands lowest is
// next. By document, the choice at a position depends on the weights alone; by token, on
// the documents drawn so far. The cursor holds the sums, so that resuming replays nothing.
func (r *reader) next(c *Cursor) int {
	best, low := 0, math.Inf(1)
	for i := range r.parts {
		d, p := &c.Parts[i], &r.parts[i]
		given, mean := float64(d.Documents), 1.0
		if r.cfg.MixtureBy == ByToken {
			given, mean = float64(d.Tokens), float64(d.Tokens)/float64(max(1, d.Documents))
		}
		// The conversion keeps processors from fusing, which rounds otherwise.
		if at := (given + float64(p.phase*mean)) * p.stride; at < low {
			best, low = i, at
		}
	}
	return best
}

// phase is where in its first stride a corpus begins: the golden ratio's multiples lie
// evenly, so that corpora of one weight do not come all at once.
func phase(i int) float64 {
	_, f := math.Modf((float64(i) + 0.5) * math.Phi)
	return f
}
