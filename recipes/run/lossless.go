package run

import (
	"context"
	"errors"
	"fmt"

	"hone/data"
	"hone/eval"
	"hone/recipes"
)

// bitsPerByte reports whether the validation of a stage can give bits per byte: the objective
// must give whole texts a probability, and the tokenizer must keep them as they are.
func (w *runner) bitsPerByte(ctx context.Context, s *recipes.Stage) (bool, error) {
	c := data.Config{Objective: s.Learns()}
	if !c.Objective.Validating(&c) {
		return false, nil
	}
	err := eval.KeepsText(ctx, w.tok, stageCorpus(w.corpora, s).Validation)
	var lossy *eval.LossyError
	if errors.As(err, &lossy) {
		w.log(fmt.Sprintf("stage %s: validated by its loss, since there are no bits per byte: %v", s.Name, lossy))
		return false, nil
	}
	return err == nil, err
}
