package exchange

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"hone/checkpoint"
	"hone/data/tokenizer"
	"hone/recipes"
	"hone/trainer/exec"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// Extended is the result of ExtendCheckpoint.
type Extended struct {
	Checkpoint string                 `json:"checkpoint"`
	VocabSize  int                    `json:"vocab_size"` // tokens
	Rows       int                    `json:"rows"`       // of the embedding
	Added      []tokenizer.AddedToken `json:"added"`      // those asked for
}

// ExtendCheckpoint writes the checkpoint src to dst, which must not exist, with tokens added to
// its tokenizer. The parameters with a row for each token (the embedding, an output matrix or bias
// of its own) get rows for the new ones, and their number is rounded up to a multiple. Each new row
// is the mean of the rows of the earlier tokens (Hewitt 2021). The provenance gets a stage
// "extend", whose recipe lists the tokens; the state of the training is not kept.
func ExtendCheckpoint(src, dst string, tokens []tokenizer.AddedToken, multiple int) (*Extended, error) {
	if multiple < 1 {
		return nil, recipes.Input(fmt.Errorf("extend: a multiple of %d rows: want 1 or more", multiple))
	}
	if _, err := os.Lstat(dst); !errors.Is(err, fs.ErrNotExist) {
		return nil, recipes.Input(fmt.Errorf("extend: %s exists already (%v) (hint: name a new directory)", dst, err))
	}
	c, err := checkpoint.Open(pretrained.Dir(src))
	if err != nil {
		return nil, recipes.Input(err)
	}
	x, err := newExtension(c, tokens, multiple)
	if err != nil {
		return nil, recipes.Input(fmt.Errorf("extend: %w", err))
	}
	defer x.model.Close()
	if err := x.save(dst); err != nil {
		return nil, err
	}
	e := &Extended{Checkpoint: dst, VocabSize: x.tok.Size(), Rows: x.config.VocabSize}
	for _, a := range x.tok.Added() {
		if slices.ContainsFunc(tokens, func(t tokenizer.AddedToken) bool { return t.Content == a.Content }) {
			e.Added = append(e.Added, a)
		}
	}
	return e, nil
}

// An extension is a checkpoint that is being extended.
type extension struct {
	from   *checkpoint.Checkpoint
	model  *checkpoint.Safetensors
	tok    *tokenizer.Pipeline
	known  int // tokens before
	config model.Config
	layout *exec.Layout
	origin checkpoint.Origin
}

func newExtension(c *checkpoint.Checkpoint, tokens []tokenizer.AddedToken, multiple int) (*extension, error) {
	x := &extension{from: c}
	b, err := c.File(checkpoint.ConfigFile)
	if err != nil {
		return nil, err
	}
	if x.config, err = model.ReadConfig(bytes.NewReader(b)); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	old, err := tokenizer.Open(filepath.Join(c.Dir, checkpoint.TokenizerFile))
	if err != nil {
		return nil, err
	}
	if x.known = old.Size(); x.known > x.config.VocabSize {
		return nil, fmt.Errorf("checkpoint %s: the tokenizer has %d tokens, but the model only %d", c.Dir, x.known, x.config.VocabSize)
	}
	if x.tok, err = old.Extend(tokens); err != nil {
		return nil, err
	}
	if x.origin, err = extendOrigin(tokens, multiple); err != nil {
		return nil, err
	}
	head, err := x.config.Head()
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	before, err := model.NewLayout(x.config, exec.F32, model.Options{Head: head})
	if err != nil {
		return nil, err
	}
	// A model never loses rows.
	x.config.VocabSize = max(x.config.VocabSize, (x.tok.Size()+multiple-1)/multiple*multiple)
	if x.layout, err = model.NewLayout(x.config, exec.F32, model.Options{Head: head}); err != nil {
		return nil, err
	}
	if x.model, err = c.Tensors(checkpoint.ModelFile); err != nil {
		return nil, err
	}
	if err := x.check(before); err != nil {
		x.model.Close()
		return nil, fmt.Errorf("checkpoint %s: %s: %w", c.Dir, checkpoint.ModelFile, err)
	}
	return x, nil
}

// extendOrigin is the stage of the provenance that says which tokens were added.
func extendOrigin(tokens []tokenizer.AddedToken, multiple int) (checkpoint.Origin, error) {
	text := struct {
		Tokens   []string `toml:"tokens"`
		Multiple int      `toml:"pad_to_multiple_of"`
	}{Multiple: multiple}
	for _, t := range tokens {
		text.Tokens = append(text.Tokens, t.Content)
	}
	var b strings.Builder
	if err := toml.NewEncoder(&b).Encode(text); err != nil {
		return checkpoint.Origin{}, err
	}
	sum := sha256.Sum256([]byte(b.String()))
	return checkpoint.Origin{Stage: "extend", RecipeSHA256: hex.EncodeToString(sum[:]), Recipe: b.String()}, nil
}

// check compares the tensors of the file with the model's, before and after: they may differ in
// the number of rows only.
func (x *extension) check(before *exec.Layout) error {
	for _, p := range before.Params {
		if !slices.ContainsFunc(x.model.Tensors(), func(t checkpoint.Tensor) bool { return t.Name == p.Name }) {
			return fmt.Errorf("tensor %s is missing", p.Name)
		}
	}
	for _, t := range x.model.Tensors() {
		old, ok := before.Param(t.Name)
		if !ok {
			return fmt.Errorf("tensor %s is not one of the model's", t.Name)
		}
		new, ok := x.layout.Param(t.Name)
		switch {
		case !slices.Equal(t.Shape, old.Shape):
			return fmt.Errorf("tensor %s has shape %v, want %v", t.Name, t.Shape, old.Shape)
		case t.DType != "F32":
			return fmt.Errorf("tensor %s is of type %s; only F32 can be extended", t.Name, t.DType)
		case ok && slices.Equal(new.Shape, old.Shape):
		case !ok || len(new.Shape) != len(old.Shape) || !slices.Equal(new.Shape[1:], old.Shape[1:]):
			return fmt.Errorf("tensor %s of shape %v would become %v, with other columns", t.Name, old.Shape, new.Shape)
		}
	}
	return nil
}

func (x *extension) save(dst string) error {
	config, err := x.config.JSON()
	if err != nil {
		return err
	}
	var tensors []checkpoint.Tensor
	for _, t := range x.model.Tensors() {
		p, _ := x.layout.Param(t.Name)
		tensors = append(tensors, checkpoint.Tensor{Name: t.Name, DType: t.DType, Shape: p.Shape})
	}
	m := x.from.Manifest
	m.Metrics = nil // they are the other model's
	m.Provenance = m.Chain(x.origin)
	m.Stage, m.Step, m.Hone = x.origin.Stage, 0, recipes.Version()
	files := []checkpoint.File{
		checkpoint.StreamFile(checkpoint.ModelFile, tensors, x.write),
		checkpoint.BytesFile(checkpoint.ConfigFile, config),
		checkpoint.BytesFile(checkpoint.TokenizerFile, x.tok.JSON()),
	}
	for _, name := range []string{checkpoint.GenerationFile, pretrained.SentenceFile} {
		if _, ok := x.from.Manifest.Files[name]; !ok {
			continue
		}
		text, err := x.from.File(name)
		if err != nil {
			return err
		}
		files = append(files, checkpoint.BytesFile(name, text))
	}
	return checkpoint.Create(dst, m, files)
}

// write copies a tensor, followed by its new rows.
func (x *extension) write(w io.Writer, t checkpoint.Tensor) error {
	old, err := x.model.Read(t.Name, nil)
	if err != nil {
		return err
	}
	if _, err := w.Write(old.Data); err != nil || slices.Equal(t.Shape, old.Shape) {
		return err
	}
	row := meanRow(old.Data, old.Shape[0], x.known)
	for range t.Shape[0] - old.Shape[0] {
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	return nil
}

// meanRow is the mean of the first n rows. The rows after them are padding, which no token has
// trained.
func meanRow(data []byte, rows, n int) []byte {
	size := len(data) / rows
	row := make([]byte, size)
	for i := 0; i < size; i += 4 {
		sum := 0.0
		for r := range n {
			sum += float64(math.Float32frombits(binary.LittleEndian.Uint32(data[r*size+i:])))
		}
		binary.LittleEndian.PutUint32(row[i:], math.Float32bits(float32(sum/float64(n))))
	}
	return row
}
