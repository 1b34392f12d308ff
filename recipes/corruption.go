package recipes

// Corruption are the keys of the objective span_corruption.
type Corruption struct {
	NoiseDensity        float64 `toml:"noise_density" doc:"share of the tokens that are hidden, and written by the decoder; 0: 0.15"`
	MeanNoiseSpanLength float64 `toml:"mean_noise_span_length" unit:"tokens" doc:"mean length of a hidden span; 0: 3"`
}

func (d *decoder) corruption(r *Recipe, s *Stage, at string) {
	d.share(at+"noise_density", s.NoiseDensity)
	d.atLeast(at+"mean_noise_span_length", s.MeanNoiseSpanLength, 1)
	d.positive(at+"max_target_length", s.MaxTargetLength, 0)
	if r.Tokenizer.EOS == "" && r.Tokenizer.Separator == "" {
		d.fault("tokenizer.eos", "missing: want the special token that ends what a decoder writes, such as \"<|endoftext|>\"")
	}
}
