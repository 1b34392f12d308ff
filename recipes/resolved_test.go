package recipes

import "testing"

// SetKeys shows the keys that were set, and no other.
func TestSetKeys(t *testing.T) {
	const text = `[corpus.notes]
source = "goroot:"

[model]
n_layer = 2

[[stage]]
name = "pretrain"
kind = "pretrain"
steps = 4
learning_rate = [1e-3,
  2e-3]

[[stage]]
name = "text"
kind = "evaluate"
models = ["pretrain"]
`
	r, err := parse("notes.toml", text, []string{"stage.pretrain.batch_size=4", "tokenizer.vocab_size=300"})
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := r.Resolved()
	if err != nil {
		t.Fatal(err)
	}
	const want = `[corpus.notes]
source = "goroot:"

[tokenizer]
vocab_size = 300

[model]
n_layer = 2

[[stage]]
name = "pretrain"
kind = "pretrain"
batch_size = 4
steps = 4
learning_rate = [0.001, 0.002]

[[stage]]
name = "text"
kind = "evaluate"
models = ["pretrain"]
`
	if got := r.SetKeys(resolved); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
