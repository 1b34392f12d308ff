package generate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Beams ask for a beam search, as transformers does it: of all continuations of the NumBeams
// most likely texts, those of the highest sums of logarithms of probabilities go on.
type Beams struct {
	NumBeams      int     // texts that go on at a time; 0 or 1: no search
	LengthPenalty float64 // the score of a text is its sum ÷ its tokens to this power; 0: the sum. transformers' is 1 unless told
	EarlyStopping Early
}

// Early says when a beam search ends, once there are as many finished texts as beams.
type Early string

const (
	EarlyLikely Early = "false" // when no running text is better, were it to end at its present length; also ""
	EarlyFirst  Early = "true"  // at once
	EarlyNever  Early = "never" // when none can become better, were it to go on to the greatest length
)

// UnmarshalJSON reads false, true or "never".
func (e *Early) UnmarshalJSON(text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	*e = Early(fmt.Sprint(value))
	return e.validate()
}

func (e Early) validate() error {
	if !slices.Contains([]Early{"", EarlyLikely, EarlyFirst, EarlyNever}, e) {
		return fmt.Errorf("early stopping %q: want %s, %s or %s", string(e), EarlyLikely, EarlyFirst, EarlyNever)
	}
	return nil
}

// The most beams: each needs caches of its own.
const mostBeams = 256

func (b *Beams) validate() error {
	var errs []error
	if b.NumBeams < 0 || b.NumBeams > mostBeams {
		errs = append(errs, fmt.Errorf("%d beams: want 1 to %d", b.NumBeams, mostBeams))
	}
	if !(math.Abs(b.LengthPenalty) <= 100) {
		errs = append(errs, fmt.Errorf("length penalty %g: want -100 to 100", b.LengthPenalty))
	}
	return errors.Join(append(errs, b.EarlyStopping.validate())...)
}

// A beam is a text of a beam search.
type beam struct {
	ids    []int32 // without the prompt
	score  float32 // the sum of the logarithms of its probabilities; of a finished text divided for its length
	parent int     // which of the running beams it continues
	reason string  // why it ended
}

// A search is the state of a beam search behind one prompt.
type search struct {
	Beams
	width    int // of the candidates, at each step
	max      int // tokens of a text
	running  []beam
	finished []beam // the best first, at most NumBeams
	done     bool

	candidates []beam
	last       []int32 // of the candidates, their last tokens
}

// newSearch begins a search of texts of at most max tokens, which so many tokens can end.
func newSearch(b Beams, ends, max int) *search {
	// Even if all of the best candidates end, there are enough to go on with.
	return &search{Beams: b, width: b.NumBeams * (1 + cmp.Or(ends, 1)), max: max, running: []beam{{}}}
}

// step continues the running beams with one token each, by the scores of all tokens behind
// each beam (logarithms of probabilities, processed). ended gives the reason why a text with
// a new last token ends, or "".
func (s *search) step(scores [][]float32, ended func(ids []int32) string) {
	s.choose(scores)
	length := len(s.running[0].ids) + 1
	full := len(s.finished) == s.NumBeams && s.EarlyStopping == EarlyFirst
	parents := s.running
	s.running = nil
	for i, c := range s.candidates {
		c.ids = append(slices.Clone(parents[c.parent].ids), s.last[i])
		if c.reason = ended(c.ids); c.reason == "" && length == s.max {
			c.reason = "length"
		}
		switch {
		case c.reason == "":
			if len(s.running) < s.NumBeams {
				s.running = append(s.running, c)
			}
		case i < s.NumBeams && !full: // those behind are there to go on with
			c.score /= s.penalty(length)
			at, _ := slices.BinarySearchFunc(s.finished, c, func(a, b beam) int {
				return cmp.Or(cmp.Compare(b.score, a.score), -1) // behind equal ones
			})
			s.finished = slices.Insert(s.finished, at, c)
			s.finished = s.finished[:min(len(s.finished), s.NumBeams)]
		}
	}
	s.done = len(s.running) == 0 || len(s.finished) == s.NumBeams && (s.EarlyStopping == EarlyFirst || !s.improves(length))
}

// penalty is what the sums of texts of a length are divided by.
func (s *search) penalty(length int) float32 {
	return float32(math.Pow(float64(length), s.LengthPenalty))
}

// improves guesses whether the best running beam can still become better than the worst of the
// finished texts.
func (s *search) improves(length int) bool {
	if s.EarlyStopping == EarlyNever && s.LengthPenalty > 0 {
		length = s.max
	}
	return s.running[0].score/s.penalty(length) > s.finished[len(s.finished)-1].score
}

// choose finds the candidates of the highest sums, the highest first; of equal ones, those of
// the first beam and the lowest token.
func (s *search) choose(scores [][]float32) {
	s.candidates, s.last = s.candidates[:0], s.last[:0]
	least := never
	for p, of := range scores {
		for id, v := range of {
			sum := s.running[p].score + v
			if !(sum > least) {
				continue
			}
			at, _ := slices.BinarySearchFunc(s.candidates, sum, func(a beam, sum float32) int {
				return cmp.Or(cmp.Compare(sum, a.score), -1)
			})
			s.candidates = slices.Insert(s.candidates, at, beam{parent: p, score: sum})
			s.last = slices.Insert(s.last, at, int32(id))
			if len(s.candidates) > s.width {
				s.candidates, s.last = s.candidates[:s.width], s.last[:s.width]
			}
			if len(s.candidates) == s.width {
				least = s.candidates[s.width-1].score
			}
		}
	}
}

// logSoftmax turns logits into the logarithms of their probabilities.
func (w *workspace) logSoftmax(logits []float32) {
	high := logits[highest(logits)]
	w.weights = weigh(w.weights, logits, high, 1)
	log := float64(high) + math.Log(sum(w.weights))
	for i, v := range logits {
		logits[i] = float32(float64(v) - log)
	}
}
