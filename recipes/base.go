package recipes

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/checkpoint/file"
	"hone/data/hub"
	"hone/data/tokenizer"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// A Base is the checkpoint of another run, or an imported one, that stages of a recipe start
// from: what the model and its tokenizer are.
type Base struct {
	From   string // as the recipe has it
	Dir    string
	Config model.Config
	Head   model.Head
	// Sentence says how it makes vectors of texts; nil: it does not say.
	Sentence *pretrained.Sentence
}

// IsBase says that a stage starts from a checkpoint that is none of the recipe's stages.
func (r *Recipe) IsBase(s *Stage) bool { return r.Base != nil && s.From == r.Base.From }

// base opens what stages start from that is no stage of the recipe.
func (d *decoder) base(r *Recipe) {
	for i := range r.Stages {
		from, at := r.Stages[i].From, fmt.Sprintf("stage.%d.from", i)
		if _, err := r.Stage(from); err == nil || from == "" || r.Base != nil && from == r.Base.From {
			continue
		}
		dir, err := d.host.Model(from)
		if err != nil {
			hint := ""
			if strings.HasPrefix(from, hub.Scheme) {
				hint = fmt.Sprintf(" (hint: where it lies on this machine: stage.%s.from=PATH)", r.Stages[i].Name)
			}
			d.fault(at, "%v%s", err, hint)
			d.faults.List[len(d.faults.List)-1].err = err
			continue
		}
		dir = cmp.Or(dir, from)
		info, err := os.Stat(dir)
		switch {
		case err != nil && !strings.ContainsAny(from, `/\`):
			continue // a stage was meant
		case err != nil || !info.IsDir():
			d.fault(at, "%s: no such directory", from)
			continue
		case r.Base != nil:
			d.fault(at, "an earlier stage starts from another checkpoint, %s: all stages of a recipe share one model", r.Base.From)
			continue
		}
		b, err := openBase(from, dir)
		if err != nil {
			d.fault(at, "%v", err)
			continue
		}
		r.Base = b
		if r.Tokenizer.File == "" {
			r.Tokenizer.File = filepath.Join(b.Dir, checkpoint.TokenizerFile)
		}
	}
}

func openBase(from, dir string) (*Base, error) {
	b := &Base{From: from, Dir: pretrained.Dir(dir)}
	if !pretrained.IsCheckpoint(dir) {
		return nil, fmt.Errorf("%s is not a checkpoint: it has no %s", from, checkpoint.ManifestFile)
	}
	text, err := file.Read(filepath.Join(b.Dir, checkpoint.ConfigFile))
	if err != nil {
		return nil, err
	}
	if b.Config, err = model.ReadConfig(bytes.NewReader(text)); err == nil {
		b.Head, err = b.Config.Head()
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", b.Dir, err)
	}
	if text, err := file.Read(filepath.Join(b.Dir, pretrained.SentenceFile)); err == nil {
		b.Sentence = new(pretrained.Sentence)
		if err := json.Unmarshal(text, b.Sentence); err != nil {
			return nil, fmt.Errorf("checkpoint %s: %s: %w", b.Dir, pretrained.SentenceFile, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if b.Head == model.Pretraining {
		b.Head = model.LanguageModel
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
	was, is := fields(r.Base.Config), fields(now)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		f, ok := was[k]
		empty := ok && f.Kind() == reflect.Slice && f.Len()+is[k].Len() == 0 // nil or not
		if ok && !empty && !reflect.DeepEqual(f.Interface(), is[k].Interface()) {
			d.fault("model."+k, "%v, but the checkpoint %s has %v (hint: leave the key out)", is[k], r.Base.From, f)
		}
	}
}

// Framing says how the documents of a tokenizer begin and end. What a post-processor sets
// around a text goes first ([CLS] and [SEP] of BERT, <s> of Llama, </s> of T5); where it says
// nothing of the start or the end, the model's configuration does; else <|endoftext|> stands
// between documents, if there is such a token.
func Framing(tok *tokenizer.Pipeline, c *model.Config) (bos, eos, separator string, err error) {
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
		return "", "", "", fmt.Errorf("its post-processor sets %q around a text, and hone can set one token on each side only (hint: tokenizer.bos and eos say which, though the model has learned with others)",
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
			return "", "", "", fmt.Errorf("no special token is known that separates documents: set tokenizer.bos and eos, or separator")
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
	if r.Base != nil {
		c = &r.Base.Config
		if tok.Size() > c.VocabSize {
			d.fault("tokenizer.file", "%s has %d tokens, but %s only %d", t.File, tok.Size(), r.Base.From, c.VocabSize)
		}
	}
	if t.BOS, t.EOS, t.Separator, err = Framing(tok, c); err != nil {
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
