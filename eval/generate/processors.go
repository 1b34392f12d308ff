package generate

import (
	"math"
	"slices"
)

var never = float32(math.Inf(-1))

// process changes the scores of the tokens that can come next: logits, or in a beam search
// logarithms of probabilities.
func (p *picker) process(w *workspace, scores []float32) {
	for _, b := range p.Bias {
		if p.completes(b.IDs) {
			scores[b.IDs[len(b.IDs)-1]] += float32(b.Add)
		}
	}
	if len(w.counts) < len(scores) {
		w.counts = make([]int32, len(scores))
	}
	if r := p.EncoderRepetitionPenalty; r != 0 {
		w.penalise(p.source, scores, float32(1/r))
	}
	w.penalise(p.text, scores, float32(p.RepetitionPenalty))
	if p.FrequencyPenalty != 0 || p.PresencePenalty != 0 {
		w.count(p.text[p.prompt:], len(scores), func(id, n int32) {
			scores[id] = scores[id] - float32(p.FrequencyPenalty)*float32(n) - float32(p.PresencePenalty)
		})
	}
	p.unlike(p.text, p.NoRepeatNGram, scores)
	p.unlike(p.source, p.EncoderNoRepeatNGram, scores)
	for _, ids := range p.BadWords {
		if p.completes(ids) && !(len(ids) == 1 && slices.Contains(p.ends, ids[0])) {
			scores[ids[len(ids)-1]] = never
		}
	}
	if p.tooShort() {
		for _, id := range p.ends {
			if int(id) < len(scores) {
				scores[id] = never
			}
		}
	}
	behind := len(p.text) - p.prompt
	if len(p.text) == 1 {
		force(scores, p.ForcedFirst)
	}
	if behind == p.most-1 {
		force(scores, p.ForcedLast)
	}
	if d := p.Decay; d.Factor != 0 && d.Factor != 1 && behind > d.From {
		grows := float32(math.Pow(d.Factor, float64(behind-d.From)) - 1)
		for _, id := range p.ends {
			if int(id) < len(scores) && scores[id] != never {
				scores[id] += float32(math.Abs(float64(scores[id]))) * grows
			}
		}
	}
	begin := p.prompt
	if len(p.ForcedFirst) > 0 && begin == 1 {
		begin++
	}
	if len(p.text) == begin {
		for _, id := range p.BeginSuppress {
			scores[id] = never
		}
	}
}

// force forbids all tokens but some, if there are any.
func force(scores []float32, ids []int32) {
	if len(ids) == 0 {
		return
	}
	for i := range scores {
		scores[i] = never
	}
	for _, id := range ids {
		if int(id) < len(scores) {
			scores[id] = 0
		}
	}
}

// penalise makes the tokens of a text less likely, by a factor above 1.
func (w *workspace) penalise(text []int32, scores []float32, factor float32) {
	if factor == 0 || factor == 1 {
		return
	}
	w.count(text, len(scores), func(id, _ int32) {
		if scores[id] < 0 {
			scores[id] *= factor
		} else {
			scores[id] /= factor
		}
	})
}

// unlike forbids the tokens that would make the last n tokens be such as stand in other; 0: none.
func (p *picker) unlike(other []int32, n int, scores []float32) {
	if n == 0 || len(p.text) < n-1 || len(other) < n {
		return
	}
	last := p.text[len(p.text)-n+1:]
	for i := range other[n-1:] {
		if id := other[i+n-1]; int(id) < len(scores) && slices.Equal(other[i:i+n-1], last) {
			scores[id] = never
		}
	}
}

// completes reports whether the last of some tokens would complete them.
func (p *picker) completes(ids []int32) bool {
	n := len(ids) - 1
	return n <= len(p.text) && slices.Equal(p.text[len(p.text)-n:], ids[:n])
}

// tooShort reports whether the text must not end yet.
func (p *picker) tooShort() bool {
	return len(p.text) < p.MinLength || len(p.text)-p.prompt < p.MinTokens
}

// count calls each once for every token of a text below size, with how often it stands there.
func (w *workspace) count(text []int32, size int, each func(id, n int32)) {
	for _, id := range text {
		if int(id) < size { // others cannot be written, as those of a soft prompt
			w.counts[id]++
		}
	}
	for _, id := range text {
		if int(id) < size && w.counts[id] > 0 {
			each(id, w.counts[id])
			w.counts[id] = 0
		}
	}
}
