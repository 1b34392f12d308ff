package recipes

import "slices"

// Evaluating are the keys of stages that measure models.
type Evaluating struct {
	Models     []string `toml:"models" need:"yes" doc:"names of the stages whose models are evaluated"`
	Split      string   `toml:"split" doc:"split of the corpus that is scored"`
	Baselines  []string `toml:"baselines" doc:"baselines that the models stand beside, on the same documents"`
	RandomInit string   `toml:"random_init" doc:"name of the stage that trained the same network from random weights: the baseline random_init"`
	Samples    int      `toml:"samples" unit:"texts" doc:"texts that a language model writes into samples.jsonl"`
	Prompts    []string `toml:"prompts" doc:"beginnings of these texts, taken in turn; none: the empty one"`
}

var evaluatedSplits = []string{"validation", "test"}

func (d *decoder) evaluating(s *Stage, at string, trained trainedCheck) {
	if len(s.Models) == 0 {
		d.fault(at+"models", "missing: want the names of the stages whose models are evaluated")
	}
	for _, m := range s.Models {
		trained(at+"models", m, "pretrain", "finetune")
	}
	d.oneOf(at+"split", s.Split, evaluatedSplits)
	if slices.Contains(s.Baselines, "random_init") && s.RandomInit == "" {
		d.fault(at+"random_init", "missing: want the name of the stage that trained the same network from random weights, which the baseline random_init is")
	}
	if s.RandomInit != "" {
		trained(at+"random_init", s.RandomInit, "finetune")
	}
	d.positive(at+"samples", s.Samples, 0)
}
