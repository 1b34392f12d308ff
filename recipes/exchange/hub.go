package exchange

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	"hone/checkpoint"
	"hone/data/hub"
	"hone/data/source"
	"hone/recipes"
)

// ImportHub imports a model on the hub, hf:ORG/NAME or hf:ORG/NAME@REVISION, or one of its GGUF
// files, hf:ORG/NAME/FILE.gguf. The downloaded files stay in the directory cache, and the checkpoint
// records the commit.
func ImportHub(ctx context.Context, name, dst, cache string, o recipes.Console) (*Imported, error) {
	if err := checkpoint.Vacant(dst); err != nil {
		return nil, recipes.Input(err)
	}
	s, err := openHub(ctx, name, cache, o)
	if err != nil {
		return nil, err
	}
	r, err := fetch(ctx, s, o)
	if err != nil {
		return nil, err
	}
	r.Checkpoint = dst
	if r, err = r.make(ctx, o); err == nil {
		r.Source = s.Pinned()
	}
	return r, err
}

// openHub finds a model on the hub.
func openHub(ctx context.Context, name, cache string, o recipes.Console) (*hub.Snapshot, error) {
	ref, err := hub.Parse(name)
	if err == nil && ref.Dataset {
		err = fmt.Errorf("%s is a data set (hint: source = %q in a recipe reads it)", name, name)
	}
	if err != nil {
		return nil, recipes.Input(err)
	}
	if err := isCache(name, cache); err != nil {
		return nil, err
	}
	c, err := hub.New(cache)
	if err != nil {
		return nil, recipes.Input(err)
	}
	c.Say = o.Say
	s, err := c.Open(ctx, ref)
	return s, recipes.Input(err)
}

// fetch downloads the files of a model that Import reads.
func fetch(ctx context.Context, s *hub.Snapshot, o recipes.Console) (*Imported, error) {
	want, err := modelFiles(s)
	if err != nil {
		return nil, recipes.Input(err)
	}
	bar := o.Bar("fetch "+s.Ref.Repo, "bytes")
	defer bar.Close()
	dir, err := s.Fetch(ctx, want, recipes.Progress(bar))
	if err != nil {
		return nil, recipes.Input(err)
	}
	return &Imported{Source: filepath.Join(dir, filepath.FromSlash(s.Ref.Part)), snapshot: s}, nil
}

// weightFiles are the files of the weights in each form that is read, with the index of shards. As
// in transformers, the first form that a repository has is taken: repositories can have the same
// weights in several precisions and layouts.
var weightFiles = []*regexp.Regexp{
	regexp.MustCompile(`^model(-[0-9]{5}-of-[0-9]{5})?\.safetensors(\.index\.json)?$`),
	regexp.MustCompile(`^pytorch_model(-[0-9]{5}-of-[0-9]{5})?\.bin(\.index\.json)?$`),
}

// vocabularyFile matches the files that a tokenizer is made from without a tokenizer.json.
var vocabularyFile = regexp.MustCompile(`^(vocab\.(json|txt|bpe)|encoder\.json|merges\.txt|[a-z.]*\.model)$`)

// isAside reports whether Import reads a file, other than those of the weights.
func isAside(name string) bool {
	return vocabularyFile.MatchString(name) || sentenceFile.MatchString(name) || slices.Contains(TokenizerFiles, name) ||
		slices.Contains([]string{checkpoint.ConfigFile, checkpoint.TokenizerFile, hub.CardFile}, name)
}

// modelFiles lists the files of a repository that Import reads. Where it cannot read the weights,
// the error lists what the repository has instead, before anything is downloaded.
func modelFiles(s *hub.Snapshot) (func(hub.File) bool, error) {
	var names, ggufs []string
	for _, f := range s.Files {
		names = append(names, f.Path)
		if path.Ext(f.Path) == ".gguf" {
			ggufs = append(ggufs, f.Path)
		}
	}
	if part := s.Ref.Part; part != "" {
		if !slices.Contains(ggufs, part) {
			return nil, fmt.Errorf("%s: the model has no GGUF file %s: it has %s", s.Ref, part, cmp.Or(source.Listed(ggufs), "none"))
		}
		parts := checkpoint.GGUFParts(part)
		return func(f hub.File) bool { return slices.Contains(parts, f.Path) || f.Path == hub.CardFile }, nil
	}
	for _, weights := range weightFiles {
		if slices.ContainsFunc(names, weights.MatchString) {
			return func(f hub.File) bool { return weights.MatchString(f.Path) || isAside(f.Path) }, foreign(s.Ref.String(), names)
		}
	}
	if len(ggufs) > 0 {
		return nil, fmt.Errorf("%s: its weights are in GGUF files: %s (hint: name one of them, as in hf:%s/%s)", s.Ref, source.Listed(ggufs), s.Ref.Repo, ggufs[0])
	}
	if err := foreign(s.Ref.String(), names); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s: it has no %s or pytorch_model.bin with its weights: it has %s", s.Ref, checkpoint.ModelFile, source.Listed(names))
}
