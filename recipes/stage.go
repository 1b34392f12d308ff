package recipes

import "fmt"

// Sources names the corpora that a stage reads.
func (s *Stage) Sources() []string {
	if len(s.Mixture) == 0 {
		return []string{s.Corpus}
	}
	var names []string
	for _, m := range s.Mixture {
		names = append(names, m.Corpus)
	}
	return names
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

	Auto bool `toml:"-"` // Precision was "auto"
}

// Precisions are those that matrix products are computed in.
var Precisions = []string{"fp32", "bf16"}

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

func DefaultStage() Stage {
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

// Stage finds a stage by name.
func (r *Recipe) Stage(name string) (*Stage, error) {
	for i := range r.Stages {
		if r.Stages[i].Name == name {
			return &r.Stages[i], nil
		}
	}
	return nil, fmt.Errorf("recipe %s has no stage %q", r.Name, name)
}

func (s *Stage) BF16() bool { return s.Precision == "bf16" }

// What a finetune stage trains.
const (
	trainableAll  = "all"
	TrainableHead = "head"
)
