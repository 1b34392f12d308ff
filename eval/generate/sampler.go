package generate

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Sampler chooses the next token from logits.
type Sampler struct {
	Temperature float64 // 0: always the most likely token
	TopK        int     // sample from the K most likely tokens; 0: from all
	TopP        float64 // sample from the most likely tokens whose probabilities sum to P (Holtzman et al. 2020); 0 or 1: from all
	Seed        uint64  // the same seed gives the same text
}

func (s *Sampler) validate() error {
	switch {
	case !(s.Temperature >= 0) || math.IsInf(s.Temperature, 0):
		return fmt.Errorf("temperature %g: want 0 or more", s.Temperature)
	case s.TopK < 0:
		return fmt.Errorf("top-k %d: want 0 (all) or more", s.TopK)
	case !(s.TopP >= 0 && s.TopP <= 1):
		return fmt.Errorf("top-p %g: want 0 to 1", s.TopP)
	}
	return nil
}

type candidate struct {
	id int32
	p  float64
}

// start returns the function that chooses the tokens of one text.
func (s *Sampler) start() func(logits []float32) int32 {
	r := rand.New(rand.NewPCG(s.Seed, 0x9e3779b97f4a7c15))
	var list []candidate
	return func(logits []float32) int32 {
		top := int32(0)
		for i, v := range logits {
			if v > logits[top] {
				top = int32(i)
			}
		}
		if s.Temperature == 0 {
			return top
		}
		list = list[:0]
		for i, v := range logits {
			list = append(list, candidate{int32(i), math.Exp((float64(v) - float64(logits[top])) / s.Temperature)})
		}
		// The most likely first; equals by id, so that the order is the same on every machine.
		slices.SortFunc(list, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.p, a.p), cmp.Compare(a.id, b.id))
		})
		if s.TopK > 0 && s.TopK < len(list) {
			list = list[:s.TopK]
		}
		sum := total(list)
		if s.TopP > 0 && s.TopP < 1 {
			acc := 0.0
			for i, c := range list {
				acc += c.p
				if acc >= s.TopP*sum {
					list = list[:i+1]
					break
				}
			}
			sum = total(list)
		}
		x := r.Float64() * sum
		for _, c := range list {
			if x -= c.p; x < 0 {
				return c.id
			}
		}
		return list[len(list)-1].id
	}
}

func total(list []candidate) float64 {
	sum := 0.0
	for _, c := range list {
		sum += c.p
	}
	return sum
}
