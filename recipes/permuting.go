package recipes

// Permuting are the keys of the objective permutation.
type Permuting struct {
	PLMProbability float64 `toml:"plm_probability" doc:"share of the tokens that are to be predicted; 0: a sixth"`
	MaxSpanLength  int     `toml:"max_span_length" unit:"tokens" doc:"tokens that are predicted together, at most; 0: 5"`
}

func (d *decoder) permuting(s *Stage, at string) {
	d.share(at+"plm_probability", s.PLMProbability)
	d.atLeast(at+"max_span_length", float64(s.MaxSpanLength), 1)
}
