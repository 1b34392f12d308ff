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

	"hone/data"
	"hone/data/clean"
	"hone/data/corpus"
	"hone/data/hub"
	"hone/data/source"
	"hone/data/tokenizer"
	"hone/optim"
	"hone/trainer/model"
)

var (
	stageKinds = []string{"pretrain", "finetune", "evaluate"}
	baselines  = []string{"zstd_primed", "kneser_ney_5", "majority", "naive_bayes", "random_init", "bidirectional_trigram", "frequent_span", "gap_span", "unigram", "markov"}
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
		d.oneOf(at+".on_error", c.OnError, []string{"fail", "skip"})
		faults := c.Read().Check()
		for _, key := range slices.Sorted(maps.Keys(faults)) {
			d.fault(at+"."+key, "%v", faults[key])
		}
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
		d.fault("name", "%q must do as the name of the run's directory: no slash, colon or control character, and no . or - at its start", r.Name)
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
				d.fault("tokenizer.vocab_size", "a byte tokenizer has no other tokens than bytes and special ones: leave it out")
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
		d.fault("tokenizer.separator", "%q stands between documents already: bos or eos beside it would end or begin each twice", t.Separator)
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
		d.stage(r, i, names)
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
		d.fault(at+"max_length", "%d is less than min_length, %d", c.MaxLength, c.MinLength)
	}
	for _, s := range c.Scripts {
		if unicode.Scripts[s] == nil {
			near := source.Nearest(s, slices.Sorted(maps.Keys(unicode.Scripts)))
			if near == "" {
				near = "Latin"
			}
			d.fault(at+"scripts", "%q is no Unicode script; did you mean %q?", s, near)
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
			d.fault(at+f.key, "%g: validation and test are 0 or more, and together less than 1, so that something is left to train on", f.v)
		}
	}
	if c.HoldOut != "" {
		d.oneOf(at+"hold_out", c.HoldOut, []string{holdOutHash, HoldOutEnd})
	}
	if c.HoldOut == HoldOutEnd && c.Validation+c.Test == 0 {
		d.fault(at+"hold_out", "nothing is held out: give validation, or test, a share such as 0.1")
	}
	if c.Source == corpus.GorootScheme && (!c.Rules().IsZero() || c.Validation != 0 || c.Test != 0 || c.HoldOut != "") {
		d.fault(at+"source", "goroot: has its own cleaning and splits: leave these keys out, or clean what hone data convert makes of it")
	}
}

func (d *decoder) stage(r *Recipe, i int, corpora []string) {
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
		d.fault(at+"name", "%q must do as the name of a directory: no dot, slash, colon, space or control character, and no - at its start", s.Name)
	}
	if _, dup := earlier[s.Name]; dup {
		d.fault(at+"name", "two stages are called %q", s.Name)
	}
	d.oneOf(at+"kind", s.Kind, stageKinds)
	if len(s.Mixture) > 0 {
		d.mixture(s, at, corpora)
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
	switch {
	case r.IsBase(s) && s.Kind == "pretrain" && r.Base.Head != model.LanguageModel:
		d.fault(at+"from", "%s is a %v, without the output layer of a language model: only a stage of kind finetune can start from it", s.From, r.Base.Head)
	case s.From != "" && !r.IsBase(s) && !slices.ContainsFunc(d.faults.List, func(f Fault) bool { return f.Key == "stage."+s.Name+".from" }):
		trained(at+"from", s.From, "pretrain")
	}
	d.positive(at+"batch_size", s.BatchSize, 1)
	d.positive(at+"micro_batch_size", s.MicroBatchSize, 1)
	d.atMost(at+"batch_size", s.BatchSize, maxRow)
	d.atMost(at+"sequence_length", s.SequenceLength, maxRow)
	d.atMost(at+"max_sequences", s.MaxSequences, maxRow)
	if s.MicroBatchSize > 0 && max(s.SequenceLength, s.MaxSequences) > maxRow/s.MicroBatchSize {
		d.fault(at+"micro_batch_size", "%d rows have more than %d positions", s.MicroBatchSize, maxRow)
	}
	if s.MicroBatchSize > 0 && s.BatchSize%s.MicroBatchSize != 0 {
		d.fault(at+"micro_batch_size", "batch_size, %d, is not a multiple of %d", s.BatchSize, s.MicroBatchSize)
	}
	if r.Model.Family != nil {
		if s.Kind != "evaluate" { // which reads as its models have read
			d.positive(at+"sequence_length", s.SequenceLength, 2)
		}
		if n := r.Model.MaxLength(); n > 0 && s.SequenceLength > n {
			d.fault(at+"sequence_length", "%d is more than the longest sequence of the model, %d", s.SequenceLength, n)
		}
		c := r.Model
		if err := c.SetDropout(s.Dropout, 0); err != nil {
			d.fault(at+"dropout", "%v", err)
		}
		if err := c.SetDropout(0, s.AttentionDropout); err != nil {
			d.fault(at+"attention_dropout", "%v", err)
		}
	}
	d.positive(at+"max_sequences", s.MaxSequences, 1)
	d.positive(at+"eval_documents", s.EvalDocuments, 0)
	if s.Kind == "evaluate" {
		d.evaluate(s, at, trained)
		d.scored(r, s, at)
		return
	}
	if slices.Contains(stageKinds, s.Kind) {
		d.objective(r, s, at)
	}
	if s.Precision != "" && !slices.Contains(Precisions, s.Precision) {
		d.fault(at+"precision", "%q is not known; known are %s, auto", s.Precision, strings.Join(Precisions, ", "))
	} else if s.Precision != "" {
		if err := d.precision(s.Precision); err != nil {
			d.fault(at+"precision", "%v", err)
		}
	}
	d.positive(at+"steps", s.Steps, 1)
	if len(s.LearningRate) == 0 && !slices.ContainsFunc(d.faults.List, func(f Fault) bool { return f.Key == "stage."+s.Name+".learning_rate" }) {
		d.fault(at+"learning_rate", "missing: want a number such as 1e-3, or a list to choose from")
	}
	for _, lr := range s.LearningRate {
		d.above(at+"learning_rate", lr)
	}
	if s.Against != "" {
		trained(at+"against", s.Against, "pretrain")
	}
	if s.Against != "" && s.Kind != "pretrain" {
		d.fault(at+"against", "only a stage of kind pretrain has it")
	}
	d.oneOf(at+"lr_scheduler_type", s.LRSchedulerType, optim.Schedules)
	d.oneOf(at+"optim", s.Optim, optim.Names)
	d.positive(at+"warmup_steps", s.WarmupSteps, 0)
	if s.LRSchedulerType == "warmup_stable_decay" {
		d.oneOf(at+"decay_type", s.DecayType, optim.DecayTypes)
		d.positive(at+"num_decay_steps", s.NumDecaySteps, 0)
		if s.WarmupSteps+s.decaySteps() > s.Steps {
			d.fault(at+"num_decay_steps", "%d steps of decay and %d of warm-up are more than the %d steps of the stage", s.decaySteps(), s.WarmupSteps, s.Steps)
		}
	}
	for _, f := range []struct {
		key      string
		v        float64
		below    float64
		inclusiv bool
	}{
		{"min_lr_ratio", s.MinLRRatio, 1, true}, {"dropout", s.Dropout, 1, false}, {"attention_dropout", s.AttentionDropout, 1, false},
		{"token_dropout", s.TokenDropout, 1, false},
		{"adam_beta1", s.AdamBeta1, 1, false}, {"adam_beta2", s.AdamBeta2, 1, false},
		{"momentum", s.Momentum, 1, false}, {"ema_decay", s.EMADecay, 1, false},
	} {
		if !(f.v >= 0 && (f.v < f.below || f.inclusiv && f.v == f.below)) {
			d.fault(at+f.key, "%g is not between 0 and %g", f.v, f.below)
		}
	}
	d.above(at+"adam_epsilon", s.AdamEpsilon)
	if !(s.WeightDecay >= 0) {
		d.fault(at+"weight_decay", "%g is negative", s.WeightDecay)
	}
	if !(s.LMWeight >= 0) {
		d.fault(at+"lm_weight", "%g is negative", s.LMWeight)
	}
	if s.Kind == "pretrain" && s.LMWeight != 0 {
		d.fault(at+"lm_weight", "only a stage of kind finetune has it: pretraining has no other loss")
	}
	if s.Trainable != "" {
		d.oneOf(at+"trainable", s.Trainable, []string{trainableAll, TrainableHead})
	}
	if s.Trainable == TrainableHead && s.Kind == "pretrain" {
		d.fault(at+"trainable", "only a stage of kind finetune has it")
	}
	if s.Trainable == TrainableHead && s.LMWeight != 0 {
		d.fault(at+"lm_weight", "trainable = %q keeps the body as it is, and so nothing would learn the next token", s.Trainable)
	}
	if s.RandomWindows != nil && *s.RandomWindows && (s.Kind == "finetune" || len(s.Mixture) > 0) {
		d.fault(at+"random_windows", "only a stage of kind pretrain on a single corpus has it")
	}
	if s.Kind == "pretrain" && s.TokenDropout != 0 {
		d.fault(at+"token_dropout", "only a stage of kind finetune has it")
	}
	if !(s.MaxGradNorm >= 0) {
		d.fault(at+"max_grad_norm", "%g is negative; 0 is no clipping", s.MaxGradNorm)
	}
	d.positive(at+"log_every", s.LogEvery, 1)
	d.positive(at+"eval_every", s.EvalEvery.Steps, 0)
	d.positive(at+"save_every", s.SaveEvery.Steps, 0)
	d.positive(at+"save_total_limit", s.SaveTotalLimit, 1)
}

// mixture checks the corpora that a stage mixes.
func (d *decoder) mixture(s *Stage, at string, corpora []string) {
	if s.Kind == "evaluate" {
		d.fault(at+"mixture", "a stage of kind evaluate has one corpus: name it by corpus")
	}
	if s.Corpus != "" {
		d.fault(at+"corpus", "the stage has a mixture: a corpus beside it would not be read")
	}
	if _, err := data.ParseUnit(s.MixtureBy); err != nil {
		d.oneOf(at+"mixture_by", s.MixtureBy, []string{data.ByToken.String(), data.ByDocument.String()})
	}
	d.above(at+"mixture_temperature", s.MixtureTemperature)
	seen := map[string]bool{}
	weights, epochs := 0, 0
	for j, m := range s.Mixture {
		at := fmt.Sprintf("%smixture.%d.", at, j)
		d.oneOf(at+"corpus", m.Corpus, corpora)
		if seen[m.Corpus] {
			d.fault(at+"corpus", "%q is in the mixture twice", m.Corpus)
		}
		seen[m.Corpus] = true
		if m.Weight != 0 {
			weights++
			d.above(at+"weight", m.Weight)
		}
		if m.Epochs != 0 {
			epochs++
			d.above(at+"epochs", m.Epochs)
		}
	}
	if weights > 0 && epochs > 0 || weights+epochs > 0 && weights+epochs < len(s.Mixture) {
		d.fault(at+"mixture", "%d of %d corpora have a weight and %d have epochs: give each of them a weight, or each epochs, or none of them anything", weights, len(s.Mixture), epochs)
	}
}

func (d *decoder) evaluate(s *Stage, at string, trained func(key, name string, kinds ...string)) {
	if len(s.Models) == 0 {
		d.fault(at+"models", "missing: want the names of the stages whose models are evaluated")
	}
	for _, m := range s.Models {
		trained(at+"models", m, "pretrain", "finetune")
	}
	d.oneOf(at+"split", s.Split, []string{"validation", "test"})
	for _, b := range s.Baselines {
		d.oneOf(at+"baselines", b, baselines)
	}
	if slices.Contains(s.Baselines, "random_init") && s.RandomInit == "" {
		d.fault(at+"random_init", "missing: want the name of the stage that trained the same network from random weights, which the baseline random_init is")
	}
	if s.RandomInit != "" {
		trained(at+"random_init", s.RandomInit, "finetune")
	}
	d.positive(at+"samples", s.Samples, 0)
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
