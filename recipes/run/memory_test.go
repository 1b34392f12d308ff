package run

import (
	"errors"
	"math"
	"strings"
	"testing"

	"hone/recipes"
	"hone/trainer/exec/cpu"
)

// TestNumbersAndBounds gives keys what no computation can use, and sizes that no machine
// has: each is refused with its line, before any work.
func TestNumbersAndBounds(t *testing.T) {
	recipe := func(line string) string {
		table, line, _ := strings.Cut(line, ": ")
		return strings.Replace(minimal+"[model]\nn_head = 1\n", table+"\n", table+"\n"+line+"\n", 1)
	}
	for _, test := range []struct{ line, want string }{
		{"[[stage]]: adam_epsilon = inf", "bad.toml:5: stage.pretrain.adam_epsilon: +Inf is not a finite number"},
		{"[[stage]]: weight_decay = nan", "bad.toml:5: stage.pretrain.weight_decay: NaN is not a finite number"},
		{"[[stage]]: max_grad_norm = 1e39", "bad.toml:5: stage.pretrain.max_grad_norm: 1e+39 is not a finite number"},
		{"[[stage]]: weight_decay = -inf", "bad.toml:5: stage.pretrain.weight_decay: -Inf is not a finite number"},
		{"[corpus.c]: validation = nan", "bad.toml:3: corpus.c.validation: NaN is not a finite number"},
		{"[model]: layer_norm_epsilon = inf", "bad.toml:11: model.layer_norm_epsilon: +Inf is not a finite number"},
		{"[model]: n_layer = 1001", "bad.toml:11: model.n_layer: 1001 is more than 1000"},
		{"[corpus.c]: threads = 4097", "unknown key"}, // a key of the recipe itself; below
		{"[[stage]]: batch_size = 2147483647", "bad.toml:5: stage.pretrain.micro_batch_size: 2147483647 rows have more than 2147483647 positions"},
	} {
		_, err := parsed("bad.toml", recipe(test.line), nil)
		var faults *recipes.Faults
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), strings.Replace(test.want, "bad.toml:5: stage.pretrain.micro", "stage.pretrain.micro", 1)) {
			t.Errorf("%s: %v", test.line, err)
		}
	}
	_, err := parsed("bad.toml", "threads = 4097\n"+strings.Replace(minimal, "learning_rate = 1e-3", "learning_rate = [1e-3, inf]", 1), nil)
	if want := "bad.toml:1: threads: 4097 is more than 4096\nbad.toml:9: stage.pretrain.learning_rate: +Inf is not a finite number"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestFits(t *testing.T) {
	total, _ := cpu.Memory()
	if total == math.MaxInt64 {
		t.Skip("how much memory there is, is not known on this system")
	}
	load := func(overrides ...string) *recipes.Recipe {
		t.Helper()
		r, err := parsed("bench.toml", minimal, overrides)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	say := func(string) {}
	if err := fits(load(), say); err != nil {
		t.Error(err)
	}
	// Weights that no machine has; and weights that each has, with rows that none has.
	for _, overrides := range [][]string{
		{"model.n_embd=65536", "model.n_layer=100"},
		{"model.n_positions=16777216", "model.n_embd=2", "model.n_head=1", "stage.pretrain.batch_size=120"},
	} {
		if err := fits(load(overrides...), say); !errors.Is(err, recipes.ErrInput) || !strings.Contains(err.Error(), "stage pretrain: needs ") || !strings.Contains(err.Error(), "this machine has "+gigabytes(total)) {
			t.Errorf("%v: %v", overrides, err)
		}
	}
}

func TestAdded(t *testing.T) {
	for _, test := range []struct{ a, b, want int64 }{{1, 2, 3}, {math.MaxInt64, 1, math.MaxInt64}, {-5, 1, math.MaxInt64}} {
		if got := added(test.a, test.b); got != test.want {
			t.Errorf("%d + %d: %d", test.a, test.b, got)
		}
	}
}
