package generate

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// A Sampler says how the next token is chosen from logits. The zero Sampler always takes the
// most likely token.
//
// A choice goes through the steps of transformers' generate, in its order: first those that
// change logits or forbid tokens (Bias, EncoderRepetitionPenalty, RepetitionPenalty,
// FrequencyPenalty and PresencePenalty, NoRepeatNGram, EncoderNoRepeatNGram, BadWords, MinLength
// and MinTokens, ForcedFirst, ForcedLast, Decay, BeginSuppress), which a text that is written
// without chance follows too, then Temperature, then those that leave only some of the tokens to
// draw from: TopK, TopP, MinP, TypicalP, EpsilonCutoff, EtaCutoff. Each of the latter sees the
// probabilities of the tokens that the one before it has left.
type Sampler struct {
	Temperature float64 // 0: always the most likely token
	TopK        int     // keep the K most likely tokens, and those as likely as the last of them; 0: all
	TopP        float64 // keep the most likely tokens whose probabilities reach P (Holtzman et al. 2020); 0 or 1: all
	MinP        float64 // keep tokens at least P times as likely as the most likely one (Nguyen et al. 2024); 0: all
	TypicalP    float64 // keep tokens of information near the entropy whose probabilities reach P (Meister et al. 2022); 0 or 1: all

	EpsilonCutoff float64 // keep tokens of at least this probability (Hewitt et al. 2022); 0: all
	EtaCutoff     float64 // the same of a cutoff that falls with the entropy, η sampling of the same paper; 0: all

	RepetitionPenalty float64 // divides the positive logits of tokens in prompt and text, multiplies negative ones (Keskar et al. 2019); 0 or 1: none
	FrequencyPenalty  float64 // subtracted from a token's logit for each time that it was written; the prompt does not count
	PresencePenalty   float64 // subtracted once from the logits of tokens that were written
	NoRepeatNGram     int     // no so many tokens stand a second time in prompt and text; 0: they may

	// The same two of what is answered: the source of an encoder-decoder, else the prompt. The penalty is turned round:
	// above 1 tokens of the source are more likely.
	EncoderRepetitionPenalty float64 // 0 or 1: none
	EncoderNoRepeatNGram     int     // 0: any

	Bias      []Bias    // added to the logits of tokens
	BadWords  [][]int32 // tokens that are not written in this order; a list of one end token has no effect
	MinTokens int       // no end token before so many tokens are written
	MinLength int       // the same with the prompt counted

	ForcedFirst   []int32 // the token, of these the likeliest by its id, that is written where there is one token so far: the start of an answer
	ForcedLast    []int32 // and the one at the greatest number of tokens
	BeginSuppress []int32 // tokens that a text does not begin with
	Decay         Decay

	Seed uint64 // the same seed draws the same tokens
}

// A Decay makes the ends of texts likelier once they have so many tokens, by Factor for each further one
// (exponential_decay_length_penalty).
type Decay struct {
	From   int
	Factor float64 // 0 or 1: none
}

// A Bias is added to the logit of the last of some tokens where the others stand before it.
type Bias struct {
	IDs []int32
	Add float64 // −Inf forbids the token
}

// The range of temperatures other than 0: beyond it, logits divided by the temperature could
// exceed float32, or all become equal.
const coldest, hottest = 1e-6, 1000

// Validate reports every value that is out of its range, for a vocabulary of so many tokens;
// 0: one that is not known yet. Errors are faults of the user's input (exit code 2).
func (s *Sampler) Validate(vocabulary int) error {
	var errs []error
	within := func(name string, v, low, high float64, want string) {
		if !(v >= low && v <= high) {
			errs = append(errs, fmt.Errorf("%s %g: want %s", name, v, want))
		}
	}
	if s.Temperature != 0 {
		within("temperature", s.Temperature, coldest, hottest, fmt.Sprintf("0, or %g to %d", coldest, hottest))
	}
	within("top-k", float64(s.TopK), 0, math.MaxInt32, "0 (all tokens) or more")
	within("top-p", s.TopP, 0, 1, "0 to 1")
	within("min-p", s.MinP, 0, 1, "0 to 1")
	within("typical-p", s.TypicalP, 0, 1, "0 to 1")
	within("epsilon cutoff", s.EpsilonCutoff, 0, 1, "0 to 1")
	within("eta cutoff", s.EtaCutoff, 0, 1, "0 to 1")
	penalty := func(name string, v float64) {
		if v != 0 {
			within(name, v, 0.01, 100, "0 (none), or 0.01 to 100")
		}
	}
	penalty("repetition penalty", s.RepetitionPenalty)
	penalty("encoder repetition penalty", s.EncoderRepetitionPenalty)
	within("exponential decay from", float64(s.Decay.From), 0, math.MaxInt32, "0 tokens or more")
	within("exponential decay factor", s.Decay.Factor, 0, 100, "0 (none) to 100")
	within("frequency penalty", s.FrequencyPenalty, -2, 2, "-2 to 2")
	within("presence penalty", s.PresencePenalty, -2, 2, "-2 to 2")
	within("no-repeat n-gram", float64(s.NoRepeatNGram), 0, math.MaxInt32, "0 (none) or more")
	within("encoder no-repeat n-gram", float64(s.EncoderNoRepeatNGram), 0, math.MaxInt32, "0 (none) or more")
	within("min tokens", float64(s.MinTokens), 0, math.MaxInt32, "0 or more")
	within("min length", float64(s.MinLength), 0, math.MaxInt32, "0 or more")
	known := func(what string, ids []int32) {
		if len(ids) == 0 {
			errs = append(errs, fmt.Errorf("%s: no token", what))
		}
		for _, id := range ids {
			if id < 0 || vocabulary > 0 && int(id) >= vocabulary {
				errs = append(errs, fmt.Errorf("%s: %w", what, unknown(id, vocabulary)))
			}
		}
	}
	for i, b := range s.Bias {
		known("logit bias", b.IDs)
		if !math.IsInf(b.Add, -1) {
			within(fmt.Sprintf("logit bias of token %d:", b.IDs), b.Add, -1e6, 1e6, "-inf, or -1e+06 to 1e+06")
		}
		if slices.ContainsFunc(s.Bias[:i], func(o Bias) bool { return slices.Equal(o.IDs, b.IDs) }) {
			errs = append(errs, fmt.Errorf("logit bias: token %d is given twice", b.IDs))
		}
	}
	for _, ids := range s.BadWords {
		known("bad words", ids)
	}
	for _, id := range slices.Concat(s.ForcedFirst, s.ForcedLast, s.BeginSuppress) {
		known("forced or suppressed tokens", []int32{id})
	}
	return errors.Join(errs...)
}

// unknown says that a token is none of a vocabulary's; 0: one that is not known yet.
func unknown(id int32, vocabulary int) error {
	if vocabulary == 0 {
		return fmt.Errorf("token %d: want 0 or more", id)
	}
	return fmt.Errorf("token %d: want 0 to %d", id, vocabulary-1)
}

// A picker chooses the tokens of one text, which it keeps.
type picker struct {
	Sampler
	text   []int32 // the prompt and what was chosen behind it
	prompt int     // tokens of the prompt
	ends   []int32
	source []int32 // what is answered
	most   int     // tokens behind the prompt; 0: nobody says
}

// picker starts a text with the tokens that are read before its first: the prompt's, or for an
// encoder-decoder those that the decoder starts with. The text can end at the ends.
func (s *Sampler) picker(prompt, ends []int32) *picker {
	p := &picker{Sampler: *s, text: slices.Clone(prompt), prompt: len(prompt), ends: ends}
	p.source = p.text[:p.prompt:p.prompt]
	return p
}

// workspaces are what choosing a token needs in memory. One serves any number of texts.
var workspaces = sync.Pool{New: func() any { return new(workspace) }}

type workspace struct {
	counts []int32 // (V) zeros between uses
	candidates
}

// next chooses a token by its logits (V), which are numbers, and may be changed here. What it
// draws depends on the logits, the seed and the length of the text alone.
func (p *picker) next(logits []float32) (int32, error) {
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	p.process(w, logits)
	id := highest(logits)
	if logits[id] == never {
		return 0, errors.New("every token is forbidden: by a logit bias, bad words, repeated n-grams or the least length")
	}
	switch d := drawsAt(p.Seed, len(p.text)); {
	case p.Temperature == 0:
	case p.filters():
		w.fill(logits, logits[id], &p.Sampler)
		id = w.draw(d.next())
	default:
		// All the tokens of a vocabulary beyond this depth weigh an eighth of the likeliest one at most.
		id = w.drawAll(logits, logits[id], p.Temperature, math.Log(8*float64(len(logits))), &d)
	}
	p.text = append(p.text, id)
	return id, nil
}

// highest is the first of the most likely tokens.
func highest(logits []float32) int32 {
	at, high := 0, never
	look := func(from int, part []float32) {
		for i, v := range part {
			if v > high {
				at, high = from+i, v
			}
		}
	}
	n := len(logits) &^ 7
	for i := 0; i < n; i += 8 { // a higher one among eight is rare
		p := logits[i : i+8 : i+8]
		if p[0] > high || p[1] > high || p[2] > high || p[3] > high || p[4] > high || p[5] > high || p[6] > high || p[7] > high {
			look(i, p)
		}
	}
	look(n, logits[n:])
	return int32(at)
}

// filters reports whether some tokens are not to be drawn.
func (s *Sampler) filters() bool {
	return s.TopK > 0 || drops(s.TopP) || s.MinP > 0 || drops(s.TypicalP) || drops(s.EpsilonCutoff) || drops(s.EtaCutoff)
}

// drops reports whether a share is one that leaves tokens out.
func drops(share float64) bool { return share > 0 && share < 1 }

// Draws are numbers from 0 up to 1.
type draws struct{ rand.PCG }

// drawsAt are draws that depend on a seed and a position alone.
func drawsAt(seed uint64, position int) (d draws) {
	d.Seed(seed, uint64(position))
	d.Uint64() // the first number is not far enough from the seed
	return d
}

func (d *draws) next() float64 { return float64(d.Uint64()>>11) / (1 << 53) }
