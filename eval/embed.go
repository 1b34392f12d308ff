package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"hone/data/tokenizer"
	"hone/trainer/exec"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// An Embedder makes vectors of texts, as sentence-transformers does. A vector has the same bits
// whichever other texts are given with its own.
type Embedder struct {
	net       *model.Network
	tok       tokenizer.Tokenizer
	how       *pretrained.Sentence
	prompt    string // before each text
	skipped   int    // of a sequence's first tokens: those of the prompt, which are not pooled
	before    []int32
	after     []int32
	longest   int // sequence, in tokens
	width     int // of a hidden state
	hidden    []float32
	tokens    []int32 // inputs of a batch, by row
	segments  []int32
	positions []int32
	order     []int32
}

// embeddedTogether is the number of positions of a batch: few enough for the states of all to stay in the caches of cores.
const embeddedTogether = 1024

// NewEmbedder takes a model without a head, and one of the prompts of how by its text.
func NewEmbedder(m *pretrained.Model, how *pretrained.Sentence, prompt string) (*Embedder, error) {
	e := &Embedder{net: m.Net, tok: m.Tokenizer, how: how, prompt: prompt}
	if !m.Head.Headless() {
		return nil, fmt.Errorf("eval: a %v has no vectors of texts", m.Head)
	}
	if p, ok := m.Tokenizer.(*tokenizer.Pipeline); ok {
		e.before, e.after = p.Frame()
	}
	return e, e.prepare(m.Config)
}

// prepare finds out how long a text may be, and what of it is not pooled.
func (e *Embedder) prepare(c model.Config) error {
	for _, p := range e.how.Pooling {
		if poolings[p] == nil {
			return fmt.Errorf("eval: pooling %q is not known", p)
		}
	}
	e.longest = cmp.Or(c.MaxLength(), e.how.MaxLength, 512)
	if e.how.MaxLength > 0 {
		e.longest = min(e.longest, e.how.MaxLength)
	}
	if frame := len(e.before) + len(e.after); frame >= e.longest {
		return fmt.Errorf("eval: a text has %d tokens at most, and %d special ones stand around it", e.longest, frame)
	}
	if e.prompt != "" && !e.how.IncludePrompt {
		ids, _ := e.encode(nil, "")
		e.skipped = len(ids) - min(len(e.after), 1)
	}
	return nil
}

// Embed gives the vectors of texts, in their order, and whether a text was too long, so that only
// its beginning was read.
func (e *Embedder) Embed(ctx context.Context, texts []string) (vectors [][]float32, cut []bool, err error) {
	var ids []int32
	list := make([]sequence, len(texts))
	cut = make([]bool, len(texts))
	for i, text := range texts {
		list[i] = sequence{text: i, first: len(ids)}
		ids, cut[i] = e.encode(ids, text)
		if list[i].n = len(ids) - list[i].first; list[i].n == 0 {
			return nil, nil, &NoTokensError{i}
		}
	}
	// Longest first: texts of equal length fill rows well, and what has room for one has room for
	// those that follow.
	slices.SortStableFunc(list, func(a, b sequence) int { return cmp.Compare(b.n, a.n) })
	vectors = make([][]float32, len(texts))
	for len(list) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		batch, rest, b, t := e.lay(list)
		if err := e.run(ids, batch, b, t, vectors); err != nil {
			return nil, nil, err
		}
		list = rest
	}
	return vectors, cut, nil
}

// A NoTokensError says that a text has no tokens of which a vector could be made.
type NoTokensError struct{ Text int } // its number

func (e *NoTokensError) Error() string { return fmt.Sprintf("eval: text %d has no tokens", e.Text) }

// A sequence is a text as tokens, and its place in a batch.
type sequence struct {
	text     int // number
	first, n int // tokens
	at       int // position in the batch
}

// encode appends the tokens of a text with the prompt before it and special tokens around it.
func (e *Embedder) encode(dst []int32, text string) (ids []int32, cut bool) {
	start := len(dst)
	dst = e.tok.Encode(append(dst, e.before...), e.prompt+text)
	if most := start + e.longest - len(e.after); len(dst) > most {
		dst, cut = dst[:most], true
	}
	return append(dst, e.after...), cut
}

// lay takes sequences from a list, which is sorted, for b rows of t positions: into each row the
// longest that still fit, one behind the other. The rest stays in its order.
func (e *Embedder) lay(list []sequence) (batch, rest []sequence, b, t int) {
	t = max(list[0].n, min(e.longest, rowOf(max(list[0].n, 256))))
	rows := max(1, embeddedTogether/t)
	for ; b < rows && len(list) > 0; b++ {
		at, left := b*t, list[:0:0]
		for _, s := range list {
			if at+s.n > (b+1)*t {
				left = append(left, s)
				continue
			}
			s.at = at
			at += s.n
			batch = append(batch, s)
		}
		list = left
	}
	eighth := max(1, rows/8) // so that few programs are needed
	return batch, list, (b + eighth - 1) / eighth * eighth, t
}

// rowOf is the least power of two from n on.
func rowOf(n int) int {
	t := 1
	for t < n {
		t *= 2
	}
	return t
}

// run computes the vectors of a batch.
func (e *Embedder) run(ids []int32, batch []sequence, b, t int, vectors [][]float32) error {
	x, err := e.net.Executor(model.Evaluate, b, t, 0)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	rows := b * t
	for _, f := range []*[]int32{&e.tokens, &e.segments, &e.positions, &e.order} {
		*f = slices.Grow((*f)[:0], rows)[:rows]
		clear(*f)
	}
	for i := range rows {
		e.segments[i], e.order[i] = -1, int32(i%t)
	}
	for k, s := range batch {
		copy(e.tokens[s.at:], ids[s.first:s.first+s.n])
		for i := range s.n {
			e.segments[s.at+i], e.positions[s.at+i] = int32(k+1), int32(i)
		}
	}
	if err := e.net.Feed(x, &model.Feed{Tokens: e.tokens, Segments: e.segments, Positions: e.positions, Order: e.order}); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	if err := x.Run(); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	p := x.Program()
	size := p.Values[p.Named["hidden"]].Elems()
	e.width = size / rows
	e.hidden = slices.Grow(e.hidden[:0], size)[:size]
	if err := exec.Read(x, "hidden", e.hidden); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	for _, s := range batch {
		v := e.pool(e.hidden[s.at*e.width:(s.at+s.n)*e.width], min(e.skipped, s.n-1))
		for _, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return errors.New("eval: the model makes a vector that has no finite numbers: its weights are damaged")
			}
		}
		vectors[s.text] = v
	}
	return nil
}

// pool makes a vector of the hidden states of a sequence, but for the first ones.
func (e *Embedder) pool(hidden []float32, skipped int) []float32 {
	v := make([]float32, 0, e.width*len(e.how.Pooling))
	for _, p := range e.how.Pooling {
		v = poolings[p](v, hidden, e.width, skipped)
	}
	if e.how.Normalize {
		norm := 0.0
		for _, x := range v {
			norm += float64(x) * float64(x)
		}
		norm = max(math.Sqrt(norm), 1e-12) // as torch's normalize
		for i, x := range v {
			v[i] = float32(float64(x) / norm)
		}
	}
	return v
}

// poolings are the ways to pool, by their names in sentence-transformers. Each appends a vector to
// v, of states (n,width) from the one of number skipped on. Sums are of float64, in the order of the
// tokens.
var poolings = map[string]func(v, states []float32, width, skipped int) []float32{
	"cls": func(v, states []float32, width, skipped int) []float32 {
		return append(v, states[skipped*width:(skipped+1)*width]...)
	},
	"lasttoken": func(v, states []float32, width, _ int) []float32 {
		return append(v, states[len(states)-width:]...)
	},
	"max": func(v, states []float32, width, skipped int) []float32 {
		start := len(v)
		v = append(v, states[skipped*width:(skipped+1)*width]...)
		for at := (skipped + 1) * width; at < len(states); at += width {
			for i, x := range states[at : at+width] {
				v[start+i] = max(v[start+i], x)
			}
		}
		return v
	},
	"mean": func(v, states []float32, width, skipped int) []float32 {
		return weighted(v, states, width, skipped, func(int) float64 { return 1 }, func(n float64) float64 { return n })
	},
	"mean_sqrt_len_tokens": func(v, states []float32, width, skipped int) []float32 {
		return weighted(v, states, width, skipped, func(int) float64 { return 1 }, math.Sqrt)
	},
	"weightedmean": func(v, states []float32, width, skipped int) []float32 {
		return weighted(v, states, width, skipped, func(i int) float64 { return float64(i + 1) }, func(n float64) float64 { return n })
	},
}

// weighted appends the sum of states, each times its weight, over a divisor of the sum of weights.
func weighted(v, states []float32, width, skipped int, weight func(i int) float64, divisor func(sum float64) float64) []float32 {
	sums, total := make([]float64, width), 0.0
	for i := skipped; i < len(states)/width; i++ {
		w := weight(i)
		total += w
		for k, x := range states[i*width : (i+1)*width] {
			sums[k] += w * float64(x)
		}
	}
	by := divisor(total)
	for _, s := range sums {
		v = append(v, float32(s/by))
	}
	return v
}
