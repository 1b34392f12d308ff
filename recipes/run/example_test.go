package run_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"hone/recipes"
	"hone/recipes/run"
)

// quiet shows no progress.
type quiet struct{}

func (quiet) Set(done, total int64, note string) {}
func (quiet) Close()                             {}

// A Go program loads a recipe and runs it, as hone run does.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	text, recipe := filepath.Join(dir, "notes.txt"), filepath.Join(dir, "notes.toml")
	lines := ""
	for i := range 40 {
		lines += fmt.Sprintf("note %d says little, and ends here\n", i)
	}
	if err := os.WriteFile(text, []byte(lines), 0o666); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(recipe, []byte(`
[corpus.notes]
source = "`+filepath.ToSlash(text)+`"
separator = "\n"
validation = 0.2

[tokenizer]
kind = "byte"

[model]
model_type = "llama"
hidden_size = 16
intermediate_size = 32
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 1
max_position_embeddings = 64

[[stage]]
name = "pretrain"
kind = "pretrain"
steps = 2
batch_size = 2
sequence_length = 64
learning_rate = 1e-3
`), 0o666); err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	options := run.Options{
		Dir: filepath.Join(dir, "run"), Cache: filepath.Join(dir, "cache"),
		Console: recipes.Console{Say: func(string) {}, Bar: func(title, unit string) recipes.Bar { return quiet{} }},
	}
	_, err = run.Load(ctx, recipe, []string{"stage.pretrain.steps=-1"}, options)
	fmt.Println("the user's to mend:", errors.Is(err, recipes.ErrInput))

	r, err := run.Load(ctx, recipe, nil, options)
	if err != nil {
		log.Fatal(err)
	}
	report, err := run.Run(ctx, r, options)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range report.Stages {
		fmt.Printf("%s: %d steps, the model is in %s\n", s.Name, s.Steps, s.Checkpoint)
	}
	// Output:
	// the user's to mend: true
	// pretrain: 2 steps, the model is in pretrain/final
}
