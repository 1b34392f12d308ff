package generate

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"hone/trainer/model"
)

// A Request is a prompt of ready tokens, to which none are added, and how it is continued.
type Request struct {
	Prompt []int32
	Options
	Emit func(piece string) // gets the text, of several the first, piece by piece as it is written, in whole characters; may be nil
}

// A Text is one that a Generator writes.
type Text struct {
	Request
	reading // the prompt, or for an encoder-decoder the first token of the answer, and what has been written
	frame   *Frame
	window  int
	size    int // of the tokenizer: rows of logits beyond it are padding
	pick    *picker
	words   detokenizer
	shown   int // bytes that have been emitted
	result  Result
	err     error
	done    bool
	given   bool // to who waits for it: see Generator.write

	reads        int       // after the first token
	began, first time.Time // of the reading, and when the first token was known
}

// Done says that the text has ended.
func (t *Text) Done() bool { return t.done }

// Result is what has been written so far; all of it when the text is done. An error says why there is none.
func (t *Text) Result() (*Result, error) {
	if t.err != nil {
		return nil, t.err
	}
	return &t.result, nil
}

// text checks a request, and makes a text without a slot of it.
func (g *Generator) text(r Request) (*Text, error) {
	vocab := g.net.Config().VocabSize
	if err := r.Options.Validate(vocab); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	for _, id := range r.Prompt {
		if id < 0 || int(id) >= vocab {
			return nil, fmt.Errorf("generate: the prompt has token %d, but the model only %d tokens", id, vocab)
		}
	}
	if n := len(r.Prompt); n > g.window {
		return nil, fmt.Errorf("generate: the prompt has %d tokens, with those that the model puts around it; the context is %d", n, g.window)
	}
	t := &Text{Request: r, frame: &g.Frame, window: g.window, size: min(g.tok.Size(), vocab), words: detokenizer{tok: g.tok}}
	t.slot, t.ids = -1, slices.Clone(r.Prompt)
	if g.how == model.Answered {
		t.source, t.ids = t.ids, nil
	}
	if len(t.ids) == 0 {
		if g.Start < 0 {
			return nil, errors.New("generate: the prompt is empty, and neither the model's configuration nor its tokenizer names a token that texts start with")
		}
		t.ids = []int32{g.Start}
	}
	t.ids = slices.Grow(t.ids, min(r.MaxTokens, g.window))
	t.pick = r.Sampler.picker(t.ids, append(slices.Clone(g.Ends), r.StopTokens...))
	t.pick.most = r.MaxTokens
	if t.source != nil {
		t.pick.source = t.source
	}
	t.result = Result{IDs: []int32{}, PromptTokens: len(r.Prompt)}
	return t, nil
}

// room is how many tokens the text will have at most.
func (t *Text) room() int {
	return max(len(t.source), min(len(t.ids)+min(t.MaxTokens, t.window), t.window))
}

// step goes on after a round in which something of the text has been read.
func (t *Text) step() {
	if t.first.IsZero() {
		t.countPrompt()
	}
	if t.logits == nil {
		return
	}
	if t.first.IsZero() {
		t.first = time.Now()
		t.result.PromptSeconds = t.first.Sub(t.began).Seconds()
	} else {
		t.reads++
	}
	err := finite(t.logits)
	var id int32
	if err == nil {
		id, err = t.pick.next(t.logits[:t.size])
	}
	if err != nil {
		t.err = fmt.Errorf("generate: %w", err)
		t.end("error")
		return
	}
	t.write(id)
}

// countPrompt counts what of the prompt has been read in a round.
func (t *Text) countPrompt() {
	if t.source != nil {
		t.result.PromptRead += t.behind
	} else {
		t.result.PromptRead += t.count
	}
}

// write adds a token.
func (t *Text) write(id int32) {
	if slices.Contains(t.frame.Ends, id) {
		t.end("end of text")
		return
	}
	if slices.Contains(t.StopTokens, id) {
		t.end("stop")
		return
	}
	r := &t.result
	r.IDs, t.ids = append(r.IDs, id), append(t.ids, id)
	old := len(t.words.text)
	t.words.add(r.IDs)
	text := t.words.text
	if at := firstStop(text, old, t.Stop); at >= 0 {
		t.words.text = text[:at]
		t.end("stop")
		return
	}
	t.emit(complete(text, t.Stop))
	switch {
	case len(r.IDs) == t.MaxTokens:
		t.end("length")
	case len(t.ids) > t.window && !t.Slide:
		r.ContextFull = true
		t.end("length")
	case len(t.ids) > t.window:
		drop := len(t.ids) - t.window/2
		t.ids, r.Dropped = append(t.ids[:0], t.ids[drop:]...), r.Dropped+drop
	}
}

// emit shows the text up to a byte.
func (t *Text) emit(to int) {
	if to > t.shown && t.Emit != nil {
		t.Emit(string(t.words.text[t.shown:to]))
	}
	t.shown = max(t.shown, to)
}

// end ends the text.
func (t *Text) end(reason string) {
	t.emit(len(t.words.text))
	r := &t.result
	r.Text, r.Reason, t.done = string(t.words.text), reason, true
	if t.reads > 0 { // the first token needs none
		r.TokensPerSecond = float64(t.reads) / time.Since(t.first).Seconds()
	}
}

// firstStop is where the first of the stop strings begins in a text of which the first old bytes have none; -1: nowhere.
func firstStop(text []byte, old int, stop []string) int {
	first := -1
	for _, s := range stop {
		if s == "" {
			continue
		}
		from := max(0, old-len(s)+1)
		if i := bytes.Index(text[from:], []byte(s)); i >= 0 && (first < 0 || from+i < first) {
			first = from + i
		}
	}
	return first
}

// complete gives how many bytes of text can be shown: whole characters, without an end that
// may be the beginning of a stop string.
func complete(text []byte, stop []string) int {
	n := len(text)
	for k := 1; k <= min(utf8.UTFMax-1, n); k++ {
		if utf8.RuneStart(text[n-k]) {
			if !utf8.FullRune(text[n-k:]) {
				n -= k
			}
			break
		}
	}
	held := 0 // the longest such end
	for _, s := range stop {
		for k := min(len(s)-1, n); k > held; k-- {
			if bytes.HasSuffix(text[:n], []byte(s[:k])) {
				held = k
			}
		}
	}
	return n - held
}
