package generate

import (
	"math"
	"slices"
)

// Candidates are the tokens to draw from, in the order of their ids. Filters drop some; none
// of them sorts a whole vocabulary.
type candidates struct {
	all     bool      // every token, in weights alone
	ids     []int32   // the tokens otherwise
	scores  []float32 // logits divided by the temperature
	weights []float64 // e to the power of score − highest score: probabilities, but for their sum

	keys  []uint32 // of boundary
	among []int32  // of boundary
}

// fill takes the tokens that the sampler leaves of all, of whose logits highest is one.
func (c *candidates) fill(logits []float32, highest float32, s *Sampler) {
	t := float32(s.Temperature)
	c.ids, c.scores = c.ids[:0], c.scores[:0]
	topP, typical := drops(s.TopP), drops(s.TypicalP)
	switch {
	case s.TopK > 0 && s.TopK < len(logits):
		c.topK(logits, s.TopK, t)
		c.weights, c.all = weigh(c.weights, c.scores, highest/t, 1), false
	case s.MinP > 0 && !topP: // few are left: the others need no weights
		c.above(logits, highest, s.Temperature, -math.Log(s.MinP)+1e-3)
	default:
		c.weights, c.all = weigh(c.weights, logits, highest, s.Temperature), true
	}
	if topP {
		c.topP(s.TopP, logits, t)
	}
	if s.MinP > 0 {
		c.heavy(s.MinP, logits, t)
	}
	if typical {
		c.heavy(0, logits, t)
		c.typical(s.TypicalP)
	}
	if e := s.EpsilonCutoff; drops(e) {
		c.probable(e, logits, t)
	}
	if e := s.EtaCutoff; drops(e) {
		c.heavy(0, logits, t)
		entropy, _ := c.entropy()
		c.probable(min(e, math.Sqrt(e)*math.Exp(-entropy)), logits, t)
	}
}

// probable drops the tokens of less than a probability, but not the likeliest ones.
func (c *candidates) probable(p float64, logits []float32, temperature float32) {
	total, top := sum(c.weights), slices.Max(c.weights)
	least := min(top, p*total*(1-1e-9)) // a tie is one in float32
	c.heavy(least, logits, temperature)
}

// above takes the tokens whose scores are at most depth below the highest.
func (c *candidates) above(logits []float32, highest float32, temperature, depth float64) {
	least, t := float32(float64(highest)-depth*temperature), float32(temperature)
	c.all, c.ids, c.scores = false, c.ids[:0], c.scores[:0]
	for i, v := range logits {
		if v >= least {
			c.ids, c.scores = append(c.ids, int32(i)), append(c.scores, v/t)
		}
	}
	c.weights = weigh(c.weights, c.scores, highest/t, 1)
}

// heavy drops the tokens of less than a weight, and gives the weight of all of them.
func (c *candidates) heavy(least float64, logits []float32, temperature float32) (dropped float64) {
	n := 0
	for i, w := range c.weights {
		if w < least {
			dropped += w
			continue
		}
		if c.all {
			c.ids, c.scores = append(c.ids, int32(i)), append(c.scores, logits[i]/temperature)
		} else {
			c.ids[n], c.scores[n] = c.ids[i], c.scores[i]
		}
		c.weights[n] = w
		n++
	}
	c.all = false
	c.cut(n)
	return dropped
}

// topK takes the tokens of the k highest scores, and those whose scores equal the last of them.
func (c *candidates) topK(logits []float32, k int, temperature float32) {
	low := never // the least logit whose score can be among the k highest
	prune := func() {
		c.keys = c.keys[:0]
		for _, v := range c.scores {
			c.keys = append(c.keys, ^ordered(v)) // the highest first
		}
		least := c.scores[c.boundary(nil, func(n float64) bool { return n < float64(k) })]
		n := 0
		for i, v := range c.scores {
			if v >= least {
				c.ids[n], c.scores[n] = c.ids[i], v
				n++
			}
		}
		c.ids, c.scores = c.ids[:n], c.scores[:n]
		if least == never {
			return
		}
		// Division can make equal what was not.
		for low = least * temperature; low/temperature < least; {
			low = math.Nextafter32(low, math.MaxFloat32)
		}
		for below := low; below/temperature >= least; below = math.Nextafter32(below, never) {
			low = below
		}
	}
	full := 2*k + 64
	for i, v := range logits {
		if v < low {
			continue
		}
		c.ids, c.scores = append(c.ids, int32(i)), append(c.scores, v/temperature)
		if len(c.ids) == full {
			prune()
			full = 2*len(c.ids) + 64 // more than k may be left
		}
	}
	prune()
}

// topP drops the least likely tokens while those dropped have at most 1 − p together; of
// equally likely ones, those with lower ids first.
func (c *candidates) topP(p float64, logits []float32, temperature float32) {
	total, rest := sum(c.weights), float32(1-p)
	// Those below an equal share of the rest go in any order: they are the most of a vocabulary.
	dropped := c.heavy(float64(rest)*(1-1e-6)*total/float64(len(c.weights)), logits, temperature)
	c.keys = c.keys[:0]
	for _, v := range c.scores {
		c.keys = append(c.keys, ordered(v))
	}
	first := c.boundary(c.weights, func(sum float64) bool { return float32((dropped+sum)/total) <= rest })
	key := c.keys[first]
	c.keep(func(i int) bool { return c.keys[i] > key || c.keys[i] == key && i >= first })
}

// typical keeps the tokens whose information is nearest to the entropy, the nearest first,
// until their probabilities reach mass.
func (c *candidates) typical(mass float64) {
	total, top := sum(c.weights), slices.Max(c.scores)
	entropy, logTotal := c.entropy()
	c.keys = c.keys[:0]
	for _, v := range c.scores {
		information := float32(logTotal - float64(v-top))
		c.keys = append(c.keys, math.Float32bits(float32(math.Abs(float64(information-float32(entropy))))))
	}
	last := c.keys[c.boundary(c.weights, func(sum float64) bool { return float32(sum/total) < float32(mass) })]
	c.keep(func(i int) bool { return c.keys[i] <= last })
}

// entropy is that of the candidates, which are listed, in nats; logTotal is the logarithm of the sum of their weights.
func (c *candidates) entropy() (entropy, logTotal float64) {
	total, top := sum(c.weights), slices.Max(c.scores)
	logTotal = math.Log(total)
	for i, w := range c.weights {
		if w > 0 {
			entropy += w / total * (logTotal - float64(c.scores[i]-top))
		}
	}
	return entropy, logTotal
}

// boundary finds the first candidate, in the order of keys and then of places, at which before
// is false of the sum of the weights up to and with it; if there is none, the last one. Nil
// weights are 1 each. It narrows the keys down by their digits.
func (c *candidates) boundary(weights []float64, before func(sum float64) bool) int {
	weight := func(i int32) float64 {
		if weights == nil {
			return 1
		}
		return weights[i]
	}
	const digits = 1 << 8
	c.among = c.among[:0]
	for i := range c.keys {
		c.among = append(c.among, int32(i))
	}
	sum := 0.0
	for shift := 24; shift >= 0; shift -= 8 {
		var count [digits]int
		var weigh [digits]float64
		for _, i := range c.among {
			d := c.keys[i] >> shift % digits
			count[d]++
			weigh[d] += weight(i)
		}
		at := -1
		for d := range digits {
			if count[d] > 0 {
				if at >= 0 {
					sum += weigh[at]
				}
				if at = d; !before(sum + weigh[d]) {
					break
				}
			}
		}
		n := 0
		for _, i := range c.among {
			if int(c.keys[i]>>shift%digits) == at {
				c.among[n] = i
				n++
			}
		}
		c.among = c.among[:n]
	}
	for _, i := range c.among {
		if sum += weight(i); !before(sum) {
			return int(i)
		}
	}
	return int(c.among[len(c.among)-1])
}

// keep drops the candidates for which keep is false.
func (c *candidates) keep(keep func(i int) bool) {
	n := 0
	for i := range c.ids {
		if keep(i) {
			c.ids[n], c.scores[n], c.weights[n] = c.ids[i], c.scores[i], c.weights[i]
			n++
		}
	}
	c.cut(n)
}

func (c *candidates) cut(n int) { c.ids, c.scores, c.weights = c.ids[:n], c.scores[:n], c.weights[:n] }

// draw chooses the candidate at which the weights reach the share x, from 0 up to 1, of their sum.
func (c *candidates) draw(x float64) int32 {
	at := reach(c.weights, x*sum(c.weights))
	if c.all {
		return int32(at)
	}
	return c.ids[at]
}

// reach is where the sum of weights exceeds x, or the last one that is not 0.
func reach(weights []float64, x float64) (at int) {
	for i, w := range weights {
		if w > 0 {
			if at = i; x < w {
				break
			}
			x -= w
		}
	}
	return at
}

// drawAll chooses one of all tokens by their probabilities, without the weights of most of
// them. Those whose scores are more than depth below the highest are taken to be as likely as
// if they were that much below; one of them that is drawn counts with the probability that it
// makes up for that, else all is drawn again.
func (c *candidates) drawAll(logits []float32, highest float32, temperature, depth float64, d *draws) int32 {
	c.above(logits, highest, temperature, depth)
	total, bound := sum(c.weights), math.Exp(-depth)
	light := float64(len(logits)-len(c.ids)) * bound
	for {
		x := d.next() * (total + light)
		if x < total || light == 0 {
			return c.ids[reach(c.weights, x)]
		}
		at, share := math.Modf((x - total) / bound)
		id := min(int32(at), int32(len(logits)-len(c.ids)-1)) // among the light ones
		for _, heavy := range c.ids {
			if heavy > id {
				break
			}
			id++
		}
		if share*bound < math.Exp(float64(logits[id]-highest)/temperature) {
			return id
		}
	}
}

// sum adds four numbers at a time.
func sum(weights []float64) float64 {
	var a, b, c, d float64
	for len(weights) >= 4 {
		a, b, c, d = a+weights[0], b+weights[1], c+weights[2], d+weights[3]
		weights = weights[4:]
	}
	for _, w := range weights {
		a += w
	}
	return a + b + (c + d)
}

// ordered maps numbers to integers of the same order.
func ordered(v float32) uint32 {
	b := math.Float32bits(v + 0) // −0 is 0
	if b>>31 == 1 {
		return ^b
	}
	return b | 1<<31
}
