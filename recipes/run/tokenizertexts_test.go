package run

import (
	"slices"
	"testing"

	"hone/data/corpus"
	"hone/recipes"
)

// A recipe's tokenizer learns from all that its stages read and write: a text that two of them read counts once.
func TestTokenizerTexts(t *testing.T) {
	r, err := recipes.Parse("x.toml", `
[corpus.pairs]
source = "goroot:"
[tokenizer]
kind = "byte_bpe"
[model]
model_type = "t5"
[task.translate]
kind = "text_to_text"
text = "en"
answer = "de"
[task.explain]
kind = "text_to_text"
text = "en"
answer = "note"
[[stage]]
name = "one"
kind = "finetune"
task = "translate"
steps = 1
sequence_length = 16
learning_rate = 1e-3
[[stage]]
name = "two"
kind = "finetune"
task = "explain"
steps = 1
sequence_length = 16
learning_rate = 1e-3
`, nil, recipes.Host{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(r, "pairs")(&corpus.Record{Text: "ignored", Fields: map[string]any{"en": "a house", "de": "ein Haus", "note": "where one lives"}})
	if want := []string{"a house", "ein Haus", "where one lives"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}
