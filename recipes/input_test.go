package recipes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

// What the user can mend is one notion, whatever the error's type and however it is wrapped.
func TestErrInput(t *testing.T) {
	_, faults := Parse("x.toml", "seed = -1", nil, Host{})
	_, syntax := Parse("x.toml", "seed = ", nil, Host{})
	_, noRecipe := Load("no_such_recipe", nil, Host{})
	_, noTask := LoadTask("no_such_task")
	_, noFile := LoadTask("./no/such/task.toml")
	for _, err := range []error{faults, syntax, noRecipe, noTask, noFile, Input(errors.New("x"))} {
		if !errors.Is(fmt.Errorf("run: %w", err), ErrInput) {
			t.Errorf("%v: not the user's to mend", err)
		}
	}
	if !errors.Is(noFile, fs.ErrNotExist) {
		t.Errorf("%v hides what it is of", noFile)
	}
	if Input(nil) != nil {
		t.Error("nothing is an error")
	}
	for _, err := range []error{Input(context.Canceled), fmt.Errorf("stage x: %w", Input(context.Canceled)), errors.New("x")} {
		if errors.Is(err, ErrInput) {
			t.Errorf("%v: the user's to mend", err)
		}
	}
}
