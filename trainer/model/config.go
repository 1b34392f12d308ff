package model

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Config describes a model by the keys of Hugging Face's config.json: the keys that all families
// share are its fields, the others are in Family. Keys that do not change what the model computes
// (use_cache, summary_type…) are not kept. Keys with a toml tag may be set in a recipe; the others
// follow from the recipe's tokenizer, corpora and stages.
type Config struct {
	ModelType     string   `json:"model_type" toml:"model_type"`
	Architectures []string `json:"architectures"`

	VocabSize         int  `json:"vocab_size"`
	TieWordEmbeddings bool `json:"tie_word_embeddings" toml:"tie_word_embeddings"`

	BOSTokenID *int     `json:"bos_token_id"` // nil: none. Written as null, since an absent one has a default
	EOSTokenID TokenIDs `json:"eos_token_id"`
	PadTokenID *int     `json:"pad_token_id"`

	NumLabels   int               `json:"num_labels,omitempty"` // of a classifier; written as id2label
	ID2Label    map[string]string `json:"id2label,omitempty"`
	Label2ID    map[string]int    `json:"label2id,omitempty"`
	ProblemType string            `json:"problem_type,omitempty"` // of a classifier; "": see Problem

	Family Family `json:"-"`
}

// A Family has the keys of config.json that models of one model_type have of their own: GPT2,
// Llama and so on are structs of these keys. It is a value: to change a key, change a copy and set
// Config.Family to it, or use Config.Edit.
type Family interface {
	traits() Traits
	model(c Config, h Head) Model
	small() Family // with sizes that train in minutes
	// dropout sets the dropout rates, with one of its own for attention weights. It is not ok if a rate
	// that the family lacks is not 0.
	dropout(p, attention float64) (f Family, ok bool)
	check(c Config, faults *Faults)
	tensors(h Head) tensors
	keys(h Head) keys
}

// ModelTypes are the model_types that are supported.
var ModelTypes = []string{"gpt2", "llama", "qwen2", "qwen3", "mistral", "gemma", "gemma3_text", "palm", "bert", "roberta", "xlm-roberta", "camembert", "distilbert", "t5", "xlnet"}

// DefaultConfig has the values of keys that a config.json leaves out, those of transformers.
func DefaultConfig(modelType string) (Config, error) {
	switch modelType {
	case "t5":
		return defaultT5(), nil
	case "xlnet":
		return defaultXLNet(), nil
	case "bert":
		return defaultBERT(), nil
	case "roberta":
		return defaultRoBERTa(), nil
	case "distilbert":
		return defaultDistilBERT(), nil
	case "gpt2":
		return defaultGPT2(), nil
	case "llama":
		return defaultLlama(), nil
	case "qwen2":
		return defaultQwen2(), nil
	case "qwen3":
		return defaultQwen3(), nil
	case "mistral":
		return defaultMistral(), nil
	case "gemma":
		return defaultGemma(), nil
	case "gemma3_text":
		return defaultGemma3(), nil
	case "palm":
		return defaultPaLM(), nil
	case "xlm-roberta":
		return defaultXLMRoBERTa(), nil
	case "camembert":
		return defaultCamemBERT(), nil
	}
	return Config{}, fmt.Errorf("model: model_type %q is not known; known are %s", modelType, strings.Join(ModelTypes, ", "))
}

// SmallConfig is DefaultConfig for a model that trains in minutes: the values of keys that a
// recipe leaves out.
func SmallConfig(modelType string) (Config, error) {
	c, err := DefaultConfig(modelType)
	if err == nil {
		c.Family = c.Family.small()
	}
	return c, err
}

// Edit calls edit with pointers to both structs of keys: this one, and a copy of Family, which then
// replaces Family.
func (c *Config) Edit(edit func(common, family any)) {
	f := reflect.New(reflect.TypeOf(c.Family))
	f.Elem().Set(reflect.ValueOf(c.Family))
	edit(c, f.Interface())
	c.Family = f.Elem().Interface().(Family)
}

// TokenIDs is one token or several, in JSON a number or a list of them; nil is null.
type TokenIDs []int

// UnmarshalJSON reads null, a number or a list.
func (t *TokenIDs) UnmarshalJSON(b []byte) error {
	var one int
	if err := json.Unmarshal(b, &one); err == nil && string(b) != "null" {
		*t = TokenIDs{one}
		return nil
	}
	return json.Unmarshal(b, (*[]int)(t))
}

// MarshalJSON writes one token as a number.
func (t TokenIDs) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]int(t))
}

// ReadConfig reads a config.json and validates it. A key that would change what the model
// computes and is not supported is an error; UnknownKeys are ignored.
func ReadConfig(r io.Reader) (Config, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return Config{}, fmt.Errorf("model: config: %w", err)
	}
	var c Config
	if err := json.Unmarshal(b, &c); err != nil {
		return Config{}, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return Config{}, err
	}
	return c, append(c.keyFaults(raw), c.Faults()...).err()
}

// plain is a Config without its methods.
type plain Config

// UnmarshalJSON reads the keys of all families, then those of the one that model_type names.
func (c *Config) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	var kind string
	err := json.Unmarshal(b, &raw)
	if v, ok := raw["model_type"]; err == nil && ok {
		err = json.Unmarshal(v, &kind)
	}
	if err == nil {
		if *c, err = DefaultConfig(kind); err != nil {
			return err
		}
		known, err2 := c.settled(raw)
		if err2 != nil {
			return err2
		}
		if b, err = json.Marshal(known); err != nil {
			return err
		}
		c.Edit(func(common, family any) {
			err = errors.Join(json.Unmarshal(b, (*plain)(common.(*Config))), json.Unmarshal(b, family))
		})
		// transformers leaves the key out where it has its default, two labels.
		if h, err := c.Head(); err == nil && (h == Classifier || h == TokenClassifier) && len(c.Labels()) == 0 {
			c.NumLabels = 2
		}
	}
	var t *json.UnmarshalTypeError
	switch {
	case errors.As(err, &t) && t.Field != "":
		return fmt.Errorf("model: config: %s is a JSON %s, want %s", t.Field, t.Value, t.Type)
	case err != nil:
		return fmt.Errorf("model: config: %w", err)
	}
	return nil
}

// MarshalJSON writes one object of both kinds of keys.
func (c Config) MarshalJSON() ([]byte, error) {
	if len(c.ID2Label) > 0 {
		c.NumLabels = 0
	}
	common, err := json.Marshal(plain(c))
	if err != nil {
		return nil, err
	}
	family, err := json.Marshal(c.Family)
	if err != nil {
		return nil, err // a NaN, say
	}
	family = withPoints(family, reflect.ValueOf(c.Family))
	return append(append(common[:len(common)-1], ','), family[1:]...), nil
}

// withPoints writes whole numbers of a struct's float64 fields with a point, 1.0, in its JSON:
// transformers refuses 1 where it wants a float.
func withPoints(text []byte, v reflect.Value) []byte {
	for _, f := range reflect.VisibleFields(v.Type()) {
		x := v.FieldByIndex(f.Index)
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() || key == "" || key == "-":
		case f.Type.Kind() == reflect.Struct:
			text = withPoints(text, x)
		case f.Type.Kind() == reflect.Float64:
			number, err := json.Marshal(x.Float())
			if err != nil || bytes.ContainsAny(number, ".e") {
				continue
			}
			old := fmt.Appendf(nil, "%q:%s", key, number)
			if i := bytes.Index(text, old); i >= 0 && bytes.ContainsAny(text[i+len(old):][:1], ",}") {
				text = slices.Insert(text, i+len(old), '.', '0')
			}
		}
	}
	return text
}

// JSON is the config.json.
func (c Config) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("model: config: %w", err)
	}
	return append(b, '\n'), nil
}

// SetLabels names the classes of a classifier.
func (c *Config) SetLabels(names []string) {
	c.NumLabels = len(names)
	c.ID2Label, c.Label2ID = map[string]string{}, map[string]int{}
	for i, name := range names {
		c.ID2Label[strconv.Itoa(i)] = name
		c.Label2ID[name] = i
	}
}

// What a classifier predicts, problem_type of config.json.
const (
	SingleLabel = "single_label_classification" // one of the labels
	MultiLabel  = "multi_label_classification"  // any number of them, each by itself
	Regression  = "regression"                  // a number
)

// Problem is what a classifier predicts: problem_type or, where that is not given, a number if there is one label,
// as in transformers.
func (c Config) Problem() string {
	switch {
	case c.ProblemType != "":
		return c.ProblemType
	case len(c.Labels()) == 1:
		return Regression
	}
	return SingleLabel
}

// Labels are the names of the classes; LABEL_0 and so on where only their number is known.
func (c Config) Labels() []string {
	names := make([]string, max(c.NumLabels, len(c.ID2Label)))
	for i := range names {
		names[i] = c.ID2Label[strconv.Itoa(i)]
		if names[i] == "" {
			names[i] = fmt.Sprintf("LABEL_%d", i)
		}
	}
	return names
}

// SetDropout sets the family's dropout rates to p, except that of attention weights, which it sets to
// attention. A family with one rate for all (T5, XLNet) takes p, and wants attention to be 0; one with
// dropout of attention weights only (Llama) takes attention, and wants p to be 0.
func (c *Config) SetDropout(p, attention float64) error {
	f, ok := c.Family.dropout(p, attention)
	switch {
	case !ok && p != 0:
		return fmt.Errorf("%s has dropout of attention weights only, attention_dropout", c.ModelType)
	case !ok:
		return fmt.Errorf("%s has no dropout of attention weights by itself", c.ModelType)
	}
	c.Family = f
	return nil
}

// Head is the head of the architecture.
func (c Config) Head() (Head, error) {
	if len(c.Architectures) == 0 {
		return LanguageModel, nil
	}
	var known []string
	for h := range numHeads {
		switch a := c.class(h); a {
		case "":
		case c.Architectures[0]:
			return h, nil
		default:
			known = append(known, a)
		}
	}
	return 0, fmt.Errorf("model: architecture %s is not known; known are %s", c.Architectures[0], strings.Join(known, ", "))
}

// Validate gives all faults as one error, nil if there are none.
func (c Config) Validate() error { return c.Faults().err() }

// A Fault is one thing wrong with a configuration.
type Fault struct{ Key, Message string }

// Faults is everything that is wrong with a configuration.
type Faults []Fault

// Faults are everything that is wrong with the configuration.
func (c Config) Faults() Faults {
	var f Faults
	if c.Family == nil {
		f.add("model_type", "%q is not known; known are %s", c.ModelType, strings.Join(ModelTypes, ", "))
		return f
	}
	f.positive(count{"vocab_size", c.VocabSize})
	c.Family.check(c, &f)
	f.bounds(c)
	h, err := c.Head()
	if n := len(c.Labels()); err == nil && n == 1 && (h == TokenClassifier || h == Classifier && c.Problem() == SingleLabel) {
		f.add("num_labels", "1 label leaves nothing to choose; want 2 or more")
	} else if err == nil && h == Classifier && c.Problem() == Regression && n > 1 {
		f.add("num_labels", "%d, but with problem_type regression there is one number; more are not supported", n)
	}
	if c.NumLabels < 0 || c.NumLabels > 0 && len(c.ID2Label) > 0 && c.NumLabels != len(c.ID2Label) {
		f.add("num_labels", "%d, but id2label has %d", c.NumLabels, len(c.ID2Label))
	}
	for i := range len(c.ID2Label) {
		if _, ok := c.ID2Label[strconv.Itoa(i)]; !ok {
			f.add("id2label", "lacks %d of 0…%d", i, len(c.ID2Label)-1)
		}
	}
	if c.ProblemType != "" && h == Classifier {
		f.oneOf("problem_type", c.ProblemType, SingleLabel, MultiLabel, Regression)
	}
	return f
}

func (f Faults) err() error {
	var errs []error
	for _, x := range f {
		errs = append(errs, fmt.Errorf("model: config: %s: %s", x.Key, x.Message))
	}
	return errors.Join(errs...)
}

func (f *Faults) add(key, format string, args ...any) {
	*f = append(*f, Fault{key, fmt.Sprintf(format, args...)})
}

// bounds refuses sizes larger than any real model's, with which products of sizes would overflow an
// int or planning would take minutes, and token ids that do not fit an int32.
func (f *Faults) bounds(c Config) {
	const layers, memory, width, rows = 1000, 1 << 16, 1 << 22, 1 << 24
	for _, s := range []any{plain(c), c.Family} {
		v := reflect.ValueOf(s)
		for _, field := range reflect.VisibleFields(v.Type()) {
			x := v.FieldByIndex(field.Index)
			if !field.IsExported() || x.Kind() != reflect.Int {
				continue
			}
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			most := int64(width)
			switch {
			case strings.HasSuffix(key, "_token_id"):
				most = math.MaxInt32
			case key == "vocab_size" || strings.Contains(key, "position"):
				most = rows
			case key == "mem_len":
				most = memory
			case strings.HasSuffix(key, "layer") || strings.HasSuffix(key, "layers"):
				most = layers
			}
			if n := x.Int(); n > most {
				f.add(key, "%d is more than %d", n, most)
			} else if most == math.MaxInt32 && n < math.MinInt32 {
				f.add(key, "%d is no token", n)
			}
		}
	}
	for _, t := range []struct {
		key string
		ids TokenIDs
	}{
		{"eos_token_id", c.EOSTokenID}, {"bos_token_id", TokenIDs{*cmp.Or(c.BOSTokenID, new(int))}}, {"pad_token_id", TokenIDs{*cmp.Or(c.PadTokenID, new(int))}},
	} {
		for _, id := range t.ids {
			if int(int32(id)) != id {
				f.add(t.key, "%d is no token", id)
			}
		}
	}
}

// A count is the value of a key.
type count struct {
	key string
	n   int
}

func (f *Faults) positive(counts ...count) {
	for _, c := range counts {
		if c.n < 1 {
			f.add(c.key, "%d is less than 1", c.n)
		}
	}
}

func (f *Faults) above0(key string, v float64) {
	if !(v > 0) {
		f.add(key, "%g is not above 0", v)
	}
}

func (f *Faults) probability(key string, p float64) {
	if !(p >= 0 && p < 1) {
		f.add(key, "%g is not in [0,1)", p)
	}
}

func (f *Faults) oneOf(key, v string, known ...string) {
	for _, k := range known {
		if v == k {
			return
		}
	}
	f.add(key, "%q is not known; known are %s", v, strings.Join(known, ", "))
}

// no refuses true where only false is implemented.
func (f *Faults) no(key string, on bool) {
	if on {
		f.add(key, "true is not supported")
	}
}

// yes refuses false where only true is implemented.
func (f *Faults) yes(key string, on bool) {
	if !on {
		f.add(key, "false is not supported")
	}
}

// natural refuses numbers below 0; zero says what 0 means.
func (f *Faults) natural(key string, n int, zero string) {
	if n < 0 {
		f.add(key, "%d is negative; 0 is %s", n, zero)
	}
}

// divides refuses a width that its parts cannot share evenly.
func (f *Faults) divides(key string, width int, parts string, n int) {
	if n > 0 && width%n != 0 {
		f.add(key, "%d is not a multiple of %s, %d", width, parts, n)
	}
}
