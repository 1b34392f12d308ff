package recipes

// Finetuning are the keys of stages that learn labels.
type Finetuning struct {
	TokenDropout float64 `toml:"token_dropout" doc:"share of the tokens that a step does not see, against learning few documents by heart"`
	LMWeight     float64 `toml:"lm_weight" doc:"weight of the loss of the next token, beside that of the labels; 0: the labels alone"`
	Trainable    string  `toml:"trainable,omitempty" doc:"what is trained: all, or the head, while the rest of the network stays as it is; \"\": all"`
}

// What a finetune stage trains.
const (
	trainableAll  = "all"
	TrainableHead = "head"
)

func (d *decoder) finetuning(s *Stage, at string) {
	d.notNegative(at+"lm_weight", s.LMWeight, "")
	if s.Trainable != "" {
		d.oneOf(at+"trainable", s.Trainable, trainables)
	}
	if s.Trainable == TrainableHead && s.LMWeight != 0 {
		d.fault(at+"lm_weight", "trainable = %q keeps the body as it is, and so nothing would learn the next token", s.Trainable)
	}
}

var trainables = []string{trainableAll, TrainableHead}
