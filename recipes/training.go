package recipes

import (
	"slices"
	"strings"

	"hone/optim"
)

// Training are the keys of stages that train a model.
type Training struct {
	From string `toml:"from" doc:"where the weights come from: the name of an earlier stage, a checkpoint, or a model that hone import reads, which is imported into the cache: a directory of Hugging Face, a GGUF file, hf:ORG/NAME; \"\": random weights"`

	Mixture            []Mix   `toml:"mixture,omitempty" doc:"corpora that are read together, in place of corpus: a [[stage.mixture]] for each"`
	MixtureBy          string  `toml:"mixture_by" doc:"what the shares of a mixture are of; \"\": token in pretraining, document in fine-tuning"`
	MixtureTemperature float64 `toml:"mixture_temperature" doc:"temperature of the shares of a mixture: above 1 small corpora gain, below 1 large ones do"`

	Objective      string `toml:"objective" doc:"what is learned; \"\": causal in pretraining, classification in fine-tuning"`
	SequenceLength int    `toml:"sequence_length" unit:"tokens" doc:"length of a row; 0: the longest sequence of the model"`
	BatchSize      int    `toml:"batch_size" unit:"rows" doc:"rows of a step"`
	MicroBatchSize int    `toml:"micro_batch_size" unit:"rows" doc:"rows that are computed at once, of which batch_size is a multiple: less takes less memory; 0: batch_size"`

	Steps           int     `toml:"steps" need:"yes" unit:"steps" doc:"updates of the weights, for each learning rate and seed"`
	LearningRate    Rates   `toml:"learning_rate" need:"yes" doc:"highest learning rate; of a list each is tried, and the best by the validation split is kept: the one with the best mean over seeds, and its best seed"`
	Seeds           *Seeds  `toml:"seeds,omitempty" doc:"seeds of the weights that are new, of dropout and of the order of documents: a list, or a number of seeds, counted from that of the recipe; each is tried with each learning rate, and the report has mean and standard deviation; absent: that of the recipe"`
	LRSchedulerType string  `toml:"lr_scheduler_type" doc:"course of the learning rate after the warm-up"`
	WarmupSteps     int     `toml:"warmup_steps" unit:"steps" doc:"steps in which the learning rate rises to its highest"`
	MinLRRatio      float64 `toml:"min_lr_ratio" doc:"learning rate of the last step, as a share of the highest; constant and inverse_sqrt do not read it"`
	NumDecaySteps   int     `toml:"num_decay_steps" unit:"steps" doc:"last steps, in which warmup_stable_decay lets the learning rate fall; 0: a fifth of all"`
	DecayType       string  `toml:"decay_type" doc:"shape of that fall"`

	Optim       string  `toml:"optim" doc:"optimiser"`
	WeightDecay float64 `toml:"weight_decay" doc:"weight decay of matrices; biases and norms have none"`
	AdamBeta1   float64 `toml:"adam_beta1" doc:"decay of the mean of gradients, of adamw, lamb and lion, and of muon for the weights outside hidden layers"`
	AdamBeta2   float64 `toml:"adam_beta2" doc:"decay of the mean of squared gradients, of the same optimisers"`
	AdamEpsilon float64 `toml:"adam_epsilon" doc:"number that is added to denominators, of the same optimisers but lion, and eps1 of adafactor"`
	Momentum    float64 `toml:"momentum" doc:"momentum of sgd"`
	MaxGradNorm float64 `toml:"max_grad_norm" doc:"2-norm of the whole gradient above which it is scaled down; 0: never"`
	EMADecay    float64 `toml:"ema_decay" doc:"decay of an exponential moving average of the weights, which is evaluated and saved in their place; 0: the weights themselves"`

	Dropout          float64 `toml:"dropout" doc:"share of values that a step leaves out, at every place of the model but where attention_dropout acts; of t5 and xlnet in attention too"`
	AttentionDropout float64 `toml:"attention_dropout" doc:"share of attention's weights that a step leaves out, in families that have a rate of its own for it, as GPT-2's attn_pdrop"`

	Adapter *Adapter `toml:"adapter,omitempty" doc:"trains an adapter beside the model, which stays as it is: a table, [stage.adapter]"`

	Precision string `toml:"precision,omitempty" doc:"precision of matrix products: fp32; bf16, where the processor has AMX-BF16 or AVX512-BF16; auto: bf16 where it has, else fp32, and the resolved recipe says which; \"\": fp32"`
	Recompute bool   `toml:"recompute,omitempty" doc:"runs layers again for their gradients: less memory for a third of a step's time, with the same result"`

	LogEvery       int   `toml:"log_every" unit:"steps" doc:"steps from one line of metrics.jsonl to the next; the result does not depend on it"`
	EvalEvery      Every `toml:"eval_every" unit:"steps, or a time such as \"5m\"" doc:"interval of validation; 0: at the end alone"`
	SaveEvery      Every `toml:"save_every" unit:"steps, or a time such as \"5m\"" doc:"interval of checkpoints; 0: at the end alone"`
	SaveTotalLimit int   `toml:"save_total_limit" unit:"checkpoints" doc:"latest checkpoints that are kept, beside the best"`
}

// Rates is one learning rate, or several to choose among.
type Rates []float64

// Precisions are those that matrix products are computed in.
var Precisions = []string{"fp32", "bf16"}

// DefaultTraining has the values that the keys stand for which a stage lacks.
func DefaultTraining() Training {
	return Training{
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
		SaveEvery:      Every{Steps: 100},
		SaveTotalLimit: 2,
	}
}

// decaySteps is NumDecaySteps, or what stands for it: not filled in, so that a run can go
// on to more steps.
func (s *Training) decaySteps() int {
	if s.NumDecaySteps == 0 {
		return (s.Steps + 4) / 5
	}
	return s.NumDecaySteps
}

// BF16 says that matrix products are computed in bf16.
func (s *Training) BF16() bool { return s.Precision == "bf16" }

// training checks the keys that all stages have that train.
func (d *decoder) training(r *Recipe, s *Stage, at string) {
	d.positive(at+"batch_size", s.BatchSize, 1)
	d.positive(at+"micro_batch_size", s.MicroBatchSize, 1)
	d.atMost(at+"batch_size", s.BatchSize, maxRow)
	d.atMost(at+"sequence_length", s.SequenceLength, maxRow)
	d.atMost(at+"max_sequences", s.MaxSequences, maxRow)
	if s.MicroBatchSize > 0 && max(s.SequenceLength, s.MaxSequences) > maxRow/s.MicroBatchSize {
		d.fault(at+"micro_batch_size", "%d rows have more than %d positions", s.MicroBatchSize, maxRow)
	}
	if s.MicroBatchSize > 0 && s.BatchSize%s.MicroBatchSize != 0 {
		d.fault(at+"micro_batch_size", "batch_size is %d, which is not a multiple of %d", s.BatchSize, s.MicroBatchSize)
	}
	if r.Model.Family != nil {
		d.positive(at+"sequence_length", s.SequenceLength, 2)
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
	if s.Precision != "" && !slices.Contains(Precisions, s.Precision) {
		d.fault(at+"precision", "%q is not known; known are %s, auto", s.Precision, strings.Join(Precisions, ", "))
	} else if s.Precision != "" {
		if err := d.host.Precision(s.Precision); err != nil {
			d.fault(at+"precision", "%v", err)
		}
	}
	d.positive(at+"steps", s.Steps, 1)
	if len(s.LearningRate) == 0 && !slices.ContainsFunc(d.faults.List, func(f Fault) bool { return f.Key == "stage."+s.Name+".learning_rate" }) {
		d.fault(at+"learning_rate", "missing: want a number such as 1e-3, or a list to choose from")
	}
	if s.Adapter != nil {
		d.adapter(r, s, at)
	}
	for _, lr := range s.LearningRate {
		d.above(at+"learning_rate", lr)
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
	if !(s.MinLRRatio >= 0 && s.MinLRRatio <= 1) {
		d.fault(at+"min_lr_ratio", "%g is not 0 or more and at most 1", s.MinLRRatio)
	}
	for _, f := range []struct {
		key string
		v   float64
	}{
		{"dropout", s.Dropout}, {"attention_dropout", s.AttentionDropout}, {"token_dropout", s.TokenDropout},
		{"adam_beta1", s.AdamBeta1}, {"adam_beta2", s.AdamBeta2}, {"momentum", s.Momentum}, {"ema_decay", s.EMADecay},
	} {
		if !(f.v >= 0 && f.v < 1) {
			d.fault(at+f.key, "%g is not 0 or more and below 1", f.v)
		}
	}
	d.above(at+"adam_epsilon", s.AdamEpsilon)
	d.notNegative(at+"weight_decay", s.WeightDecay, "")
	d.notNegative(at+"max_grad_norm", s.MaxGradNorm, "; 0 is no clipping")
	d.positive(at+"log_every", s.LogEvery, 1)
	d.positive(at+"eval_every", s.EvalEvery.Steps, 0)
	d.positive(at+"save_every", s.SaveEvery.Steps, 0)
	d.positive(at+"save_total_limit", s.SaveTotalLimit, 1)
}
