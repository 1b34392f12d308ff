// Package eval scores models and the baselines that stand beside them.
//
// A baseline is fitted for real, on the training split alone, and scored on
// the same items as the model; what it may tune, it tunes on the validation
// split. Baselines are the yardstick: when there is a choice, the stronger
// form is taken.
//
// # What a text costs
//
// Bits per byte are what documents cost, -log₂ p, over the bytes of their text. Each token of the
// text is predicted once, the first too, and the model and every baseline pay for the same:
//
//   - The first token is predicted from bos, or from the separator. Where there is neither, from
//     eos, which begins documents in training too (as lm-evaluation-harness takes bos, else eos,
//     before a text). An XLNet asks for it without any token before it.
//   - The end of a document is predicted where documents have one (eos or separator) and the
//     objective learns it: causal and prefix_lm do. Where the model does not pay for an end (bos
//     alone; permutation), no baseline does. What stands for it has no bytes, in any of them. The
//     Markov model stands beside characters alone, and no end.
//   - A text that the loader passes over (empty, null, too long, no token) is in neither the sum
//     nor the bytes.
//
// A document is scored by itself: what stands beside it, before it or in its batch changes no bit.
// One that fits a row of the model (sequence_length where it was trained here, else its longest)
// is not cut. Of a longer one a causal model reads windows, as lm-evaluation-harness has them: the
// first is as long as a row; each further one begins with the last token of the one before; and the
// last begins as much earlier as lets it fill its row too, and scores what is left. The other
// objectives read pieces of a row one after the other, each framed as a document is; a model with
// a memory remembers those before.
//
// What is hidden of a text (masked, span_corruption) is scored in the same pieces: the same tokens
// for the model and the baselines.
package eval

import (
	"fmt"
	"slices"

	"hone/data/corpus"
)

// A Baseline is what stands beside a model: its name in reports, and what it is fitted to beside
// the training split.
type Baseline struct {
	Name       string
	Tunes      bool // on the validation split
	Labels     bool // of both, and not their texts alone
	OfTraining bool // it is a model that a stage has trained, and is fitted to nothing here
}

// CanFit checks that a corpus has what baselines are fitted to.
func CanFit(c *corpus.Corpus, names []string) error {
	for _, name := range names {
		b, ok := find(name)
		if !ok {
			return fmt.Errorf("baseline %s is not known", name)
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
		if !b.Labels {
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

// find is the baseline of a name.
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

// Fitted are those of baselines that are fitted to a corpus, and need no model of a stage.
func Fitted(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		b, ok := find(name)
		return ok && b.OfTraining
	})
}
