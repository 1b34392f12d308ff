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

// A picker chooses the tokens of one text. It keeps what it has chosen.
type picker struct {
	Sampler
	rng    *rand.Rand
	prompt []int32
	chosen []int32
	list   []candidate
}

// picker starts a text with the tokens that are read before its first: the prompt's, or for an encoder-decoder those
// that the decoder starts with.
func (s *Sampler) picker(prompt []int32) *picker {
	return &picker{Sampler: *s, rng: rand.New(rand.NewPCG(s.Seed, 0x9e3779b97f4a7c15)), prompt: slices.Clone(prompt)}
}

// next chooses a token by its logits (V), which are numbers, and may be changed here.
func (p *picker) next(logits []float32) (int32, error) {
	id := p.pick(logits)
	p.chosen = append(p.chosen, id)
	return id, nil
}

func (p *picker) pick(logits []float32) int32 {
	top := int32(0)
	for i, v := range logits {
		if v > logits[top] {
			top = int32(i)
		}
	}
	if p.Temperature == 0 {
		return top
	}
	list := p.list[:0]
	for i, v := range logits {
		list = append(list, candidate{int32(i), math.Exp((float64(v) - float64(logits[top])) / p.Temperature)})
	}
	p.list = list
	// The most likely first; equals by id, so that the order is the same on every machine.
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.p, a.p), cmp.Compare(a.id, b.id))
	})
	if p.TopK > 0 && p.TopK < len(list) {
		list = list[:p.TopK]
	}
	sum := total(list)
	if p.TopP > 0 && p.TopP < 1 {
		acc := 0.0
		for i, c := range list {
			acc += c.p
			if acc >= p.TopP*sum {
				list = list[:i+1]
				break
			}
		}
		sum = total(list)
	}
	x := p.rng.Float64() * sum
	for _, c := range list {
		if x -= c.p; x < 0 {
			return c.id
		}
	}
	return list[len(list)-1].id
}

func total(list []candidate) float64 {
	sum := 0.0
	for _, c := range list {
		sum += c.p
	}
	return sum
}
