package exchange

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/checkpoint/file"
	"hone/data/source"
	"hone/trainer/pretrained"
)

// poolings are the ways to pool, by their present names, with the keys that say them in files
// of sentence-transformers before version 5.
var poolings = []struct{ name, key string }{
	{"cls", "pooling_mode_cls_token"},
	{"lasttoken", "pooling_mode_lasttoken"},
	{"max", "pooling_mode_max_tokens"},
	{"mean", "pooling_mode_mean_tokens"},
	{"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"},
	{"weightedmean", "pooling_mode_weightedmean_tokens"},
}

// modulesFile lists the modules of a model of sentence-transformers.
const modulesFile = "modules.json"

// sentenceFile is a file of sentence-transformers' that Import reads, by its path in the directory.
var sentenceFile = regexp.MustCompile(`^(modules|sentence_bert_config|config_sentence_transformers)\.json$|^[0-9]+_[A-Za-z]+/config\.json$`)

// sentence reads what sentence-transformers keeps beside a model: its modules, and what each of
// them does. Nothing is guessed: a module or a way to pool that is not known is an error, and
// keys that are not known are named. nil: the directory is none of that library's.
func (r *Imported) sentence(dir string) (*pretrained.Sentence, error) {
	var modules []struct{ Name, Path, Type string }
	switch err := readSettings(filepath.Join(dir, modulesFile), &modules); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	s := &pretrained.Sentence{IncludePrompt: true}
	pooled := false
	for i, m := range modules {
		kind := m.Type[strings.LastIndexByte(m.Type, '.')+1:]
		switch {
		case kind == "Transformer" && i == 0 && m.Path == "":
		case kind == "Transformer" && i == 0:
			return nil, fmt.Errorf("%s: its model is in %s: import that directory, and the way it pools is left out", filepath.Join(dir, modulesFile), m.Path)
		case kind == "Pooling" && i == 1:
			pooled = true
			if err := r.pooling(s, filepath.Join(dir, m.Path, checkpoint.ConfigFile)); err != nil {
				return nil, err
			}
		case kind == "Normalize" && pooled && i == len(modules)-1:
			s.Normalize = true
		default:
			return nil, fmt.Errorf("%s: module %s is a %s, which is not read (hint: without %s the model is imported without its way to pool)",
				filepath.Join(dir, modulesFile), m.Name, m.Type, modulesFile)
		}
	}
	if !pooled {
		return nil, fmt.Errorf("%s: no module pools", filepath.Join(dir, modulesFile))
	}
	return s, errors.Join(r.readings(s, filepath.Join(dir, "sentence_bert_config.json")), r.prompts(s, filepath.Join(dir, "config_sentence_transformers.json")))
}

// sentenceFiles are the files in which sentence-transformers keeps how a model with hidden states of
// width numbers makes vectors of texts, with the earlier names, which every version reads. A module without
// settings has a file too: its directory has to be there.
func sentenceFiles(s *pretrained.Sentence, width int) ([]checkpoint.File, error) {
	type module struct {
		Idx  int    `json:"idx"`
		Name string `json:"name"`
		Path string `json:"path"`
		Type string `json:"type"`
	}
	const models = "sentence_transformers.models."
	modules := []module{{0, "0", "", models + "Transformer"}, {1, "1", "1_Pooling", models + "Pooling"}}
	pooling := map[string]any{"word_embedding_dimension": width, "include_prompt": s.IncludePrompt}
	for _, p := range poolings {
		pooling[p.key] = slices.Contains(s.Pooling, p.name)
	}
	reading := map[string]any{"do_lower_case": false}
	if s.MaxLength > 0 {
		reading["max_seq_length"] = s.MaxLength
	}
	settings := map[string]any{"similarity_fn_name": cmp.Or(s.Similarity, "cosine")}
	if len(s.Prompts) > 0 {
		settings["prompts"] = s.Prompts
	}
	if s.DefaultPrompt != "" {
		settings["default_prompt_name"] = s.DefaultPrompt
	}
	files := map[string]any{
		"1_Pooling/config.json": pooling, "sentence_bert_config.json": reading, "config_sentence_transformers.json": settings,
	}
	if s.Normalize {
		modules = append(modules, module{2, "2", "2_Normalize", models + "Normalize"})
		files["2_Normalize/config.json"] = struct{}{}
	}
	files[modulesFile] = modules
	var list []checkpoint.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := json.MarshalIndent(files[name], "", "  ")
		if err != nil {
			return nil, err
		}
		list = append(list, checkpoint.BytesFile(name, append(text, '\n')))
	}
	return list, nil
}

// pooling reads 1_Pooling/config.json: pooling_mode, a name or several, or a key for each way.
func (r *Imported) pooling(s *pretrained.Sentence, path string) error {
	keys := map[string]json.RawMessage{}
	if err := readSettings(path, &keys); err != nil {
		return err
	}
	known := []string{"word_embedding_dimension", "embedding_dimension", "pooling_mode", "include_prompt"}
	for _, p := range poolings {
		known = append(known, p.key)
		on := false
		if err := settingOf(keys, path, p.key, &on); err != nil {
			return err
		}
		if on {
			s.Pooling = append(s.Pooling, p.name)
		}
	}
	if mode, ok := keys["pooling_mode"]; ok {
		var one string
		if json.Unmarshal(mode, &one) == nil {
			s.Pooling = []string{one}
		} else if err := json.Unmarshal(mode, &s.Pooling); err != nil {
			return fmt.Errorf("%s: pooling_mode is %s: want a name, or a list of names", path, mode)
		}
	}
	if len(s.Pooling) == 0 {
		return fmt.Errorf("%s: no way to pool is set", path)
	}
	for _, name := range s.Pooling {
		if !slices.ContainsFunc(poolings, func(p struct{ name, key string }) bool { return p.name == name }) {
			return fmt.Errorf("%s: pooling_mode %q is not known", path, name)
		}
	}
	r.unread(path, keys, known)
	return settingOf(keys, path, "include_prompt", &s.IncludePrompt)
}

// readings reads how much of a text is read.
func (r *Imported) readings(s *pretrained.Sentence, path string) error {
	keys := map[string]json.RawMessage{}
	if err := readSettings(path, &keys); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	lower := false
	if err := settingOf(keys, path, "do_lower_case", &lower); err != nil {
		return err
	}
	if lower {
		return fmt.Errorf("%s: do_lower_case changes texts before the tokenizer does, which is not read (hint: a tokenizer that makes them lower case itself needs no such key)", path)
	}
	r.unread(path, keys, []string{"max_seq_length", "do_lower_case"})
	var length *int
	if err := settingOf(keys, path, "max_seq_length", &length); err != nil {
		return err
	}
	if length != nil {
		s.MaxLength = *length
	}
	return nil
}

// prompts reads what stands before texts.
func (r *Imported) prompts(s *pretrained.Sentence, path string) error {
	keys := map[string]json.RawMessage{}
	if err := readSettings(path, &keys); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var name, similarity *string
	for key, into := range map[string]any{"prompts": &s.Prompts, "default_prompt_name": &name, "similarity_fn_name": &similarity} {
		if err := settingOf(keys, path, key, into); err != nil {
			return err
		}
	}
	if similarity != nil {
		s.Similarity = *similarity
	}
	if name != nil {
		if _, ok := s.Prompts[*name]; !ok {
			return fmt.Errorf("%s: default_prompt_name is %q, and there are the prompts %s", path, *name, source.Listed(slices.Sorted(maps.Keys(s.Prompts))))
		}
		s.DefaultPrompt = *name
	}
	r.unread(path, keys, []string{"__version__", "model_type", "prompts", "default_prompt_name", "similarity_fn_name"})
	return nil
}

// unread names keys that nothing reads.
func (r *Imported) unread(path string, keys map[string]json.RawMessage, known []string) {
	left := maps.Clone(keys)
	for _, key := range known {
		delete(left, key)
	}
	if len(left) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%s: keys that are not known, and that are ignored: %s", filepath.Base(path), source.Listed(slices.Sorted(maps.Keys(left)))))
	}
}

func readSettings(path string, into any) error {
	text, err := file.Read(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// settingOf sets what a key says; a key that is not there leaves it.
func settingOf(keys map[string]json.RawMessage, path, key string, into any) error {
	value, ok := keys[key]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("%s: %s is %s: %w", path, key, value, err)
	}
	return nil
}
