package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"hone/checkpoint"
	"hone/data/tokenizer"
	"hone/trainer/model"
)

// PaddingSide is the side on which rows are padded: left for XLNet, whose classifier reads the last
// position.
func PaddingSide(c model.Config) string {
	if c.ModelType == "xlnet" {
		return "left"
	}
	return "right"
}

// TokenizerFiles are the files that AutoTokenizer reads. Those that there are, are copied unchanged.
var TokenizerFiles = []string{
	checkpoint.TokenizerConfigFile, "special_tokens_map.json", "added_tokens.json", checkpoint.ChatTemplateFile, checkpoint.GenerationFile,
}

// tokenizer reads the tokenizer, and gives its files for a checkpoint.
func (r *Imported) tokenizer(c model.Config) ([]checkpoint.File, error) {
	tok, err := tokenizer.Open(r.Source)
	if err != nil {
		return nil, err
	}
	if tok.Size() > c.VocabSize {
		return nil, fmt.Errorf("%s: the tokenizer has %d tokens, but vocab_size is %d", r.Source, tok.Size(), c.VocabSize)
	}
	text, err := r.beside(checkpoint.TokenizerFile)
	made := errors.Is(err, fs.ErrNotExist)
	if made {
		text, err = tok.JSON(), nil
		if r.gguf != nil {
			r.Notes = append(r.Notes, checkpoint.ConfigFile+" and "+checkpoint.TokenizerFile+" are made from the file's keys")
		} else {
			r.Notes = append(r.Notes, checkpoint.TokenizerFile+" is made from the tokenizer's other files")
		}
	}
	if err != nil {
		return nil, err
	}
	files := []checkpoint.File{checkpoint.BytesFile(checkpoint.TokenizerFile, text)}
	has := false
	for _, name := range TokenizerFiles {
		if made && slices.Contains(madeTokenizerFiles, name) {
			continue
		}
		text, err := r.beside(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		has = has || name == checkpoint.TokenizerConfigFile
		files = append(files, checkpoint.BytesFile(name, text))
	}
	if !has {
		settings := tok.Settings()
		if settings == nil {
			settings = settingsOf(tok, c)
		}
		text, err := TokenizerConfig(c, settings)
		if err != nil {
			return nil, err
		}
		files = append(files, checkpoint.BytesFile(checkpoint.TokenizerConfigFile, text))
	}
	return files, nil
}

// settingsOf are the settings of a tokenizer without a tokenizer_config.json: the special tokens
// that the model's configuration names.
func settingsOf(tok *tokenizer.Pipeline, c model.Config) map[string]json.RawMessage {
	keys := map[string]json.RawMessage{"padding_side": json.RawMessage(strconv.Quote(PaddingSide(c)))}
	role := func(name string, id int) {
		if id < 0 || id >= tok.Size() || tok.Token(int32(id)) == "" {
			return
		}
		if text, err := json.Marshal(tok.Token(int32(id))); err == nil {
			keys[name] = text
		}
	}
	if c.BOSTokenID != nil {
		role("bos_token", *c.BOSTokenID)
	}
	if len(c.EOSTokenID) > 0 {
		role("eos_token", c.EOSTokenID[0])
	}
	if c.PadTokenID != nil {
		role("pad_token", *c.PadTokenID)
	}
	return keys
}

// madeTokenizerFiles are those of TokenizerFiles that a tokenizer.json made here replaces: beside
// it they would be those of a tokenizer of another class.
var madeTokenizerFiles = []string{checkpoint.TokenizerConfigFile, "special_tokens_map.json", "added_tokens.json"}

// TokenizerConfig is the tokenizer_config.json that AutoTokenizer needs beside tokenizer.json: a
// class that follows it, the given settings such as the roles of special tokens, and the longest
// sequence of the model, if that has a limit.
func TokenizerConfig[V any](c model.Config, settings map[string]V) ([]byte, error) {
	keys := map[string]any{}
	if n := c.MaxLength(); n > 0 {
		keys["model_max_length"] = n
	}
	for key, value := range settings {
		keys[key] = value
	}
	keys["tokenizer_class"] = "PreTrainedTokenizerFast"
	text, err := json.MarshalIndent(keys, "", "  ")
	return append(text, '\n'), err
}
