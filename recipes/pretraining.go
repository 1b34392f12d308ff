package recipes

import (
	"hone/trainer/model"
)

// Pretraining are the keys of stages that learn from text.
type Pretraining struct {
	RandomWindows *bool  `toml:"random_windows,omitempty" doc:"begins rows at random places of the text, in place of going through its documents; all tokens stay in memory; not given: where documents are longer than a step"`
	Against       string `toml:"against,omitempty" doc:"name of an earlier stage of kind pretrain: the report says how soon this one reaches its lowest validation loss; \"\": none"`
}

func (d *decoder) pretraining(r *Recipe, s *Stage, at string, trained trainedCheck) {
	if r.IsBase(s) && r.Base.Head != model.LanguageModel && !r.Base.Head.Headless() { // which gets an output layer afresh
		d.fault(at+"from", "%s is a %v, without the output layer of a language model: only a stage of kind finetune can start from it", s.From, r.Base.Head)
	}
	if s.Against != "" {
		trained(at+"against", s.Against, "pretrain")
	}
	if s.RandomWindows != nil && *s.RandomWindows && len(s.Mixture) > 0 {
		d.fault(at+"random_windows", "only a stage on a single corpus has it, and this one has a mixture")
	}
}
