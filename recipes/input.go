package recipes

import (
	"context"
	"errors"
)

// An InputError is for the user to mend: a corpus that cannot be read, a checkpoint that
// is not there, kernels that this processor has not.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// Input makes err an *InputError; an interruption stays what it is.
func Input(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &InputError{err}
}
