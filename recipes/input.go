package recipes

import (
	"context"
	"errors"
)

// ErrInput is what an error is that the user can mend: a recipe with faults, a run begun by
// another recipe, a corpus that cannot be read, a checkpoint that is not there, kernels that
// this processor lacks. errors.Is(err, ErrInput) tells, for every error of this module's
// commands, and hone then ends with exit code 2. Other errors are failures: exit code 1.
//
// What the machine has failed at while it read the user's input, such as a disk that is full
// or a hub that does not answer, is ErrInput too, and still wraps the error that says so.
var ErrInput = errors.New("the input is wrong")

// Input makes err one that is ErrInput, with the same text; an interruption stays what it is.
func Input(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &inputError{err}
}

type inputError struct{ err error }

func (e *inputError) Error() string        { return e.err.Error() }
func (e *inputError) Unwrap() error        { return e.err }
func (e *inputError) Is(target error) bool { return target == ErrInput }
