// Package eval scores models and the baselines that they are compared with.
//
// A baseline is fitted on the training split alone and scored on the same items as the
// model; what it has to tune, it tunes on the validation split. Where a baseline has several
// forms, the strongest one is used.
//
// # Bits per byte
//
// Bits per byte are the sum of -log₂ p over documents, divided by the bytes of their text. Each
// token of the text is predicted once, including the first one, and the model and every baseline
// predict the same text:
//
//   - The first token is predicted from bos or from the separator; where there is neither, from
//     eos, which documents begin with in training too (as lm-evaluation-harness puts bos, else
//     eos, before a text). An XLNet predicts it without any token before it.
//   - The end of a document is predicted where documents have one (eos or separator) and the
//     objective learns it, as causal and prefix_lm do. Where the model does not predict an end
//     (bos alone; permutation), no baseline does. The end adds no bytes. The Markov model
//     predicts characters only, without an end.
//   - A text that the loader skips (empty, null, too long, without tokens) counts neither in the
//     sum nor in the bytes.
//
// A document is scored by itself: its neighbours in a row or batch change no bit of the result. A
// document that fits a row of the model (sequence_length if it was trained here, else its longest
// sequence) is not cut. For a longer document a causal model reads windows, as in
// lm-evaluation-harness: the first is as long as a row; each further one begins with the last token
// of the one before; the last one begins earlier, so that it fills its row too, and only its new
// tokens are scored. The other objectives read consecutive pieces of the length of a row, each with
// the frame of a document; a model with a memory remembers the pieces before.
//
// Hidden tokens (masked, span_corruption) are scored in the same pieces: the model and the
// baselines predict the same tokens.
package eval

import (
	"fmt"
	"slices"

	"hone/data/corpus"
)

// A Baseline is a baseline of a model: its name in reports, and what it is fitted to in addition
// to the training split.
type Baseline struct {
	Name       string
	Tunes      bool // on the validation split
	Labels     bool // of both, and not their texts alone
	OfTraining bool // it is a model that a stage has trained, and is fitted to nothing here
}

// CanFit fails if a corpus lacks a split that a baseline is fitted to, which is a fault of the
// user's input (exit code 2).
//
// read says that the examples of a task have been read already, and have labels.
func CanFit(c *corpus.Corpus, names []string, read bool) error {
	for _, name := range names {
		b, ok := find(name)
		if !ok {
			return fmt.Errorf("unknown baseline %s", name)
		}
		if b.OfTraining {
			continue
		}
		need := []*corpus.Split{c.Train}
		if b.Tunes {
			need = append(need, c.Validation)
		}
		for i, s := range need {
			if s == nil || s.Rows() == 0 {
				return fmt.Errorf("baseline %s is fitted to split %s, where corpus %s has no documents", name, []string{"train", "validation"}[i], c.Provenance.Name)
			}
		}
		if !b.Labels || read {
			continue
		}
		for _, s := range need {
			if err := c.Unlabelled(s, "for baseline "+name); err != nil {
				return err
			}
		}
	}
	return nil
}

// find gives the baseline of a name.
func find(name string) (Baseline, bool) {
	for _, s := range scorers {
		for _, b := range s.Baselines() {
			if b.Name == name {
				return b, true
			}
		}
	}
	return Baseline{}, false
}

// Fitted selects the baselines that are fitted to a corpus and need no model of a stage.
func Fitted(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		b, ok := find(name)
		return ok && b.OfTraining
	})
}
