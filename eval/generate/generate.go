// Package generate continues texts with a language model. It reads the prompt at once, then
// samples one token at a time from the model's distribution, with cached keys and values for
// the families that support them.
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
	"hone/trainer/model"
)

// Options say how to sample and when to stop.
type Options struct {
	MaxTokens int // 1 or more
	Sampler
	Stop  []string // the text ends before the first of these strings
	Slide bool     // a text that has filled the context goes on without its older half; else it ends there
}

// Result is a generated text.
type Result struct {
	Text            string  `json:"text"` // without the prompt
	IDs             []int32 `json:"ids"`
	TokensPerSecond float64 `json:"tokens_per_second"` // with the prompt read
	PromptTokens    int     `json:"prompt_tokens"`
	PromptRead      int     `json:"prompt_tokens_read"`     // the others are in the caches from the text before
	PromptSeconds   float64 `json:"prompt_seconds"`         // of reading them
	Reason          string  `json:"reason"`                 // why it ended: "end of text", "stop", "length", "interrupted"
	ContextFull     bool    `json:"context_full,omitempty"` // the context ended it, not MaxTokens
	Dropped         int     `json:"dropped,omitempty"`      // tokens, of prompt and text, that were dropped to make room
}

// A Generator writes with one network. It keeps the memory of its caches between calls, and is
// for one goroutine.
type Generator struct {
	decoder
	Frame
	tok tokenizer.Tokenizer
}

// New prepares decoding with a language model and its tokenizer. Errors mean that model,
// tokenizer and settings do not go together (exit code 2).
func New(net *model.Network, tok tokenizer.Tokenizer, s Settings) (*Generator, error) {
	c := net.Config()
	d, err := newDecoder(net)
	if err != nil {
		return nil, err
	}
	f, err := FrameOf(c, tok, s)
	if err != nil {
		return nil, err
	}
	return &Generator{decoder: *d, tok: tok, Frame: f}, nil
}

// Generate continues a prompt. emit, which may be nil, gets the text piece by piece as it is
// written. When ctx ends, Generate returns the text so far, with the reason "interrupted".
//
// A text that has filled the model's longest sequence, the context, ends there. With Options.Slide
// its older half is dropped, and the newer half is read again as a sequence that starts at position 0.
//
// Errors about options and prompt are faults of the user's input (exit code 2).
func (g *Generator) Generate(ctx context.Context, prompt string, o Options, emit func(piece string)) (*Result, error) {
	ids, err := g.Prompt(prompt)
	if err != nil {
		return nil, err
	}
	return g.Continue(ctx, ids, o, emit)
}

// Prompt gives the tokens of a prompt, with those that the frame puts around it.
func (g *Generator) Prompt(prompt string) ([]int32, error) {
	ids := g.tok.Encode(slices.Clone(g.Before), prompt)
	if err := tokenizer.Fault(g.tok); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	if g.Starts && len(ids) > 1 && ids[1] == g.Start { // written in the prompt
		ids = ids[1:]
	}
	return append(ids, g.After...), nil
}

// Context is the longest sequence in tokens: prompt and text together, but for an encoder-decoder each for itself.
func (g *Generator) Context() int { return g.window }

// Continue is Generate for a prompt of ready tokens, to which none are added. What the prompt has in common with
// the text before it is not read again; the results are the same.
func (g *Generator) Continue(ctx context.Context, prompt []int32, o Options, emit func(piece string)) (*Result, error) {
	if err := o.Sampler.Validate(g.net.Config().VocabSize); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	if o.MaxTokens < 1 {
		return nil, fmt.Errorf("generate: %d tokens: want 1 or more", o.MaxTokens)
	}
	if emit == nil {
		emit = func(string) {}
	}
	history, err := g.begin(prompt)
	if err != nil {
		return nil, err
	}
	pick := o.Sampler.picker(history, g.Ends)
	if err := g.fit(max(len(history)+o.MaxTokens, len(g.source))); err != nil {
		return nil, err
	}
	r := &Result{Reason: "length", IDs: []int32{}, PromptTokens: len(prompt), PromptRead: len(prompt) - g.has(history)}
	began := time.Now()
	if err := g.read(ctx, history); err != nil {
		return nil, err
	}
	r.PromptSeconds = time.Since(began).Seconds()
	began = time.Now()
	shown, reads := 0, 0
	for len(r.IDs) < o.MaxTokens {
		if ctx.Err() != nil {
			r.Reason = "interrupted"
			break
		}
		id, err := pick.next(g.logits[:min(len(g.logits), g.tok.Size())]) // rows beyond the vocabulary are padding
		if err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
		if slices.Contains(g.Ends, id) {
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
		if len(history) > g.window {
			if !o.Slide {
				r.ContextFull = true
				break
			}
			drop := len(history) - g.window/2
			history, r.Dropped = history[drop:], r.Dropped+drop
		}
		if err := g.read(ctx, history); err != nil {
			return nil, err
		}
		reads++
	}
	if len(r.Text) > shown {
		emit(r.Text[shown:])
	}
	if reads > 0 { // the first token needs none
		r.TokensPerSecond = float64(reads) / time.Since(began).Seconds()
	}
	return r, nil
}

// begin gives the tokens that the text begins with: the prompt, or for an encoder-decoder,
// whose encoder reads the prompt, the first token of the answer.
func (g *Generator) begin(prompt []int32) ([]int32, error) {
	for _, id := range prompt {
		if vocab := g.net.Config().VocabSize; id < 0 || int(id) >= vocab {
			return nil, fmt.Errorf("generate: the prompt has token %d, but the model only %d tokens", id, vocab)
		}
	}
	if n := len(prompt); n > g.window {
		return nil, fmt.Errorf("generate: the prompt has %d tokens, with those that the model puts around it; the context is %d", n, g.window)
	}
	text := slices.Clone(prompt)
	if g.how == model.Answered {
		g.source, text = text, nil
	}
	if len(text) > 0 {
		return text, nil
	}
	if g.Start < 0 {
		return nil, errors.New("generate: the prompt is empty, and neither the model's configuration nor its tokenizer names a token that texts start with")
	}
	return []int32{g.Start}, nil
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

// complete gives how many bytes of text can be shown: whole characters, without an end that
// may be the beginning of a stop string.
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
