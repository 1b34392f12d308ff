package model

import "hone/trainer/graph"

// decoded is what a decoder's head makes of the last hidden states x (R,C): logits over
// the vocabulary by an output matrix of its own or embed (V,C), or over the labels; and
// the loss, where there are targets, with z·log²Z in training.
func decoded(b *graph.Builder, in Inputs, c Config, h Head, init graph.Init, x, embed *graph.Node, z float64) (out Outputs) {
	width := embed.Shape()
	if width == nil {
		return out // after an error
	}
	if in.Rng == nil {
		z = 0
	}
	last := x // (R,C)
	if in.Pool != nil {
		b.Scope("pool")
		x = b.Embed(x, in.Pool) // (S,C)
	}
	b.Scope(h.String())
	if h == Classifier {
		w := b.Param("score.weight", init, len(c.Labels()), width[1])
		out.Logits = b.Linear(x, w, nil, false)
		if in.Labels != nil {
			out.Loss, out.NLL = b.CrossEntropy(out.Logits, in.Labels, in.LabelWeights)
		}
		if in.Targets != nil {
			b.Scope(LanguageModel.String())
			lm, _ := b.CrossEntropyZ(b.Linear(last, embed, nil, false), in.Targets, in.Weights, z)
			out.Loss = b.Add(out.Loss, lm)
		}
		return out
	}
	w := embed
	if !c.TieWordEmbeddings {
		w = b.Param("lm_head.weight", init, width...)
	}
	out.Logits = b.Linear(x, w, nil, false)
	if in.Targets != nil {
		out.Loss, out.NLL = b.CrossEntropyZ(out.Logits, in.Targets, in.Weights, z)
	}
	return out
}
