package task

// Likelihood is the task of predicting whole texts, which measures their probability.
var Likelihood = &Kind{
	Name:  "likelihood",
	Head:  "language model",
	Reads: OneText, Labels: None,
	Keys:      []string{"text"},
	Metrics:   []string{"bits_per_byte"},
	Baselines: []string{"zstd_primed", "kneser_ney_5", "markov"},
	example:   (*Task).text,
}

// WholeTexts is the task of every text that is there to be read and nothing else.
var WholeTexts = Of(Likelihood)
