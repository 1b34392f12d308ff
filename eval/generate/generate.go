// Package generate continues texts with a language model. It reads the prompt at once, then
// samples one token at a time from the model's distribution, of several texts side by side, with
// cached keys and values for the families that support them.
package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hone/data/tokenizer"
	"hone/trainer/model"
)

// Options say how to sample and when to stop.
type Options struct {
	MaxTokens int // 1 or more
	Sampler
	Beams
	N          int      // results: the text of Seed and those of the seeds after it, or the best of the beams; 0 is 1
	Stop       []string // the text ends before the first of these strings
	StopTokens []int32  // and before any of these tokens
	Slide      bool     // a text that has filled the context goes on without its older half; else it ends there
}

// Validate reports every value that is out of its range, and those that contradict each other, for a vocabulary of so
// many tokens; 0: one that is not known yet. Errors are faults of the user's input (exit code 2).
func (o *Options) Validate(vocabulary int) error {
	errs := []error{o.Sampler.Validate(vocabulary), o.Beams.validate()}
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(o.MaxTokens < 1, "max tokens %d: want 1 or more", o.MaxTokens)
	refuse(o.MaxTokens >= 1 && o.MinTokens > o.MaxTokens, "min tokens %d: want at most max tokens, %d", o.MinTokens, o.MaxTokens)
	refuse(o.N < 0 || o.N > mostResults, "%d results: want 1 to %d", o.N, mostResults)
	switch {
	case o.NumBeams > 1:
		refuse(o.Temperature != 0, "%d beams with temperature %g: a beam search draws nothing\nhint: temperature 0, or 1 beam", o.NumBeams, o.Temperature)
		refuse(o.N > o.NumBeams, "%d results of %d beams: want at most as many", o.N, o.NumBeams)
		refuse(o.Slide, "%d beams with a context that slides: want one or the other", o.NumBeams)
	case o.Temperature == 0:
		refuse(o.N > 1, "%d results with temperature 0: all would be the same\nhint: a temperature above 0, or as many beams", o.N)
	}
	refuse(slices.Contains(o.Stop, ""), "stop: an empty text")
	for _, id := range o.StopTokens {
		refuse(id < 0 || vocabulary > 0 && int(id) >= vocabulary, "stop %w", unknown(id, vocabulary))
	}
	return errors.Join(errs...)
}

// The most results of a request.
const mostResults = 1024

// Result is a generated text.
type Result struct {
	Text            string  `json:"text"` // without the prompt
	IDs             []int32 `json:"ids"`
	TokensPerSecond float64 `json:"tokens_per_second"` // without the reading of the prompt, which gives the first one
	PromptTokens    int     `json:"prompt_tokens"`
	PromptRead      int     `json:"prompt_tokens_read"`     // the others had been read already, for another text
	PromptSeconds   float64 `json:"prompt_seconds"`         // of reading them
	Reason          string  `json:"reason"`                 // why it ended: "end of text", "stop", "length", "interrupted"
	ContextFull     bool    `json:"context_full,omitempty"` // the context ended it, not MaxTokens
	Dropped         int     `json:"dropped,omitempty"`      // tokens, of prompt and text, that were dropped to make room

	Score *float64 `json:"score,omitempty"` // of a beam search: see Beams.LengthPenalty
}

// A Generator writes with one network, several texts at once: each has a slot, which it takes with Add and leaves with
// Remove, and each Step reads a token of every text, or the next pieces of prompts. The texts do not depend on each
// other. What a slot has read is kept until it is needed, and not read again for a text that begins in the same way.
// A Generator is for one goroutine.
type Generator struct {
	decoder
	Frame
	tok   tokenizer.Tokenizer
	texts []*Text // that are in slots, in the order in which they came
	round []*reading
}

// maxSlots is the number of texts that Write writes at once.
const maxSlots = 8

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

// Context is the longest sequence in tokens: prompt and text together, but for an encoder-decoder each for itself.
func (g *Generator) Context() int { return g.window }

// Bounded reports whether the family has a longest sequence. T5 and XLNet have none: their Context is more than memory holds.
func (g *Generator) Bounded() bool { return g.net.Config().MaxLength() > 0 }

// Room is how many tokens there is room for behind a prompt of so many.
func (g *Generator) Room(prompt int) int {
	switch {
	case prompt > g.window:
		return 0
	case g.how == model.Answered:
		return g.window
	}
	return g.window - prompt
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

// Continue is Generate for a prompt of ready tokens, to which none are added.
func (g *Generator) Continue(ctx context.Context, prompt []int32, o Options, emit func(piece string)) (*Result, error) {
	o.N = 1 // the first or best one is the same
	r, err := g.Write(ctx, []Request{{prompt, o, emit}})
	if err != nil {
		return nil, err
	}
	return r[0], nil
}

// Write does many requests, several at once, with the results of doing each alone. The results are in the order of the
// requests, all of one together. Requests that can be wrong are refused before any work, with an error that names the
// first.
func (g *Generator) Write(ctx context.Context, requests []Request) ([]*Result, error) {
	var texts, searches []*Text
	slots, longest := 0, 0
	for i, r := range requests {
		for k := range max(1, r.N) {
			one := r
			if one.Seed += uint64(k); k > 0 {
				one.Emit = nil
			}
			t, err := g.text(one)
			if err != nil {
				if len(requests) > 1 {
					err = fmt.Errorf("request %d: %w", i+1, err)
				}
				return nil, err
			}
			longest = max(longest, t.room())
			if r.NumBeams > 1 {
				slots, searches = max(slots, r.NumBeams), append(searches, t)
				break
			}
			texts = append(texts, t)
		}
	}
	if err := g.seats(min(maxSlots, len(texts)), slots, longest); err != nil {
		return nil, err
	}
	if err := g.write(ctx, texts, nil); err != nil {
		return nil, err
	}
	results := make([]*Result, len(texts))
	for i, t := range texts {
		results[i] = &t.result
	}
	if len(searches) == 0 {
		return results, nil
	}
	var all []*Result
	for _, r := range requests {
		if n := max(1, r.N); r.NumBeams <= 1 {
			all, results = append(all, results[:n]...), results[n:]
			continue
		}
		best, err := g.search(ctx, searches[0])
		if err != nil {
			return nil, err
		}
		all, searches = append(all, best...), searches[1:]
	}
	return all, nil
}

// Each does many requests of one result each, up to so many at once, with the results of doing each alone. done gets them
// as they are there, each with the number of its request. Requests that can be wrong are refused before any work. When ctx
// ends, Each returns its error, and what was being written is lost.
func (g *Generator) Each(ctx context.Context, requests []Request, together int, done func(i int, r *Result) error) error {
	texts := make([]*Text, len(requests))
	beams, longest := 0, 0
	for i, r := range requests {
		if r.N > 1 {
			return fmt.Errorf("generate: request %d: %d results: want 1", i+1, r.N)
		}
		t, err := g.text(r)
		if err != nil {
			return fmt.Errorf("request %d: %w", i+1, err)
		}
		texts[i], beams, longest = t, max(beams, r.NumBeams), max(longest, t.room())
	}
	if beams <= 1 {
		beams = 0
	}
	if err := g.seats(min(together, len(texts)), beams, longest); err != nil {
		return err
	}
	ready := func(i int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return done(i, &texts[i].result)
	}
	if beams == 0 {
		return g.write(ctx, texts, ready)
	}
	for i, t := range texts {
		if t.NumBeams <= 1 {
			if err := g.write(ctx, texts[i:i+1], func(int) error { return ready(i) }); err != nil {
				return err
			}
			continue
		}
		best, err := g.search(ctx, t)
		if err != nil {
			return err
		}
		t.result = *best[0]
		if err := ready(i); err != nil {
			return err
		}
	}
	return nil
}

// seats makes room for texts of up to so many tokens: together of them, or fewer if the machine has not the memory for so
// many, and as many as the beams of a search.
func (g *Generator) seats(together, beams, tokens int) error {
	for ; ; together /= 2 {
		err := g.reserve(len(g.texts)+max(1, beams, together), tokens)
		if err == nil || !errors.Is(err, errMemory) || together <= 1 || together <= beams {
			return err
		}
	}
}

// write writes texts, for at least one of which there is room. ended, which may be nil, is called with the number of each
// when it has ended.
func (g *Generator) write(ctx context.Context, texts []*Text, ended func(i int) error) error {
	defer func() {
		for _, t := range texts {
			g.Remove(t)
		}
	}()
	next, first := 0, 0 // those before first have ended
	for first < len(texts) {
		for next < len(texts) && len(g.texts) < len(g.slots) {
			g.seat(texts[next])
			next++
		}
		if err := g.Step(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			for _, t := range texts[next:] {
				t.end("interrupted")
			}
			next = len(texts)
		}
		for i, t := range texts[first:next] {
			if !t.Done() || t.given {
				continue
			}
			if t.err != nil {
				return t.err
			}
			g.Remove(t)
			t.given = true
			if ended != nil {
				if err := ended(first + i); err != nil {
					return err
				}
			}
		}
		for first < next && texts[first].given {
			first++
		}
	}
	return nil
}

// Reserve makes room for so many texts at once, each of up to so many tokens with its prompt. An error says that the
// machine has not the memory (exit code 2).
func (g *Generator) Reserve(texts, tokens int) error { return g.reserve(texts, min(tokens, g.window)) }

// ErrNoSlot says that there are as many texts as there is room for.
var ErrNoSlot = errors.New("generate: all slots are taken")

// Add begins a text in a free slot: one, without a beam search. Errors other than ErrNoSlot are faults of the user's input (exit code 2).
func (g *Generator) Add(r Request) (*Text, error) {
	if r.N > 1 || r.NumBeams > 1 {
		return nil, fmt.Errorf("generate: %d results of %d beams: want a single text", max(1, r.N), max(1, r.NumBeams))
	}
	t, err := g.text(r)
	if err != nil {
		return nil, err
	}
	if len(g.slots) > 0 && len(g.texts) == len(g.slots) {
		return nil, ErrNoSlot
	}
	if err := g.reserve(1, t.room()); err != nil {
		return nil, err
	}
	g.seat(t)
	return t, nil
}

// seat gives a text the free slot that holds most of its beginning, or else the one that has been idle for longest.
func (g *Generator) seat(t *Text) {
	best, most := -1, -1
	for i := range g.slots {
		if slices.ContainsFunc(g.texts, func(t *Text) bool { return t.slot == i }) {
			continue
		}
		n := common(g.slots[i].held, t.ids)
		if n > most || n == most && g.slots[i].used < g.slots[best].used {
			best, most = i, n
		}
	}
	t.slot, t.began = best, time.Now()
	g.texts = append(g.texts, t)
}

// Step reads a token of each text, or the next pieces of prompts, and writes tokens where they are known. When ctx ends,
// all texts end, with the reason "interrupted". An error is one of the machine; that of a text is its own.
func (g *Generator) Step(ctx context.Context) error {
	g.round = g.round[:0]
	for _, t := range g.texts {
		switch {
		case t.done:
		case ctx.Err() != nil:
			t.end("interrupted")
		default:
			g.round = append(g.round, &t.reading)
		}
	}
	if len(g.round) == 0 {
		return nil
	}
	if err := g.read(g.round); err != nil {
		return err
	}
	for _, t := range g.texts {
		if !t.done {
			t.step()
		}
	}
	return nil
}

// Remove ends a text, if it has not ended, and frees its slot.
func (g *Generator) Remove(t *Text) {
	if !t.done {
		t.end("interrupted")
	}
	g.texts = slices.DeleteFunc(g.texts, func(o *Text) bool { return o == t })
	t.slot = -1
}
