package eval

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hone/data"
	"hone/data/tokenizer"
	"hone/eval/generate"
	"hone/trainer/model"
)

// A Writer has a language model write the answers of a task of texts.
type Writer struct {
	*generate.Generator
	Options generate.Options
}

// MostWritten is how many tokens an answer has, at most, where nobody says.
const MostWritten = 256

// writtenTogether is how many answers are written at once, at most: more read the weights no faster.
const writtenTogether = 32

// NewWriter writes with a model always the likeliest token, and otherwise as the settings say that came with it; nil: there
// are none.
func NewWriter(net *model.Network, tok tokenizer.Tokenizer, s *generate.Settings) (*Writer, error) {
	if s == nil {
		s = &generate.Settings{}
	}
	g, err := generate.New(net, tok, *s)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	w := &Writer{Generator: g, Options: generate.Options{MaxTokens: MostWritten}}
	s.Undrawn().Sampling(&w.Options, func(string) bool { return false })
	w.Options.N = 1
	return w, nil
}

// String says how it writes, so that other options have another text; nil: "".
func (w *Writer) String() string {
	if w == nil {
		return ""
	}
	return fmt.Sprintf("%+v", w.Options)
}

// A prompt is what a model reads of an example that it answers.
type prompt struct {
	record int64
	ids    []int32
	cut    bool // it was too long, so that not all of it is read
}

// prompts gives those of the examples of a split, or of limit evenly spaced ones, in their order. Behind one that is cut
// there is room for a whole answer, or for one of a quarter of a row.
func (w *Writer) prompts(ctx context.Context, c data.Config, limit int) (out []prompt, err error) {
	records := some(&c, limit)
	c.Records, c.Epochs, c.Shuffle, c.Windows, c.Whole = records, 1, false, false, true
	c.Prompt = &data.Prompt{Before: w.Before, After: w.After}
	if !c.Encoder {
		c.Prompt.Room = min(w.Options.MaxTokens, c.T/4)
	}
	c = c.WithDefaults()
	c.BatchSize = c.MicroBatchSize
	length, encoder := c.Lengths()
	_, err = batches(ctx, c, func(b *data.Batch) error {
		for _, s := range b.Seqs {
			p := prompt{record: records.at(s.Doc), cut: s.Cut}
			row := int(s.Row) * length
			if encoder == 0 { // the end, which is the only target, stands behind it
				first := row + int(s.First)
				p.ids = slices.Clone(b.Dec.Tokens[first : row+int(s.Last)])
			}
			for i := int(s.Row) * encoder; i < int(s.Row+1)*encoder; i++ {
				if b.Enc.Segments[i] == b.Dec.Segments[row+int(s.First)] {
					p.ids = append(p.ids, b.Enc.Tokens[i])
				}
			}
			out = append(out, p)
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b prompt) int { return int(a.record - b.record) })
	return out, err
}

// write answers prompts. done gets the answers as they are there, with the numbers of their prompts.
func (w *Writer) write(ctx context.Context, list []prompt, done func(i int, r *generate.Result) error) error {
	requests := make([]generate.Request, len(list))
	for i, p := range list {
		requests[i] = generate.Request{Prompt: p.ids, Options: w.Options}
	}
	if err := w.Each(ctx, requests, writtenTogether, done); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return nil
}

// answered is the text of an answer, without the blanks around it.
func answered(r *generate.Result) string {
	return strings.TrimSpace(strings.ToValidUTF8(r.Text, "�"))
}
