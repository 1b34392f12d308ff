package task

// Similarity is the task of giving two texts a number that says how alike they are, by the cosine of their vectors.
var Similarity = &Kind{
	Name:  "similarity",
	Head:  "base",
	Reads: Texts, Labels: Number,
	Keys: []string{"text", "text_pair", "label"}, Options: []string{"loss"},
	Losses:    []string{"cosent", "cosine"},
	Metrics:   []string{"spearman", "pearson"},
	Baselines: []string{"tfidf_cosine", "random_init"},
	example:   Regression.example,
	guess: func(g *guesser) (why string, ok bool) {
		if !g.said { // two texts and a number are a regression too
			return "", false
		}
		g.pair()
		g.label()
		return "", g.to.Label != "" && g.to.Pair.Column != ""
	},
}
