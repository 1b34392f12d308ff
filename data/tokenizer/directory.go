package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// A directory is a model's directory without tokenizer.json. A class says which tokenizer its
// files make; tokenizer_config.json and two older files change the defaults of that class. The
// ids are those that AutoTokenizer of transformers 5.24 gives; what is not supported is refused
// by name.
type directory struct {
	path   string
	class  string
	keys   map[string]json.RawMessage // of tokenizer_config.json, over it special_tokens_map.json
	types  bool                       // the model has token types as an input
	added  []AddedToken               // tokens with an id in the files, in the order of their ids
	named  map[string]AddedToken      // tokens with a role: bos_token, cls_token, …
	others []string                   // roles of the model's own, in their order
	extra  []AddedToken               // special tokens without a role
	listed bool                       // the files list extra: the vocabulary adds nothing to it
}

const (
	configFile          = "config.json"
	tokenizerConfigFile = "tokenizer_config.json"
	specialTokensFile   = "special_tokens_map.json"
	addedTokensFile     = "added_tokens.json"
)

// roles are the roles of special tokens that every class has, in the order in which they are
// added.
var roles = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// backend is the class that follows a tokenizer.json or a SentencePiece model as it is.
const backend = "TokenizersBackend"

// classes makes a tokenizer of a directory's vocabulary, by class.
var classes = map[string]func(*directory) (*Pipeline, error){
	"BertTokenizer":       (*directory).bert,
	"CamembertTokenizer":  (*directory).camembert,
	"GPT2Tokenizer":       (*directory).gpt2,
	"GemmaTokenizer":      (*directory).gemma,
	"LlamaTokenizer":      (*directory).llama,
	"Qwen2Tokenizer":      (*directory).qwen2,
	"RobertaTokenizer":    (*directory).roberta,
	"T5Tokenizer":         (*directory).t5,
	"XLMRobertaTokenizer": (*directory).xlmRoberta,
	"XLNetTokenizer":      (*directory).xlnet,
	backend:               (*directory).sentencePiece,
}

// otherNames maps further names of classes to those of classes.
var otherNames = map[string]string{
	"DistilBertTokenizer": "BertTokenizer", "ElectraTokenizer": "BertTokenizer", "LayoutLMTokenizer": "BertTokenizer",
	"MobileBertTokenizer": "BertTokenizer", "SqueezeBertTokenizer": "BertTokenizer", "BartTokenizer": "RobertaTokenizer",
	"LongformerTokenizer": "RobertaTokenizer", "PreTrainedTokenizer": backend, "BloomTokenizer": backend,
}

// classOf is the class by model_type, for models without tokenizer_class.
var classOf = map[string]string{
	"bert": "BertTokenizer", "distilbert": "BertTokenizer", "electra": "BertTokenizer", "ernie": "BertTokenizer",
	"megatron-bert": "BertTokenizer", "nezha": "BertTokenizer", "nomic_bert": "BertTokenizer", "squeezebert": "BertTokenizer",
	"camembert": "CamembertTokenizer",
	"gpt2":      "GPT2Tokenizer", "gpt_neo": "GPT2Tokenizer", "gptj": "GPT2Tokenizer", "opt": "GPT2Tokenizer",
	"phi": "GPT2Tokenizer", "starcoder2": "GPT2Tokenizer",
	"gemma": "GemmaTokenizer", "gemma2": "GemmaTokenizer", "gemma3": "GemmaTokenizer", "gemma3_text": "GemmaTokenizer",
	"mistral": backend, "mixtral": backend, "phi3": backend, "umt5": backend, "granite": backend,
	"qwen2": "Qwen2Tokenizer", "qwen2_moe": "Qwen2Tokenizer", "qwen3": "Qwen2Tokenizer", "qwen3_moe": "Qwen2Tokenizer",
	"roberta": "RobertaTokenizer", "bart": "RobertaTokenizer", "longformer": "RobertaTokenizer",
	"mt5": "T5Tokenizer", "switch_transformers": "T5Tokenizer", "t5": "T5Tokenizer",
	"xlm-roberta": "XLMRobertaTokenizer", "xmod": "XLMRobertaTokenizer",
	"xlnet": "XLNetTokenizer",
}

// openDirectory reads a model's directory that says which tokenizer it has; nil: it does not
// say, and the vocabulary files alone must do.
func openDirectory(path string) (*Pipeline, error) {
	d := &directory{path: path}
	if err := d.read(tokenizerConfigFile, &d.keys); err != nil {
		return nil, err
	}
	if err := d.findClass(); err != nil || d.class == "" {
		return nil, err
	}
	if err := d.readTokens(); err != nil {
		return nil, err
	}
	p, err := classes[d.class](d)
	if err != nil {
		return nil, fmt.Errorf("%s, as a %s: %w", path, d.class, err)
	}
	p.settings = d.settings()
	return p, nil
}

// bertInputs is model_input_names of models that have token types as an input.
const bertInputs = `["input_ids", "token_type_ids", "attention_mask"]`

// settings gives the keys of tokenizer_config.json to be written beside a tokenizer.json: the
// roles of tokens, and how batches are made.
func (d *directory) settings() map[string]json.RawMessage {
	keep := map[string]json.RawMessage{}
	switch {
	case d.class == "LlamaTokenizer" || d.class == "GemmaTokenizer" || d.class == "XLNetTokenizer":
		keep["padding_side"] = json.RawMessage(`"left"`)
	case d.types:
		keep["model_input_names"] = json.RawMessage(bertInputs)
	}
	if raw := d.keys["max_len"]; !isNull(raw) {
		keep["model_max_length"] = raw
	}
	for _, key := range []string{"chat_template", "clean_up_tokenization_spaces", "model_input_names", "model_max_length", "padding_side", "truncation_side"} {
		if raw := d.keys[key]; !isNull(raw) {
			keep[key] = raw
		}
	}
	for role, t := range d.named {
		keep[role] = json.RawMessage(quote(t.Content))
	}
	var names []string
	for _, t := range d.extra {
		if !slices.Contains(names, quote(t.Content)) {
			names = append(names, quote(t.Content))
		}
	}
	if names != nil {
		keep["extra_special_tokens"] = json.RawMessage("[" + strings.Join(names, ", ") + "]")
	}
	return keep
}

// read reads a JSON file of the directory, if it is there.
func (d *directory) read(name string, v any) error {
	text, err := readInput(filepath.Join(d.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(d.path, name), explain(err))
	}
	return nil
}

func (d *directory) findClass() error {
	var c struct {
		ModelType string `json:"model_type"`
		Class     string `json:"tokenizer_class"`
	}
	if err := d.read(configFile, &c); err != nil {
		return err
	}
	at := filepath.Join(d.path, tokenizerConfigFile)
	said, err := d.text("tokenizer_class")
	if err != nil {
		return err
	}
	if said == "" {
		said, at = c.Class, filepath.Join(d.path, configFile)
	}
	if !isNull(d.keys["auto_map"]) {
		return fmt.Errorf("%s: auto_map names a program of the model's own, which is not run (hint: convert the tokenizer to tokenizer.json)", filepath.Join(d.path, tokenizerConfigFile))
	}
	registered := classOf[c.ModelType]
	d.class = strings.TrimSuffix(said, "Fast")
	if d.class == "PreTrainedTokenizer" { // PreTrainedTokenizerFast
		d.class = backend
	}
	if said != "" && (registered == backend || c.ModelType == "qwen2") { // their directories often name a wrong class
		d.class = registered
	}
	distilled := d.class == "DistilBertTokenizer"
	if name, ok := otherNames[d.class]; ok {
		d.class = name
	}
	defer func() { d.types = d.class == "BertTokenizer" && !distilled }()
	switch {
	case said == "" && c.ModelType == "llama": // LlamaTokenizer is used only where it is named
		d.class = backend
	case said == "" && c.ModelType != "" && registered == "":
		return fmt.Errorf("%s: the tokenizer of model_type %q is not known (hint: set tokenizer_class in %s, or convert the tokenizer to tokenizer.json)",
			filepath.Join(d.path, configFile), c.ModelType, tokenizerConfigFile)
	case said == "":
		d.class = registered
	case classes[d.class] == nil:
		return fmt.Errorf("%s: tokenizer_class %q is not supported without a tokenizer.json (known: %s)", at, said, strings.Join(sortedKeys(classes), ", "))
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// own are keys that would replace what the directory's other files contain.
var own = []string{"fast_tokenizer_files", "init_inputs", "merges", "post_processor", "split_special_tokens", "tokenizer_object", "tokenizer_padding", "tokenizer_truncation", "vocab"}

// readTokens reads the special and the added tokens.
func (d *directory) readTokens() error {
	at := filepath.Join(d.path, tokenizerConfigFile)
	for _, key := range own {
		if raw := d.keys[key]; !isNull(raw) && !slices.Contains([]string{"false", "[]", "{}"}, string(raw)) {
			return fmt.Errorf("%s: %s is not supported", at, key)
		}
	}
	if isEmpty(d.keys["extra_special_tokens"]) && d.keys["additional_special_tokens"] != nil {
		d.keys["extra_special_tokens"] = d.keys["additional_special_tokens"]
		delete(d.keys, "additional_special_tokens")
	}
	// extra_special_tokens may be an object: then its keys are roles of the model's own.
	byRole, err := ordered(d.keys["extra_special_tokens"])
	if err != nil {
		return fmt.Errorf("%s: extra_special_tokens: %w", at, err)
	}
	if byRole != nil {
		delete(d.keys, "extra_special_tokens")
		for _, role := range byRole.names {
			d.others = append(d.others, role)
			d.keys[role] = byRole.values[role]
		}
	}
	ofClass, err := d.orderedKeys()
	if err != nil {
		return err
	}
	for _, key := range ofClass {
		if strings.HasSuffix(key, "_token") && !slices.Contains(roles, key) && !slices.Contains(d.others, key) && isToken(d.keys[key]) {
			d.others = append(d.others, key)
		}
	}
	fromMap := map[string]bool{} // keys of special_tokens_map.json
	decoder := d.keys["added_tokens_decoder"]
	if decoder == nil {
		var m map[string]json.RawMessage
		if err := d.read(specialTokensFile, &m); err != nil {
			return err
		}
		for _, key := range sortedKeys(m) {
			switch {
			case slices.Contains(roles, key) || slices.Contains(d.others, key):
			case key == "extra_special_tokens" && bytes.HasPrefix(m[key], []byte("[")) || key == "additional_special_tokens":
			default:
				if isToken(m[key]) || bytes.HasPrefix(m[key], []byte("{")) {
					return fmt.Errorf("%s: the role %s is not supported", filepath.Join(d.path, specialTokensFile), key)
				}
				continue
			}
			if d.keys == nil {
				d.keys = map[string]json.RawMessage{}
			}
			d.keys[key], fromMap[key] = m[key], true
		}
	}
	d.named = map[string]AddedToken{}
	for _, role := range slices.Concat(roles, d.others) {
		raw := d.keys[role]
		if isNull(raw) {
			continue
		}
		file := at
		if fromMap[role] {
			file = filepath.Join(d.path, specialTokensFile)
		}
		t, err := readToken(raw, fromMap[role])
		if err != nil {
			return fmt.Errorf("%s: %s: %w", file, role, err)
		}
		d.named[role] = t
	}
	_, d.listed = d.keys["extra_special_tokens"]
	list := d.keys["extra_special_tokens"]
	if !d.listed {
		list = d.keys["additional_special_tokens"]
	}
	if !isNull(list) {
		var raws []json.RawMessage
		if err := json.Unmarshal(list, &raws); err != nil {
			return fmt.Errorf("%s: extra_special_tokens: %w", at, explain(err))
		}
		for i, raw := range raws {
			t, err := readToken(raw, fromMap["extra_special_tokens"])
			if err != nil {
				return fmt.Errorf("%s: extra_special_tokens: entry %d: %w", at, i, err)
			}
			d.extra = append(d.extra, t)
		}
	}
	if decoder != nil {
		err = d.decoder(decoder)
	} else {
		err = d.addedTokens()
	}
	if err != nil {
		return err
	}
	for role, t := range d.named { // a token has the same flags in all its roles
		for _, a := range d.added {
			if a.Content == t.Content {
				d.named[role] = a
			}
		}
	}
	return nil
}

func isEmpty(raw json.RawMessage) bool {
	return isNull(raw) || string(raw) == "[]" || string(raw) == "{}" || string(raw) == `""`
}

// decoder reads added_tokens_decoder: the tokens by id.
func (d *directory) decoder(raw json.RawMessage) error {
	at := filepath.Join(d.path, tokenizerConfigFile) + ": added_tokens_decoder"
	var byID map[int32]json.RawMessage
	if err := json.Unmarshal(raw, &byID); err != nil {
		return fmt.Errorf("%s: %w", at, explain(err))
	}
	for id, raw := range byID {
		if !bytes.HasPrefix(raw, []byte("{")) {
			return fmt.Errorf("%s: %d: %s is not a token", at, id, clip(raw))
		}
		t, err := readToken(raw, false)
		if err != nil {
			return fmt.Errorf("%s: %d: %w", at, id, err)
		}
		t.ID = id
		d.added = append(d.added, t)
	}
	slices.SortFunc(d.added, func(a, b AddedToken) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// addedTokens reads added_tokens.json: ids by token.
func (d *directory) addedTokens() error {
	var ids map[string]int32
	if err := d.read(addedTokensFile, &ids); err != nil {
		return err
	}
	special := map[string]bool{}
	for _, role := range roles {
		special[d.named[role].Content] = true
	}
	if d.listed {
		for _, t := range d.extra {
			special[t.Content] = true
		}
	}
	for name, id := range ids {
		d.added = append(d.added, AddedToken{ID: id, Content: name, Normalized: !special[name], Special: special[name]})
	}
	slices.SortFunc(d.added, func(a, b AddedToken) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), strings.Compare(a.Content, b.Content))
	})
	return nil
}

// object is a JSON object with its names in order.
type object struct {
	names  []string
	values map[string]json.RawMessage
}

// ordered reads a JSON object; nil: the value is not an object.
func ordered(raw json.RawMessage) (*object, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return nil, nil
	}
	o := &object{values: map[string]json.RawMessage{}}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil, explain(err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, explain(err)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, explain(err)
		}
		if _, twice := o.values[name.(string)]; !twice {
			o.names = append(o.names, name.(string))
		}
		o.values[name.(string)] = v
	}
	return o, nil
}

// orderedKeys lists the keys of tokenizer_config.json in their order.
func (d *directory) orderedKeys() ([]string, error) {
	text, err := readInput(filepath.Join(d.path, tokenizerConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := ordered(text)
	if err != nil || o == nil {
		return nil, err
	}
	return o.names, nil
}

// isToken reports whether a value can be a token: a string, or an object with flags.
func isToken(raw json.RawMessage) bool {
	var t struct {
		Type string `json:"__type"`
	}
	return bytes.HasPrefix(raw, []byte(`"`)) || json.Unmarshal(raw, &t) == nil && t.Type == "AddedToken"
}

// readToken reads a token: a string, or an object with flags. In special_tokens_map.json, for
// which special is set, all tokens are special.
func readToken(raw json.RawMessage, special bool) (AddedToken, error) {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		return plain(name), nil
	}
	t := struct {
		Type       string `json:"__type"`
		Normalized *bool  `json:"normalized"`
		AddedToken
	}{}
	if err := json.Unmarshal(raw, &t); err != nil || t.Content == "" {
		return AddedToken{}, fmt.Errorf("%s is not a token", clip(raw))
	}
	a := t.AddedToken
	if special {
		a.Special = true
	}
	if a.Normalized = !a.Special; t.Normalized != nil {
		a.Normalized = *t.Normalized
	}
	return a, nil
}

// plain is the special token that a string alone stands for.
func plain(name string) AddedToken { return AddedToken{Content: name, Special: true} }

// text and flag read a key. Absent and null are the default.
func (d *directory) text(key string) (s string, err error) { return s, d.value(key, &s) }

func (d *directory) flag(key string, def bool) (bool, error) { return def, d.value(key, &def) }

func (d *directory) value(key string, v any) error {
	if raw := d.keys[key]; !isNull(raw) {
		if err := json.Unmarshal(raw, v); err != nil {
			return fmt.Errorf("%s: %s: %w", filepath.Join(d.path, tokenizerConfigFile), key, explain(err))
		}
	}
	return nil
}

// role gives the token of a role that the class needs.
func (d *directory) role(name string) (string, error) {
	if t, ok := d.named[name]; ok {
		return t.Content, nil
	}
	return "", fmt.Errorf("%s is null", name)
}

// defaults sets the class's tokens of roles that the files do not mention. A role whose value
// is null stays without a token.
func (d *directory) defaults(tokens ...string) {
	for i := 0; i < len(tokens); i += 2 {
		role := tokens[i]
		if _, said := d.keys[role]; !said {
			d.named[role] = plain(tokens[i+1])
		}
	}
}

// place makes the added tokens, those that the files list first and then the special ones: a
// token keeps the id that it has in the vocabulary, or takes the next one.
func (d *directory) place(f *file, v *vocabulary) error {
	size := int64(max(len(v.ids), len(v.pieces)))
	ids := v.ids
	if v.kind == "Unigram" {
		ids = make(map[string]int64, len(v.pieces))
		for id, piece := range v.pieces {
			ids[piece] = int64(id)
		}
	}
	// Of two tokens with the same content the last one counts, but listed ones do not change.
	tokens := slices.Clone(d.added)
	listed := len(tokens)
	add := func(t AddedToken) {
		if !slices.ContainsFunc(tokens[:listed], func(a AddedToken) bool { return a.Content == t.Content }) {
			tokens = append(tokens, t)
		}
	}
	for _, role := range slices.Concat(roles, d.others) {
		if t, ok := d.named[role]; ok {
			add(t)
		}
	}
	for _, t := range d.extra {
		add(t)
	}
	roleOf := map[string]bool{}
	for _, t := range d.named {
		roleOf[t.Content] = true
	}
	at := map[string]int{}
	for i, t := range tokens {
		t.Special = t.Special || roleOf[t.Content]
		if k, ok := at[t.Content]; ok {
			t.ID = f.AddedTokens[k].ID
			f.AddedTokens[k] = t
			continue
		}
		id, ok := ids[t.Content]
		if !ok {
			id = size
			size++
		}
		if i < listed && int64(t.ID) != id {
			return fmt.Errorf("the added token %q has id %d in the files, but the vocabulary and the tokens before it give it %d", t.Content, t.ID, id)
		}
		if id >= maxSize {
			return fmt.Errorf("the added token %q has id %d: more than %d tokens", t.Content, id, maxSize)
		}
		t.ID = int32(id)
		at[t.Content] = len(f.AddedTokens)
		f.AddedTokens = append(f.AddedTokens, t)
	}
	return nil
}

// tokenID gives the id of a token of f or v.
func tokenID(f *file, v *vocabulary) func(name string) (int32, bool) {
	return func(name string) (int32, bool) {
		for _, a := range f.AddedTokens {
			if a.Content == name {
				return a.ID, true
			}
		}
		id, ok := v.ids[name]
		return int32(id), ok
	}
}

// ends makes the post-processor of classes that have none of their own, as add_bos_token and
// add_eos_token ask.
func (d *directory) ends(f *file, v *vocabulary) error {
	bos, err := d.flag("add_bos_token", false)
	if err != nil {
		return err
	}
	eos, err := d.flag("add_eos_token", false)
	if err != nil {
		return err
	}
	var before, after string
	if bos {
		before = d.named["bos_token"].Content
	}
	if eos {
		after = d.named["eos_token"].Content
	}
	f.PostProcessor, err = surround(before, after, tokenID(f, v))
	return err
}

// finish adds the tokens, makes the post-processor by post, and builds the tokenizer.
func (d *directory) finish(f file, v *vocabulary, post func(*file, *vocabulary) error) (*Pipeline, error) {
	if err := d.place(&f, v); err != nil {
		return nil, err
	}
	if err := post(&f, v); err != nil {
		return nil, err
	}
	slices.SortFunc(f.AddedTokens, func(a, b AddedToken) int { return cmp.Compare(a.ID, b.ID) })
	return build(f, v)
}
