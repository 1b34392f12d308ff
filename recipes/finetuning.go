package recipes

// Finetuning are the keys of stages that learn labels.
type Finetuning struct {
	TokenDropout float64 `toml:"token_dropout" doc:"share of the tokens that a step does not see, against learning few documents by heart"`
	LMWeight     float64 `toml:"lm_weight" doc:"weight of the loss of the next token, beside that of the labels; 0: the labels alone"`
	// ClassWeights is nil where all labels weigh alike.
	ClassWeights     *ClassWeights `toml:"class_weights,omitempty" doc:"weights of labels in the loss, a table such as {spam = 5, ham = 1} in which those not named have 1; or \"balanced\": the number of labelled examples of split train over that of labels and of the examples of each, as scikit-learn's; the loss is divided by the weights of a step's labels, as torch's cross_entropy does. In a task of kind multi_label the weight of a label where it applies, torch's pos_weight; balanced: examples without it over those with it"`
	LabelSmoothing   float64       `toml:"label_smoothing_factor,omitzero" doc:"part of each target that is spread over all labels, or in text_to_text over all tokens, as torch's cross_entropy and transformers' LabelSmoother do; the validation loss is not smoothed"`
	LayerwiseLRDecay float64       `toml:"layerwise_lr_decay,omitzero" doc:"factor of the learning rate from each layer to the one below it, as ELECTRA's: that of the head is learning_rate, that of the last of n layers has the factor to the power of 2, that of embeddings to the power of n + 2, whatever is frozen; 0: all have learning_rate"`
	Freeze           []string      `toml:"freeze,omitempty" doc:"parts that stay as they are: \"embeddings\", all that lies before the first layer, and layers counted from 0, such as \"layers:0-5\"; a decoder's layers are counted behind those of its encoder"`
	Trainable        string        `toml:"trainable,omitempty" doc:"what is trained: all, or the head, while the rest of the network stays as it is; \"\": all"`
}

// What a finetune stage trains.
const (
	trainableAll  = "all"
	TrainableHead = "head"
)

func (d *decoder) finetuning(s *Stage, at string) {
	d.freeze(s, at)
	d.notNegative(at+"lm_weight", s.LMWeight, "")
	if !(s.LabelSmoothing >= 0 && s.LabelSmoothing < 1) {
		d.fault(at+"label_smoothing_factor", "%g is not 0 or more and below 1", s.LabelSmoothing)
	}
	if !(s.LayerwiseLRDecay >= 0 && s.LayerwiseLRDecay <= 1) {
		d.fault(at+"layerwise_lr_decay", "%g is not above 0 and at most 1", s.LayerwiseLRDecay)
	}
	if s.ClassWeights != nil && s.LabelSmoothing > 0 {
		d.fault(at+"label_smoothing_factor", "labels with class_weights are not smoothed: give one of the two")
	}
	if s.ClassWeights != nil && s.ClassWeights.Balanced && len(s.Mixture) > 0 {
		d.fault(at+"class_weights", "%q counts the labels of one corpus, not of a mixture: give the weights", balanced)
	}
	if s.Trainable != "" {
		d.oneOf(at+"trainable", s.Trainable, trainables)
	}
	if s.Trainable == TrainableHead && s.LMWeight != 0 {
		d.fault(at+"lm_weight", "trainable = %q keeps the body as it is, and so nothing would learn the next token", s.Trainable)
	}
}

var trainables = []string{trainableAll, TrainableHead}
