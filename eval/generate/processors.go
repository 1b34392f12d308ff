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
	if r := float32(p.RepetitionPenalty); r != 0 && r != 1 {
		w.count(p.text, len(scores), func(id, _ int32) {
			if scores[id] < 0 {
				scores[id] *= r
			} else {
				scores[id] /= r
			}
		})
	}
	if p.FrequencyPenalty != 0 || p.PresencePenalty != 0 {
		w.count(p.text[p.prompt:], len(scores), func(id, n int32) {
			scores[id] = scores[id] - float32(p.FrequencyPenalty)*float32(n) - float32(p.PresencePenalty)
		})
	}
	if n := p.NoRepeatNGram; n > 0 && len(p.text) >= n {
		last := p.text[len(p.text)-n+1:]
		for i := range p.text[n-1:] {
			if id := p.text[i+n-1]; int(id) < len(scores) && slices.Equal(p.text[i:i+n-1], last) {
				scores[id] = never
			}
		}
	}
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
