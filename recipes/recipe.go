// Package recipes is the composition root: it reads a recipe, validates it whole,
// plans it, and runs its stages with the parts of the other packages.
package recipes

import (
	"fmt"
	"strconv"
	"time"

	"hone/data"
	"hone/data/clean"
	"hone/data/source"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// A Recipe is a whole run: corpora, a tokenizer, a model, and stages in order.
// Keys are those of the TOML file; model and training keys are named as in Hugging
// Face's config.json and TrainingArguments where those have them.
type Recipe struct {
	Name              string            `toml:"name"`        // of the run directory, runs/NAME
	Description       string            `toml:"description"` // one line, for hone ls
	Seed              int               `toml:"seed"`        // of everything that is random
	Threads           int               `toml:"threads"`     // 0: one for each core; the result does not depend on it
	RequireProvenance bool              `toml:"require_provenance"`
	TokenCache        bool              `toml:"token_cache"` // pretraining reads tokens from a cache on disk, in place of text
	Corpus            map[string]Corpus `toml:"corpus"`
	Tokenizer         Tokenizer         `toml:"tokenizer"`
	ModelKeys         map[string]any    `toml:"model"` // those of model_type's config.json
	Stages            []Stage           `toml:"stage"`

	Model  model.Config `toml:"-"` // what ModelKeys say, or base
	base   *base        // nil: stages start from random weights, or from one another
	origin origin
}

// A Corpus names data and where it comes from.
type Corpus struct {
	Source string `toml:"source"` // goroot:, a file, a directory or a glob of any known format
	Text   string `toml:"text"`   // name of the text column; doc.text: the field text of the column doc
	Label  string `toml:"label"`  // name of the label column, as that of the text; "": label, where there is one

	// How files are read.
	Format      string   `toml:"format,omitempty"`        // "": as they show
	Separator   string   `toml:"separator,omitempty"`     // between the documents of a plain text; "": a file is a document
	ColumnNames []string `toml:"column_names,omitempty"`  // of CSV and TSV files without a header line
	Delimiter   string   `toml:"delimiter,omitempty"`     // between the values of CSV and TSV files; "": of TSV a tab, of CSV the one of , ; | and tab that its first lines show
	Quote       string   `toml:"quote,omitempty"`         // what quotes are in CSV and TSV files: csv (around cells), none (text), auto; "": auto, which is csv for CSV, and for TSV where all quotes of a file are CSV's
	Rows        string   `toml:"rows,omitempty"`          // of JSON files: the array of their rows, as data, or a.b for one in an object
	MaxBatchMiB int      `toml:"max_batch_mib,omitempty"` // of memory for a record batch of a file, decoded; a single record may take a quarter; 0: 1024
	OnError     string   `toml:"on_error"`                // what a record that cannot be read does: fail, or skip

	// Provenance. What a converted corpus says of itself need not be said again.
	Origin    string `toml:"origin"`    // where it was published: an address, a citation
	Licence   string `toml:"licence"`   // SPDX expression
	Consent   string `toml:"consent"`   // on what basis it may be used
	Collected string `toml:"collected"` // when: a year, a month or a day, as 2024-05-31
	SHA256    string `toml:"sha256"`    // that it must have; hone data info --manifest prints it

	// Cleaning, done once into the cache and counted in every manifest and the report.
	Normalize      string   `toml:"normalize"`       // NFC, NFD, NFKC, NFKD
	MinLength      int      `toml:"min_length"`      // characters
	MaxLength      int      `toml:"max_length"`      // 0: any
	Scripts        []string `toml:"scripts"`         // Unicode scripts, as Latin, Hangul
	ScriptShare    float64  `toml:"script_share"`    // of the letters, that must be of these scripts
	Dedup          string   `toml:"dedup"`           // exact, near
	DedupThreshold float64  `toml:"dedup_threshold"` // near: Jaccard similarity of word 3-grams

	// Shares of the training split to hold out: documents by a hash of their text, or where
	// hold_out = "end" the last characters of each file, those of validation before those
	// of the test.
	Validation float64 `toml:"validation"`
	Test       float64 `toml:"test"`
	HoldOut    string  `toml:"hold_out,omitempty"` // hash, end; "": hash
}

// read says how the files of a corpus are read.
func (c *Corpus) read() source.Options {
	o := source.Options{Format: c.Format, Separator: c.Separator, ColumnNames: c.ColumnNames, Delimiter: c.Delimiter, Quote: c.Quote, Rows: c.Rows, MaxBatch: int64(c.MaxBatchMiB) << 20}
	if c.OnError == "skip" {
		o.Skips = &source.Skips{}
	}
	return o
}

// Tokenizer is trained on the training split of a corpus, or read from a file.
type Tokenizer struct {
	Kind      string `toml:"kind"` // see tokenizer.TrainKinds
	File      string `toml:"file"` // a tokenizer.json: then nothing is trained
	Corpus    string `toml:"corpus"`
	VocabSize int    `toml:"vocab_size"` // tokens, at most; 0: 4096, of kind byte the bytes

	MinFrequency int  `toml:"min_frequency,omitempty"` // what is seen less often is not learned
	K            int  `toml:"k,omitempty"`             // kmer: characters to a token; 0: 3
	Lowercase    bool `toml:"lowercase,omitempty"`     // wordpiece

	// Special tokens around every document: bos and eos, or one separator that stands
	// once between two documents; none of them: what the tokenizer's file and the
	// checkpoint's configuration say, else separator = "<|endoftext|>".
	BOS       string `toml:"bos"`
	EOS       string `toml:"eos"`
	Separator string `toml:"separator"`
	Mask      string `toml:"mask,omitempty"` // special token in the place of hidden ones; "": [MASK], <mask> or <|mask|>
}

// A Stage is one step of the way. Which keys it reads depends on its kind.
type Stage struct {
	Name   string `toml:"name"`
	Kind   string `toml:"kind"`   // pretrain, finetune, evaluate
	From   string `toml:"from"`   // an earlier stage, or the directory of a checkpoint, whose model this one starts from; none: random weights
	Corpus string `toml:"corpus"` // may be left out when the recipe has one corpus

	// A mixture of corpora in place of one.
	Mixture            []Mix   `toml:"mixture,omitempty"`
	MixtureBy          string  `toml:"mixture_by"`          // what shares are of: token (pretrain) or document (finetune)
	MixtureTemperature float64 `toml:"mixture_temperature"` // above 1, small corpora gain

	// Batches.
	SequenceLength int   `toml:"sequence_length"` // tokens in a row; 0: the longest sequence of the model
	BatchSize      int   `toml:"batch_size"`      // rows of a step
	MicroBatchSize int   `toml:"micro_batch_size"`
	MaxSequences   int   `toml:"max_sequences"`            // finetune: documents packed into one row, at most; 0: an eighth of sequence_length, 8 at least
	RandomWindows  *bool `toml:"random_windows,omitempty"` // pretrain: rows begin at random places of the text, in place of going through its documents; all tokens stay in memory; not given: where documents are longer than a step

	// Training.
	Objective        string  `toml:"objective"` // pretrain: causal, masked, permutation, span_corruption, prefix_lm; finetune: classification
	Steps            int     `toml:"steps"`
	LearningRate     Rates   `toml:"learning_rate"` // several: each is tried, and the best by validation kept
	LRSchedulerType  string  `toml:"lr_scheduler_type"`
	NumDecaySteps    int     `toml:"num_decay_steps"` // warmup_stable_decay: the last so many steps; 0: a fifth
	DecayType        string  `toml:"decay_type"`      // warmup_stable_decay: linear, cosine, 1-sqrt
	WarmupSteps      int     `toml:"warmup_steps"`
	MinLRRatio       float64 `toml:"min_lr_ratio"`
	Optim            string  `toml:"optim"`
	Against          string  `toml:"against,omitempty"` // pretrain: an earlier stage; the report says how soon this one reaches its lowest validation loss
	WeightDecay      float64 `toml:"weight_decay"`
	AdamBeta1        float64 `toml:"adam_beta1"`
	AdamBeta2        float64 `toml:"adam_beta2"`
	AdamEpsilon      float64 `toml:"adam_epsilon"`
	Momentum         float64 `toml:"momentum"` // of sgd
	MaxGradNorm      float64 `toml:"max_grad_norm"`
	EMADecay         float64 `toml:"ema_decay"`           // evaluate and save an exponential moving average of the weights; 0: the weights
	Dropout          float64 `toml:"dropout"`             // every rate of the model's that attention_dropout is not
	AttentionDropout float64 `toml:"attention_dropout"`   // of attention's weights, where the family has it: GPT-2's attn_pdrop
	TokenDropout     float64 `toml:"token_dropout"`       // finetune: share of the tokens that a step does not see
	LMWeight         float64 `toml:"lm_weight"`           // finetune: weight of the next-token loss beside the labels'
	Trainable        string  `toml:"trainable,omitempty"` // finetune: all; head: the rest of the network stays as it is; "": all

	// How a step is computed.
	Precision string `toml:"precision,omitempty"` // of matrix products: fp32, or bf16 where the processor has AMX-BF16 or AVX512-BF16; auto: bf16 where it has, else fp32, and the resolved recipe says which; "": fp32
	Recompute bool   `toml:"recompute,omitempty"` // run layers again for their gradients: less memory for a third of a step's time, same results

	// What the objective hides.
	MLMProbability      float64 `toml:"mlm_probability,omitempty"`     // masked: share of the tokens to be predicted; 0: 0.15
	MaskReplaceProb     float64 `toml:"mask_replace_prob,omitempty"`   // masked: of these, the share that the mask stands in for, …
	RandomReplaceProb   float64 `toml:"random_replace_prob,omitempty"` // … and that any other token does; both 0: 0.8 and 0.1
	WholeWordMask       bool    `toml:"whole_word_mask,omitempty"`
	NextSentence        bool    `toml:"next_sentence,omitempty"`          // BERT's pairs of texts
	PLMProbability      float64 `toml:"plm_probability,omitempty"`        // permutation: share of the tokens to be predicted; 0: 1/6
	MaxSpanLength       int     `toml:"max_span_length,omitempty"`        // permutation: of tokens predicted together; 0: 5
	NoiseDensity        float64 `toml:"noise_density,omitempty"`          // span_corruption: share of the tokens to be predicted; 0: 0.15
	MeanNoiseSpanLength float64 `toml:"mean_noise_span_length,omitempty"` // span_corruption; 0: 3
	MaxTargetLength     int     `toml:"max_target_length,omitempty"`      // span_corruption: tokens of a decoder's row; 0: what a row of one text needs

	// Watching and keeping.
	LogEvery       int   `toml:"log_every"`
	EvalEvery      Every `toml:"eval_every"`
	EvalDocuments  int   `toml:"eval_documents"` // of the validation split, while training; 0: all
	SaveEvery      Every `toml:"save_every"`
	SaveTotalLimit int   `toml:"save_total_limit"`

	// Evaluation.
	Models     []string `toml:"models"`      // evaluate: the stages to evaluate
	Split      string   `toml:"split"`       // evaluate: validation or test
	Baselines  []string `toml:"baselines"`   // evaluate: what the models stand beside
	RandomInit string   `toml:"random_init"` // evaluate: the stage that is the baseline random_init
	Samples    int      `toml:"samples"`     // evaluate: texts to generate from the language model
	Prompts    []string `toml:"prompts"`

	auto bool // Precision was "auto"
}

// decaySteps is NumDecaySteps, or what stands for it: not filled in, so that a run can go
// on to more steps.
func (s *Stage) decaySteps() int {
	if s.NumDecaySteps == 0 {
		return (s.Steps + 4) / 5
	}
	return s.NumDecaySteps
}

// A Mix is a corpus of a mixture, with one of: a weight, or how often it is read while
// the others are read as often as they say. Where none has either, corpora count by
// their size.
type Mix struct {
	Corpus string  `toml:"corpus"`
	Weight float64 `toml:"weight,omitempty"`
	Epochs float64 `toml:"epochs,omitempty"`
}

// Rates is one learning rate, or several to choose among.
type Rates []float64

// Every is an interval: a number of steps, or of time ("90s", "5m").
type Every struct {
	Steps int
	Time  time.Duration
}

func (e Every) String() string {
	if e.Time > 0 {
		return e.Time.String()
	}
	return strconv.Itoa(e.Steps)
}

// MarshalText writes an interval of time as people do; steps are plain integers.
func (e Every) MarshalTOML() ([]byte, error) {
	if e.Time > 0 {
		return []byte(strconv.Quote(e.Time.String())), nil
	}
	return []byte(strconv.Itoa(e.Steps)), nil
}

// Due reports whether the interval ends at a step, or has passed since the last time.
func (e Every) Due(step int, since time.Duration) bool {
	if e.Time > 0 {
		return since >= e.Time
	}
	return e.Steps > 0 && step%e.Steps == 0
}

func defaultRecipe() Recipe {
	return Recipe{
		Seed: 1,
		Tokenizer: Tokenizer{
			Kind: "byte_bpe",
		},
	}
}

func defaultCorpus() Corpus {
	return Corpus{Text: "text", OnError: "fail", ScriptShare: 0.5, DedupThreshold: 0.8}
}

// rules of cleaning; without any, the zero value.
func (c *Corpus) rules() clean.Rules {
	r := clean.Rules{Normalize: c.Normalize, MinLength: c.MinLength, MaxLength: c.MaxLength, Scripts: c.Scripts, Dedup: c.Dedup}
	if r.IsZero() {
		return r
	}
	r.ScriptShare, r.Threshold = c.ScriptShare, c.DedupThreshold
	return r
}

func defaultStage() Stage {
	return Stage{
		BatchSize:       16,
		LRSchedulerType: "cosine",
		Optim:           "adamw",
		WeightDecay:     0.1,
		AdamBeta1:       0.9,
		AdamBeta2:       0.95,
		AdamEpsilon:     1e-8,
		Momentum:        0.9,
		DecayType:       "1-sqrt",
		MaxGradNorm:     1,
		MinLRRatio:      0.1,

		MixtureTemperature: 1,

		LogEvery:       10,
		EvalEvery:      Every{Steps: 100},
		EvalDocuments:  256,
		SaveEvery:      Every{Steps: 100},
		SaveTotalLimit: 2,
		Split:          "validation",
	}
}

// resolve fills what depends on other keys, once the file and the overrides are in.
func (r *Recipe) resolve() {
	t := &r.Tokenizer
	if t.VocabSize == 0 && t.Kind != "byte" {
		t.VocabSize = 4096
	}
	if t.K == 0 && t.Kind == "kmer" {
		t.K = 3
	}
	for i := range r.Stages {
		s := &r.Stages[i]
		if len(s.Mixture) > 0 && s.MixtureBy == "" {
			s.MixtureBy = data.ByToken.String()
			if s.Kind == "finetune" {
				s.MixtureBy = data.ByDocument.String()
			}
		}
		if s.Corpus == "" && len(s.Mixture) == 0 && len(r.Corpus) == 1 {
			for name := range r.Corpus {
				s.Corpus = name
			}
		}
		if s.SequenceLength == 0 && r.Model.Family != nil {
			s.SequenceLength = r.Model.MaxLength()
		}
		if s.MaxSequences == 0 {
			s.MaxSequences = data.Config{T: s.SequenceLength}.WithDefaults().MaxSeqs
		}
		if s.MicroBatchSize == 0 {
			s.MicroBatchSize = s.BatchSize
		}
		if s.Precision == "auto" {
			s.Precision, s.auto = "fp32", true
			if cpu.CheckPrecision("bf16", "") == nil {
				s.Precision = "bf16"
			}
		}
		if s.Objective == "" {
			switch s.Kind {
			case "pretrain":
				s.Objective = "causal"
			case "finetune":
				s.Objective = "classification"
			}
		}
		s.fillObjective()
	}
	if r.Tokenizer.Corpus == "" && len(r.Corpus) == 1 {
		for name := range r.Corpus {
			r.Tokenizer.Corpus = name
		}
	}
}

// Stage finds a stage by name.
func (r *Recipe) Stage(name string) (*Stage, error) {
	for i := range r.Stages {
		if r.Stages[i].Name == name {
			return &r.Stages[i], nil
		}
	}
	return nil, fmt.Errorf("recipe %s has no stage %q", r.Name, name)
}
