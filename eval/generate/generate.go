// Package generate continues texts with a language model: it decodes a token at a
// time with cached keys and values, and samples from the model's distribution.
package generate

import (
	"context"
	"errors"
	"fmt"
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
	x      *exec.Executor
	net    *model.Network
	window int
	end    int32
	logits []float32
	feed   model.Feed
}

// New prepares decoding with a language model and its tokenizer, which must know
// the token <|endoftext|>: it starts every text, as in training, and ends it.
func New(net *model.Network, tok tokenizer.Tokenizer) (*Generator, error) {
	end, ok := tok.Special("<|endoftext|>")
	if !ok {
		return nil, errors.New("generate: the tokenizer has no token <|endoftext|>")
	}
	c := net.Config()
	x, err := net.Executor(model.Decode, 1, c.MaxLength(), 0)
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	g := &Generator{tok: tok, x: x, net: net, window: c.MaxLength(), end: end, logits: make([]float32, c.VocabSize)}
	g.feed.Tokens, g.feed.Positions = make([]int32, 1), make([]int32, 1)
	return g, nil
}

// Generate continues a prompt. emit, which may be nil, gets the text piece by piece
// as it comes. When ctx ends, what there is so far is returned.
//
// Beyond the model's longest sequence the context is cut to its newer half and read again:
// learned positions know no other way.
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
	history := g.tok.Encode([]int32{g.end}, prompt)
	if len(history) >= g.window {
		history = history[len(history)-g.window/2:]
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
		id := pick(g.logits)
		if id == g.end {
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
