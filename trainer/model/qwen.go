package model

// defaultQwen2 is a Llama whose queries, keys and values have biases (Yang et al. 2024).
func defaultQwen2() Config {
	c := defaultQwen3()
	f := c.Family.(Llama)
	f.qwen2, f.qwen, f.HeadDim = true, false, 0
	c.ModelType, c.Family = "qwen2", f
	return c
}

// defaultQwen3 is a Llama whose queries and keys are normalised (Yang et al. 2025).
func defaultQwen3() Config {
	return Config{
		ModelType: "qwen3", VocabSize: 151936,
		Family: Llama{
			HiddenSize: 4096, IntermediateSize: 22016, NumHiddenLayers: 32, NumAttentionHeads: 32, NumKeyValueHeads: 32,
			HeadDim: 128, MaxPositionEmbeddings: 32768, RMSNormEps: 1e-6, RopeTheta: 10000, HiddenAct: "silu",
			InitializerRange: 0.02, qwen: true,
		},
	}
}
