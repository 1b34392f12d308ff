package task

// PairClassification is the task of assigning one of several labels to two texts, such as whether
// the second follows from the first.
var PairClassification = &Kind{
	Name: "pair_classification",
	Head: "classifier", Problem: "single_label_classification",
	Reads: TwoTexts, Labels: OneOf,
	Keys: []string{"text", "text_pair", "?label"}, Options: []string{"lm_weight", "class_weights", "label_smoothing_factor", "threshold_for", "costs"},
	Metrics:   []string{"accuracy", "macro_f1"},
	Baselines: []string{"majority", "naive_bayes", "tfidf", "random_init"},
	example:   readLabelled,
	guess: func(g *guesser) (string, bool) {
		g.pair()
		g.label()
		why, ok := g.labels()
		return why, ok && g.to.Pair != (Part{})
	},
}
