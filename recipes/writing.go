package recipes

// Writing are the keys of stages whose models write a text for a text.
type Writing struct {
	EvalGenerate int `toml:"eval_generate,omitzero" unit:"documents" doc:"documents of the validation split, evenly spaced, for which each validation has the model write texts, that are compared by the metrics of the task; the first one that the task lists then decides which checkpoint is the best; 0: none, and the loss decides"`
}

func (d *decoder) writing(s *Stage, at string) {
	d.positive(at+"eval_generate", s.EvalGenerate, 0)
}
