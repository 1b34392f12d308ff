package recipes

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/data"
	"hone/data/tokenizer"
	"hone/trainer/model"
)

// A base is the checkpoint of another run, or an imported one, that stages of a recipe start
// from: what the model and its tokenizer are.
type base struct {
	from   string // as the recipe has it
	dir    string
	config model.Config
	head   model.Head
}

// isBase says that a stage starts from a checkpoint that is none of the recipe's stages.
func (r *Recipe) isBase(s *Stage) bool { return r.base != nil && s.From == r.base.from }

// base opens what stages start from that is no stage of the recipe.
func (d *decoder) base(r *Recipe) {
	for i := range r.Stages {
		from, at := r.Stages[i].From, fmt.Sprintf("stage.%d.from", i)
		if _, err := r.Stage(from); err == nil || from == "" || r.base != nil && from == r.base.from {
			continue
		}
		info, err := os.Stat(from)
		switch {
		case err != nil && !strings.ContainsAny(from, `/\`):
			continue // a stage was meant
		case err != nil || !info.IsDir():
			d.fault(at, "%s: no such directory", from)
			continue
		case r.base != nil:
			d.fault(at, "%s is another checkpoint than %s: all stages are of one model", from, r.base.from)
			continue
		}
		b, err := openBase(from)
		if err != nil {
			d.fault(at, "%v", err)
			continue
		}
		r.base = b
		if r.Tokenizer.File == "" {
			r.Tokenizer.File = filepath.Join(b.dir, checkpoint.TokenizerFile)
		}
	}
}

func openBase(from string) (*base, error) {
	b := &base{from: from, dir: checkpointDir(from)}
	if !IsCheckpoint(from) {
		if _, err := os.Stat(filepath.Join(from, checkpoint.ConfigFile)); err == nil {
			return nil, fmt.Errorf("%s is no checkpoint; hone import %s NEW makes one of a Hugging Face model", from, from)
		}
		return nil, fmt.Errorf("%s is no checkpoint: it has no %s", from, checkpoint.ManifestFile)
	}
	text, err := checkpoint.ReadInput(filepath.Join(b.dir, checkpoint.ConfigFile))
	if err != nil {
		return nil, err
	}
	if b.config, err = model.ReadConfig(bytes.NewReader(text)); err == nil {
		b.head, err = b.config.Head()
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", b.dir, err)
	}
	if b.head == model.Pretraining {
		b.head = model.LanguageModel
	}
	return b, nil
}

// same checks that keys of [model] say no other than the base has.
func (d *decoder) same(r *Recipe, keys map[string]any, now model.Config) {
	fields := func(c model.Config) map[string]reflect.Value {
		var f map[string]reflect.Value
		c.Edit(func(common, family any) {
			f, _ = tagged(reflect.ValueOf(common).Elem(), reflect.ValueOf(family).Elem())
		})
		return f
	}
	was, is := fields(r.base.config), fields(now)
	for _, k := range sortedKeys(keys) {
		if f, ok := was[k]; ok && !f.Equal(is[k]) {
			d.fault("model."+k, "%v, but %s has %v; [model] may be left out", is[k], r.base.from, f)
		}
	}
}

// framing says how the documents of a tokenizer begin and end. What a post-processor sets
// around a text goes first ([CLS] and [SEP] of BERT, <s> of Llama, </s> of T5); where it says
// nothing of the start or the end, the model's configuration does; else <|endoftext|> stands
// between documents, if there is such a token.
func framing(tok *tokenizer.Pipeline, c *model.Config) (bos, eos, separator string, err error) {
	around, err := tok.Tokenize("a", true)
	if err != nil {
		return "", "", "", err
	}
	special := func(id int) string {
		if id < 0 || id >= tok.Size() {
			return ""
		}
		name := tok.Token(int32(id))
		if got, ok := tok.Special(name); !ok || int(got) != id {
			return ""
		}
		return name
	}
	text := slices.Index(around.Special, false)
	var before, after []string
	for i, s := range around.Special {
		if !s || around.Padding[i] {
			continue
		}
		if i < text {
			before = append(before, special(int(around.IDs[i])))
		} else {
			after = append(after, special(int(around.IDs[i])))
		}
	}
	if len(before) > 1 || len(after) > 1 { // XLNet's <sep><cls>
		return "", "", "", fmt.Errorf("its post-processor sets %q around a text; hone sets one token on each side: give tokenizer.bos or eos, to go on with another frame than the model has learned",
			slices.Concat(before, after))
	}
	bos, eos = strings.Join(before, ""), strings.Join(after, "")
	framed := bos != "" || eos != ""
	if c != nil && eos == "" && len(c.EOSTokenID) > 0 {
		if eos = special(c.EOSTokenID[0]); eos == bos && c.BOSTokenID == nil {
			return "", eos, "", nil // a next token is learned from it: see ends
		}
	}
	if c != nil && !framed && c.BOSTokenID != nil {
		bos = special(*c.BOSTokenID)
	}
	switch {
	case bos == eos && bos != "":
		return "", "", bos, nil
	case bos == "" && eos == "":
		if _, ok := tok.Special(EndOfText); !ok {
			return "", "", "", fmt.Errorf("no special token is known to stand between documents: give tokenizer.bos and eos, or separator")
		}
		return "", "", EndOfText, nil
	}
	return bos, eos, "", nil
}

// frame fills in the special tokens around documents.
func (d *decoder) frame(r *Recipe) {
	t := &r.Tokenizer
	if t.BOS != "" || t.EOS != "" || t.Separator != "" {
		d.named(r)
		return
	}
	if _, err := os.Stat(t.File); t.File == "" || err != nil { // which is a fault of its own
		t.Separator = EndOfText
		return
	}
	tok, err := tokenizer.Open(t.File)
	if err != nil {
		d.fault("tokenizer.file", "%v", err)
		return
	}
	var c *model.Config
	if r.base != nil {
		c = &r.base.config
		if tok.Size() > c.VocabSize {
			d.fault("tokenizer.file", "%s has %d tokens, but %s only %d", t.File, tok.Size(), r.base.from, c.VocabSize)
		}
	}
	if t.BOS, t.EOS, t.Separator, err = framing(tok, c); err != nil {
		d.fault("tokenizer.file", "%s: %v", t.File, err)
	}
}

// named checks that the tokenizer has, or will have, the special tokens that the recipe names.
func (d *decoder) named(r *Recipe) {
	t := &r.Tokenizer
	known, whose := append([]string{EndOfText, Pad}, r.specials()...), "a tokenizer that is learned here"
	if t.File != "" {
		if _, err := os.Stat(t.File); err != nil { // which is a fault of its own
			return
		}
		tok, err := tokenizer.Open(t.File)
		if err != nil {
			d.fault("tokenizer.file", "%v", err)
			return
		}
		known, whose = nil, t.File
		for _, a := range tok.Added() {
			known = append(known, a.Content)
		}
	}
	some := strings.Join(known[:min(len(known), 8)], ", ")
	if n := len(known) - 8; n > 0 {
		some += fmt.Sprintf(" and %d more", n)
	} else if some == "" {
		some = "none"
	}
	for _, k := range [...][2]string{{"bos", t.BOS}, {"eos", t.EOS}, {"separator", t.Separator}} {
		if k[1] != "" && !slices.Contains(known, k[1]) {
			d.fault("tokenizer."+k[0], "%s is not one of the special tokens; %s has %s", k[1], whose, some)
		}
	}
}

// masking is the name of the special token that stands for hidden ones; "": there is none.
func masking(tok tokenizer.Tokenizer) string {
	for _, name := range []string{Mask, "<mask>", "[MASK]"} {
		if _, ok := tok.Special(name); ok {
			return name
		}
	}
	return ""
}

// padding is the name of the special token that fills rows; "": there is none of its own.
func padding(tok tokenizer.Tokenizer) string {
	for _, name := range []string{Pad, "<pad>", "[PAD]"} {
		if _, ok := tok.Special(name); ok {
			return name
		}
	}
	return ""
}

// ends are what stands around a text that the model of a stage reads, and so what the
// tokenizer of its checkpoint sets there: what a document was framed by, but that a text to be
// continued has no end. One of documents that have an end alone starts with that, see
// data.Config.
func (t *Tokenizer) ends(s *Stage) (before, after string) {
	before, after = cmp.Or(t.BOS, t.Separator), cmp.Or(t.EOS, t.Separator)
	if s.Kind == "finetune" {
		return before, after
	}
	switch s.objective() {
	case data.Causal, data.PrefixLM:
		return cmp.Or(before, after), ""
	case data.Permutation:
		return before, ""
	}
	return before, after
}

// settings are what transformers is to know of a tokenizer beside tokenizer.json: the roles of
// the special tokens, and how batches are filled up.
func (t *Tokenizer) settings(tok tokenizer.Tokenizer, c model.Config) map[string]any {
	first, last := cmp.Or(t.BOS, t.Separator), cmp.Or(t.EOS, t.Separator)
	keys := map[string]any{"bos_token": first, "eos_token": last, "pad_token": padding(tok), "mask_token": masking(tok)}
	switch c.ModelType {
	case "bert":
		keys["model_input_names"] = []string{"input_ids", "token_type_ids", "attention_mask"}
		fallthrough
	case "roberta", "distilbert":
		keys["cls_token"], keys["sep_token"] = first, last
	}
	maps.DeleteFunc(keys, func(_ string, name any) bool { return name == "" })
	keys["padding_side"] = paddingSide(c)
	return keys
}

// paddingSide is where rows are filled up: XLNet's classifier reads the last position.
func paddingSide(c model.Config) string {
	if c.ModelType == "xlnet" {
		return "left"
	}
	return "right"
}

// joins says that two texts share the token at their start.
func joins(c model.Config) bool {
	return slices.Contains([]string{"bert", "roberta", "distilbert"}, c.ModelType)
}
