package exchange

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"hone/checkpoint"
	"hone/data/hub"
	"hone/recipes"
)

// ImportHub is Import of a model on the hub, hf:ORG/NAME or hf:ORG/NAME@REVISION. What it
// fetches stays in the directory cache; the checkpoint says which commit it is of.
func ImportHub(ctx context.Context, name, dst, cache string, o recipes.Console) (*Imported, error) {
	if err := checkpoint.Vacant(dst); err != nil {
		return nil, recipes.Input(err)
	}
	r, err := fetch(ctx, name, cache, o)
	if err != nil {
		return nil, err
	}
	r.Checkpoint = dst
	if r, err = r.make(ctx, o); err == nil {
		r.Source = r.snapshot.Pinned()
	}
	return r, err
}

// fetch fetches the files of a model on the hub that Import reads.
func fetch(ctx context.Context, name, cache string, o recipes.Console) (*Imported, error) {
	ref, err := hub.Parse(name)
	if err == nil && ref.Dataset {
		err = fmt.Errorf("%s is a data set (hint: source = %q in a recipe reads it)", name, name)
	} else if err == nil && ref.Part != "" {
		err = fmt.Errorf("%s: behind the model's name, /%s stands for nothing", name, ref.Part)
	}
	if err != nil {
		return nil, recipes.Input(err)
	}
	c, err := hub.New(cache)
	if err != nil {
		return nil, recipes.Input(err)
	}
	c.Say = o.Say
	s, err := c.Open(ctx, ref)
	if err != nil {
		return nil, recipes.Input(err)
	}
	want, err := modelFiles(s)
	if err != nil {
		return nil, recipes.Input(err)
	}
	bar := o.Bar("fetch "+ref.Repo, "bytes")
	defer bar.Close()
	dir, err := s.Fetch(ctx, want, recipes.Progress(bar))
	if err != nil {
		return nil, recipes.Input(err)
	}
	return &Imported{Source: dir, snapshot: s}, nil
}

// weightFiles are the files of the weights in each form that is read, shards and their index
// too; the first form that a repository has is taken, as transformers does. Beside them
// repositories have other precisions and other layouts of the same weights.
var weightFiles = []*regexp.Regexp{
	regexp.MustCompile(`^model(-[0-9]{5}-of-[0-9]{5})?\.safetensors(\.index\.json)?$`),
	regexp.MustCompile(`^pytorch_model(-[0-9]{5}-of-[0-9]{5})?\.bin(\.index\.json)?$`),
}

// vocabularyFile is one that a tokenizer is made of where there is no tokenizer.json.
var vocabularyFile = regexp.MustCompile(`^(vocab\.(json|txt|bpe)|encoder\.json|merges\.txt|[a-z.]*\.model)$`)

// modelFiles tells which files of a repository Import reads. Where its weights are not read, it
// says what it has instead, before any is fetched.
func modelFiles(s *hub.Snapshot) (func(hub.File) bool, error) {
	var names []string
	for _, f := range s.Files {
		names = append(names, f.Path)
	}
	if err := foreign(s.Ref.String(), names); err != nil {
		return nil, err
	}
	for _, weights := range weightFiles {
		if !slices.ContainsFunc(names, weights.MatchString) {
			continue
		}
		others := append([]string{checkpoint.ConfigFile, checkpoint.TokenizerFile, hub.CardFile}, TokenizerFiles...)
		return func(f hub.File) bool {
			return weights.MatchString(f.Path) || vocabularyFile.MatchString(f.Path) || slices.Contains(others, f.Path)
		}, nil
	}
	return nil, fmt.Errorf("%s: it has no weights that are read, %s or pytorch_model.bin: it has %s", s.Ref, checkpoint.ModelFile, recipes.Listed(names))
}
