// Package generate continues texts with a language model: it decodes a token at a
// time with cached keys and values, and samples from the model's distribution.
package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"hone/data/tokenizer"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// Options say how to sample and when to stop.
type Options struct {
	MaxTokens int
	Sampler
	Stop []string // the text ends before the first of these
}

// Result is a generated text.
type Result struct {
	Text            string  `json:"text"` // without the prompt
	IDs             []int32 `json:"ids"`
	TokensPerSecond float64 `json:"tokens_per_second"`
	Reason          string  `json:"reason"` // why it ended: "end of text", "stop", "length", "interrupted"
}

// Generator decodes with one network; it keeps the cache's memory between calls.
type Generator struct {
	tok    tokenizer.Tokenizer
	x      *exec.Executor // with a cache long enough for the text at hand
	net    *model.Network
	window int // the longest context
	start  int32
	ends   []int32
	logits []float32
	feed   model.Feed
}

// New prepares decoding with a language model and its tokenizer. A text starts with the
// configuration's bos_token_id and ends with any of its eos_token_id; where it has none,
// the token <|endoftext|> does that.
func New(net *model.Network, tok tokenizer.Tokenizer) (*Generator, error) {
	c := net.Config()
	g := &Generator{tok: tok, net: net, window: c.MaxLength(), logits: make([]float32, c.VocabSize)}
	for _, id := range c.EOSTokenID {
		g.ends = append(g.ends, int32(id))
	}
	end, ok := tok.Special("<|endoftext|>")
	switch {
	case len(g.ends) > 0:
	case ok:
		g.ends = []int32{end}
	default:
		return nil, errors.New("generate: the model's configuration has no eos_token_id, and the tokenizer no token <|endoftext|>")
	}
	switch {
	case c.BOSTokenID != nil:
		g.start = int32(*c.BOSTokenID)
	case ok:
		g.start = end
	default:
		g.start = g.ends[0]
	}
	for _, id := range append(slices.Clone(g.ends), g.start) {
		if id < 0 || int(id) >= c.VocabSize {
			return nil, fmt.Errorf("generate: token %d starts or ends a text, but the model has %d", id, c.VocabSize)
		}
	}
	g.feed.Tokens, g.feed.Positions = make([]int32, 1), make([]int32, 1)
	return g, nil
}

// fit takes a cache for so many tokens: a power of two, of which there are few.
func (g *Generator) fit(tokens int) error {
	size := 64
	for size < tokens {
		size *= 2
	}
	x, err := g.net.Executor(model.Decode, 1, min(size, g.window), 0)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	g.x = x
	return nil
}

// Generate continues a prompt. emit, which may be nil, gets the text piece by piece
// as it comes. When ctx ends, what there is so far is returned.
//
// Beyond the model's longest sequence the context is cut to its newer half and read again:
// learned positions know no other way, and turned ones not how to go on.
func (g *Generator) Generate(ctx context.Context, prompt string, o Options, emit func(piece string)) (*Result, error) {
	if err := o.Sampler.validate(); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	if o.MaxTokens < 1 {
		return nil, fmt.Errorf("generate: %d tokens: want 1 or more", o.MaxTokens)
	}
	if emit == nil {
		emit = func(string) {}
	}
	began := time.Now()
	pick := o.Sampler.start()
	history := g.tok.Encode([]int32{g.start}, prompt)
	if len(history) >= g.window {
		history = history[len(history)-g.window/2:]
	}
	if err := g.fit(len(history) + o.MaxTokens); err != nil {
		return nil, err
	}
	position := 0
	for _, id := range history {
		if err := g.step(id, position); err != nil {
			return nil, err
		}
		position++
	}
	r := &Result{Reason: "length"}
	shown := 0
	for len(r.IDs) < o.MaxTokens {
		if ctx.Err() != nil {
			r.Reason = "interrupted"
			break
		}
		id := pick(g.logits[:min(len(g.logits), g.tok.Size())]) // rows after the tokens are padding
		if slices.Contains(g.ends, id) {
			r.Reason = "end of text"
			break
		}
		r.IDs = append(r.IDs, id)
		history = append(history, id)
		r.Text = g.tok.Decode(r.IDs)
		if at := firstStop(r.Text, o.Stop); at >= 0 {
			r.Text, r.Reason = r.Text[:at], "stop"
			break
		}
		if ready := complete(r.Text, o.Stop); ready > shown {
			emit(r.Text[shown:ready])
			shown = ready
		}
		if len(r.IDs) == o.MaxTokens {
			break
		}
		if position == g.window {
			history = history[len(history)-g.window/2:]
			position = 0
			for _, id := range history[:len(history)-1] {
				if err := g.step(id, position); err != nil {
					return nil, err
				}
				position++
			}
		}
		if err := g.step(id, position); err != nil {
			return nil, err
		}
		position++
	}
	if len(r.Text) > shown {
		emit(r.Text[shown:])
	}
	r.TokensPerSecond = float64(len(r.IDs)) / time.Since(began).Seconds()
	return r, nil
}

// step feeds one token and reads the logits of the next.
func (g *Generator) step(id int32, position int) error {
	g.feed.Tokens[0], g.feed.Positions[0] = id, int32(position)
	if err := g.net.Feed(g.x, &g.feed); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if err := g.x.Run(); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if err := exec.Read(g.x, "logits", g.logits); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	return nil
}

func firstStop(text string, stop []string) int {
	first := -1
	for _, s := range stop {
		if s == "" {
			continue
		}
		if i := strings.Index(text, s); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	return first
}

// complete is how much of text can be shown: whole characters, and nothing that may
// turn out to be the start of a stop string.
func complete(text string, stop []string) int {
	n := len(text)
	for k := 1; k <= min(utf8.UTFMax-1, n); k++ {
		if utf8.RuneStart(text[n-k]) {
			if !utf8.FullRuneInString(text[n-k:]) {
				n -= k
			}
			break
		}
	}
	for _, s := range stop {
		for k := min(len(s)-1, n); k > 0; k-- {
			if strings.HasSuffix(text[:n], s[:k]) {
				n -= k
				break
			}
		}
	}
	return n
}
