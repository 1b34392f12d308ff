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

// A Unit is the unit in which the weights of a mixture are measured.
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

// ParseUnit gives the unit of a name.
func ParseUnit(name string) (Unit, error) {
	for u, n := range units {
		if n == name {
			return Unit(u), nil
		}
	}
	return 0, fmt.Errorf("data: unknown unit %q of a mixture's weights (known: %s)", name, strings.Join(units, ", "))
}

// Weights gives the shares of the corpora of a mixture: their sizes, or weights, to the
// power of 1/temperature, scaled to the sum 1. A temperature of 1 keeps the proportions;
// higher ones give small corpora more (Arivazhagan et al. 2019).
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

// next gives the corpus that the next document of a mixture comes from, by stride
// scheduling (Waldspurger & Weihl 1995): a corpus of weight w from which u units have been
// drawn has the value (u+phase)/w, with the phase in documents of its mean size, and the
// corpus with the least value is next. With documents as unit the choice depends on the
// weights alone; with tokens, also on the documents drawn so far. The cursor contains the
// sums, so that nothing has to be repeated to resume.
func (r *reader) next(c *Cursor) int {
	best, low := 0, math.Inf(1)
	for i := range r.parts {
		d, p := &c.Parts[i], &r.parts[i]
		given, mean := float64(d.Documents), 1.0
		if r.cfg.MixtureBy == ByToken {
			given, mean = float64(d.Tokens), float64(d.Tokens)/float64(max(1, d.Documents))
		}
		// The conversion prevents a fused multiply-add, which rounds differently.
		if at := (given + float64(p.phase*mean)) * p.stride; at < low {
			best, low = i, at
		}
	}
	return best
}

// phase is the offset of a corpus in its first stride. Multiples of the golden ratio are
// evenly distributed, so that corpora of equal weight alternate.
func phase(i int) float64 {
	_, f := math.Modf((float64(i) + 0.5) * math.Phi)
	return f
}
