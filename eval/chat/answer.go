package chat

import (
	"context"
	"fmt"
	"slices"

	"hone/eval/generate"
)

// A Partner is a model that answers.
type Partner struct {
	// Options are those of an answer. Where a conversation leaves no room for it in the model's
	// context, Slide drops the oldest questions with their answers; otherwise that is a FullError.
	Options generate.Options

	g       *generate.Generator
	t       *Template
	answers uint64
}

// NewPartner makes a partner of a generator and the template of its model.
func NewPartner(g *generate.Generator, t *Template) *Partner {
	g.Ends = slices.Concat(g.Ends, t.Ends)
	return &Partner{g: g, t: t}
}

// An Answer is what a model has answered.
type Answer struct {
	*generate.Result
	Used    int `json:"context_used"`               // tokens of the conversation with the answer
	Context int `json:"context,omitempty"`          // the most tokens that the model reads; 0: any number
	Dropped int `json:"dropped_messages,omitempty"` // that the model does not read any more since this answer
}

// A FullError says that a conversation leaves no room for an answer.
type FullError struct{ Tokens, Context int }

func (e *FullError) Error() string {
	return fmt.Sprintf("the context is full: the conversation has %d tokens, and the model reads %d with its answer", e.Tokens, e.Context)
}

// Context is the most tokens that the model reads; 0: any number.
func (p *Partner) Context() int {
	if !p.g.Bounded() {
		return 0
	}
	return p.g.Context()
}

// Tokens is how many tokens of a conversation the model reads.
func (p *Partner) Tokens(c *Conversation) (int, error) {
	ids, err := p.t.Tokens(c.Read())
	return len(ids), err
}

// Answer answers the last question and appends the answer to the conversation; when ctx ends, as
// much of it as there is. emit, which may be nil, gets the text piece by piece. The first answer is
// sampled with the seed of the options, each later one with a seed that is greater by one.
//
// Errors are faults of the user's input (exit code 2), and leave the conversation as it is.
func (p *Partner) Answer(ctx context.Context, c *Conversation, emit func(piece string)) (*Answer, error) {
	fits := *c
	ids, err := p.fit(&fits)
	if err != nil {
		return nil, err
	}
	o := p.Options
	o.Slide = false // tokens: messages have been dropped
	o.Seed += p.answers
	r, err := p.g.Continue(ctx, ids, o, emit)
	if err != nil {
		return nil, err
	}
	p.answers++
	a := &Answer{Result: r, Used: min(len(ids)+len(r.IDs), p.g.Context()), Context: p.Context(), Dropped: fits.Dropped - c.Dropped}
	c.Dropped = fits.Dropped
	c.Messages = append(c.Messages, Message{Role: Assistant, Content: r.Text, Unfinished: r.Reason == "interrupted" || r.Reason == "length"})
	return a, nil
}

// fit gives the tokens of a conversation with room for an answer behind them. To slide, it drops
// messages until half of the context is free, so that not every answer has to drop some, after
// which the rest is read anew.
func (p *Partner) fit(c *Conversation) ([]int32, error) {
	ids, err := p.t.Tokens(c.Read())
	if err != nil {
		return nil, err
	}
	if p.Options.Slide && p.g.Room(len(ids)) < min(p.Options.MaxTokens, p.g.Context()/4) {
		for len(ids) > p.g.Context()/2 && c.Drop() {
			if ids, err = p.t.Tokens(c.Read()); err != nil {
				return nil, err
			}
		}
	}
	if p.g.Room(len(ids)) == 0 {
		return nil, &FullError{len(ids), p.g.Context()}
	}
	return ids, nil
}
