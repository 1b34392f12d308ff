package recipes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"hone/data/clean"
	"hone/data/corpus"
	"hone/data/hub"
	"hone/data/source"
	"hone/data/tokenizer"
	"hone/trainer/model"
)

// validate notes everything that is wrong with a recipe that has been decoded and resolved.
func (d *decoder) validate(r *Recipe) {
	if len(r.Corpus) == 0 {
		d.fault("corpus", "a recipe needs a corpus, such as [corpus.godoc] with source = \"goroot:\"")
	}
	names := make([]string, 0, len(r.Corpus))
	for name := range r.Corpus {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c, at := r.Corpus[name], "corpus."+name
		d.sourceExists(at+".source", c.Source, c.Origin)
		d.oneOf(at+".on_error", c.OnError, onErrors)
		d.reading(c.Read(), at+".")
		d.positive(at+".examples_per_label", c.ExamplesPerLabel, 0)
		if c.Collected != "" && !slices.ContainsFunc([]string{"2006", "2006-01", time.DateOnly}, func(layout string) bool {
			_, err := time.Parse(layout, c.Collected)
			return err == nil
		}) {
			d.fault(at+".collected", "%q is not a year, a month or a day, such as 2024-05-31", c.Collected)
		}
		d.cleaning(&c, at+".")
		if b, err := hex.DecodeString(c.SHA256); c.SHA256 != "" && (err != nil || len(b) != sha256.Size) {
			d.fault(at+".sha256", "%q is not 64 hexadecimal digits", c.SHA256)
		}
	}
	if !localName(r.Name) {
		d.fault("name", "%q cannot be the name of the run's directory: no slash, colon or control character, and no . or - at its start", r.Name)
	}
	d.positive("seed", r.Seed, 0)
	d.positive("threads", r.Threads, 0)
	d.atMost("threads", r.Threads, maxThreads)

	t := r.Tokenizer
	if t.File != "" {
		d.fileExists("tokenizer.file", t.File)
	} else {
		d.oneOf("tokenizer.kind", t.Kind, tokenizer.TrainKinds)
		d.oneOf("tokenizer.corpus", t.Corpus, names)
		d.positive("tokenizer.min_frequency", t.MinFrequency, 0)
		switch t.Kind {
		case "byte":
			if t.VocabSize != 0 {
				d.fault("tokenizer.vocab_size", "the tokens of a byte tokenizer are the bytes and special tokens: leave the key out")
			}
		case "byte_bpe":
			d.positive("tokenizer.vocab_size", t.VocabSize, 258)
		default:
			d.positive("tokenizer.vocab_size", t.VocabSize, 4)
		}
		if t.Kind == "kmer" {
			d.positive("tokenizer.k", t.K, 1)
		} else if t.K != 0 {
			d.fault("tokenizer.k", "only a tokenizer of kind kmer has it")
		}
		if t.Lowercase && t.Kind != "wordpiece" {
			d.fault("tokenizer.lowercase", "only a tokenizer of kind wordpiece has it")
		}
	}

	if t.Separator != "" && (t.BOS != "" || t.EOS != "") {
		d.fault("tokenizer.separator", "%q already separates documents: with bos or eos beside it each would begin or end twice", t.Separator)
	}

	if r.Model.Family != nil { // else model_type is a fault already
		for _, f := range r.Model.Faults() {
			d.fault("model."+f.Key, "%s", f.Message)
		}
	}

	if len(r.Stages) == 0 {
		d.fault("stage", "a recipe needs a stage: [[stage]] with kind = %s", strings.Join(stageKinds, ", "))
	}
	for i := range r.Stages {
		d.checkStage(r, i, names)
	}
}

// localName tells whether name can be that of a directory, on every system, in the one that
// is meant and no other.
func localName(name string) bool {
	return filepath.IsLocal(name) && !strings.ContainsAny(name, `/\:`) && !strings.HasPrefix(name, "-") && !strings.HasPrefix(name, ".") &&
		!strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) })
}

// PlainName is a localName that can be part of a key too: that of a stage.
func PlainName(name string) bool { return localName(name) && !strings.ContainsAny(name, ". ") }

// cleaning checks the rules of a corpus.
func (d *decoder) cleaning(c *Corpus, at string) {
	optional := func(key, v string, known []string) {
		if v != "" {
			d.oneOf(at+key, v, known)
		}
	}
	optional("normalize", c.Normalize, clean.Forms)
	optional("dedup", c.Dedup, clean.Dedups)
	d.positive(at+"min_length", c.MinLength, 0)
	d.positive(at+"max_length", c.MaxLength, 0)
	if c.MaxLength > 0 && c.MaxLength < c.MinLength {
		d.fault(at+"max_length", "%d is less than min_length, which is %d", c.MaxLength, c.MinLength)
	}
	for _, s := range c.Scripts {
		if unicode.Scripts[s] == nil {
			near := source.Nearest(s, slices.Sorted(maps.Keys(unicode.Scripts)))
			if near == "" {
				near = "Latin"
			}
			d.fault(at+"scripts", "%q is not a Unicode script; did you mean %q?", s, near)
		}
	}
	for _, f := range []struct {
		key string
		v   float64
	}{{"script_share", c.ScriptShare}, {"dedup_threshold", c.DedupThreshold}} {
		if !(f.v > 0 && f.v <= 1) {
			d.fault(at+f.key, "%g is not above 0 and at most 1", f.v)
		}
	}
	for _, f := range []struct {
		key string
		v   float64
	}{{"validation", c.Validation}, {"test", c.Test}} {
		if !(f.v >= 0 && c.Validation+c.Test < 1) {
			d.fault(at+f.key, "%g: validation and test must be 0 or more, and together less than 1, so that something is left to train on", f.v)
		}
	}
	if c.HoldOut != "" {
		d.oneOf(at+"hold_out", c.HoldOut, holdOuts)
	}
	if c.HoldOut == HoldOutEnd && c.Validation+c.Test == 0 {
		d.fault(at+"hold_out", "nothing is held out: set validation, or test, to a share such as 0.1")
	}
	if c.Group != "" && (c.HoldOut == HoldOutEnd || c.Validation+c.Test == 0) {
		d.fault(at+"group", "no documents are held out by a hash: set validation, or test, to a share such as 0.1")
	}
	if c.Source == corpus.GorootScheme && (!c.Rules().IsZero() || c.Validation != 0 || c.Test != 0 || c.HoldOut != "") {
		d.fault(at+"source", "goroot: has its own cleaning and splits: leave these keys out, or clean what hone data convert makes of it")
	}
}

// A trainedCheck checks that a key names an earlier stage of one of some kinds.
type trainedCheck func(key, name string, kinds ...string)

// checkStage checks a stage, and what it says of others.
func (d *decoder) checkStage(r *Recipe, i int, corpora []string) {
	s := &r.Stages[i]
	at := fmt.Sprintf("stage.%d.", i)
	earlier := map[string]string{} // name -> kind
	for j := range i {
		earlier[r.Stages[j].Name] = r.Stages[j].Kind
	}
	switch {
	case s.Name == "":
		d.fault(at+"name", "missing: what the stage is called")
	case !PlainName(s.Name):
		d.fault(at+"name", "%q cannot be the name of a directory: no dot, slash, colon, space or control character, and no - at its start", s.Name)
	}
	if _, dup := earlier[s.Name]; dup {
		d.fault(at+"name", "two stages are called %q", s.Name)
	}
	d.oneOf(at+"kind", s.Kind, stageKinds)
	if len(s.Mixture) > 0 {
		d.mixture(s, at, corpora)
		for _, m := range s.Mixture {
			if r.Corpus[m.Corpus].ExamplesPerLabel > 0 {
				d.fault("corpus."+m.Corpus+".examples_per_label", "stage %s mixes it with other corpora, of which all documents are read: leave the key out", s.Name)
			}
		}
	} else {
		d.oneOf(at+"corpus", s.Corpus, corpora)
		if s.MixtureBy != "" {
			d.fault(at+"mixture_by", "there is no mixture: [[stage.mixture]] begins one")
		}
	}
	trained := func(key, name string, kinds ...string) {
		kind, ok := earlier[name]
		if !ok {
			for j := i; j < len(r.Stages); j++ {
				if r.Stages[j].Name == name {
					d.fault(key, "stage %q comes later; a stage starts from an earlier one", name)
					return
				}
			}
			var list []string
			for j := range i {
				list = append(list, r.Stages[j].Name)
			}
			d.fault(key, "no stage is called %q%s", name, suggest(name, list))
			return
		}
		if !slices.Contains(kinds, kind) {
			d.fault(key, "stage %q is of kind %s; want %s", name, kind, strings.Join(kinds, " or "))
		}
	}
	d.positive(at+"eval_documents", s.EvalDocuments, 0)
	if !s.Trains() {
		d.evaluating(s, at, trained)
		d.scored(r, s, at)
		return
	}
	if r.IsBase(s) && r.Base.Head == model.Encoder {
		d.fault(at+"from", "%s is a %v: hone's models of a %s have a decoder too, which it lacks", s.From, r.Base.Head, r.Base.Config.ModelType)
	}
	if s.From != "" && !r.IsBase(s) && !slices.ContainsFunc(d.faults.List, func(f Fault) bool { return f.Key == "stage."+s.Name+".from" }) {
		trained(at+"from", s.From, "pretrain")
	}
	d.training(r, s, at)
	if !slices.Contains(stageKinds, s.Kind) {
		return // which is a fault already
	}
	for _, g := range groups() {
		switch {
		case !g.has(s.Kind, s.Objective):
		case g.name == "Pretraining":
			d.pretraining(r, s, at, trained)
		case g.name == "Finetuning":
			d.finetuning(s, at)
		case g.name == "Deciding":
			d.deciding(s, at)
		case g.name == "Writing":
			d.writing(s, at)
		case g.name == "Vectors":
			d.vectors(r, s, at)
		case g.name == "Stopping":
			d.stopping(s, at)
		}
	}
	d.objective(r, s, at)
}

func (d *decoder) oneOf(path, v string, known []string) {
	switch {
	case slices.Contains(known, v):
	case v == "" && len(known) == 0:
		// That there is none to name is a fault of its own.
	case v == "":
		d.fault(path, "missing: want one of %s", strings.Join(known, ", "))
	default:
		d.fault(path, "%q is not known%s", v, suggest(v, known))
	}
}

func (d *decoder) positive(path string, v, least int) {
	switch {
	case v < least && v == 0 && d.absent(path):
		d.fault(path, "missing: want %d or more", least)
	case v < least:
		d.fault(path, "%d is less than %d", v, least)
	}
}

// What is more is taken for a mistake, as sizes of a model are (see model.Config.Faults). Each
// bound is far above what is in use, and keeps sizes within an int64.
const (
	maxThreads = 4096
	maxRow     = 1<<31 - 1 // positions of a micro-batch
)

func (d *decoder) atMost(path string, v, most int) {
	if v > most {
		d.fault(path, "%d is more than %d", v, most)
	}
}

func (d *decoder) above(path string, v float64) {
	if !(v > 0) {
		d.fault(path, "%g is not above 0", v)
	}
}

func (d *decoder) notNegative(path string, v float64, hint string) {
	if !(v >= 0) {
		d.fault(path, "%g is negative%s", v, hint)
	}
}

func (d *decoder) atLeast(path string, v, least float64) {
	if !(v >= least) {
		d.fault(path, "%g is less than %g", v, least)
	}
}

// share checks a share of tokens: some, and not all.
func (d *decoder) share(path string, v float64) {
	if !(v > 0 && v < 1) {
		d.fault(path, "%g is not above 0 and below 1", v)
	}
}

func (d *decoder) fileExists(path, file string) {
	if _, err := os.Stat(file); err != nil {
		d.fault(path, "%s: no such file", file)
	}
}

// sourceExists checks that a corpus is there; origin, or "", is where one can get it.
func (d *decoder) sourceExists(path, src, origin string) {
	hint := ""
	if origin != "" {
		hint = fmt.Sprintf("; get it from %s, or say where it lies: %s=PATH", origin, path)
	}
	switch {
	case src == "":
		d.fault(path, "missing: want the path of a file or a directory, hf:datasets/ORG/NAME for a data set of the hub, or goroot: for the Go source tree")
	case src == corpus.GorootScheme:
	case strings.HasPrefix(src, hub.Scheme):
		if ref, err := hub.Parse(src); err != nil {
			d.fault(path, "%v", err)
		} else if !ref.Dataset {
			d.fault(path, "%s is a model (hint: a data set is hf:datasets/%s)", src, ref.Repo)
		}
	case strings.Contains(src, "{"):
		if _, err := source.Expand(src); err != nil {
			d.fault(path, "%s%s", strings.TrimPrefix(err.Error(), "data: "), hint)
		}
	case strings.ContainsAny(src, "*?["):
		if m, err := filepath.Glob(src); err != nil || len(m) == 0 {
			d.fault(path, "%s: matches no file%s", src, hint)
		}
	default:
		if _, err := os.Stat(src); err != nil {
			d.fault(path, "%s: no such file%s", src, hint)
		}
	}
}
