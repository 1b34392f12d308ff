package model

import "hone/trainer/graph"

// decoded applies a decoder's head to the last hidden states x (R,C). It gives logits over the vocabulary, by an
// output matrix of the head's own or the embedding embed (V,C); over labels, where those of each token come from
// the matrix that labels names; or of an answer's start and end. With targets it gives the loss too, in training
// with z·log²Z.
func decoded(b *builder, in Inputs, c Config, h Head, labels string, init graph.Init, x, embed *graph.Node, z float64) (out Outputs) {
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
	switch h {
	case Base, Encoder:
		return Outputs{Hidden: x}
	case TokenClassifier:
		return perToken(b, in, scores(b, labels, init, x, len(c.Labels())), 0)
	case QuestionAnswering:
		return answers(b, in, init, x)
	case Classifier:
		w := b.Param("score.weight", init, len(c.Labels()), width[1])
		out = perText(b, in, c, output(b, "score", x, w, nil))
		if in.Targets != nil {
			b.Scope(LanguageModel.String())
			lm, _ := b.SoftCrossEntropy(b.Linear(last, embed, nil, false), in.Targets, in.Weights, z, 0)
			out.Loss = b.Add(out.Loss, lm)
		}
		return out
	}
	w := embed
	if !c.TieWordEmbeddings {
		w = b.Param("lm_head.weight", init, width...)
	}
	return perToken(b, in, output(b, "lm_head", x, w, nil), z)
}

// perToken has a target for each token: logits (R,V) or (R,labels).
func perToken(b *builder, in Inputs, logits *graph.Node, z float64) (out Outputs) {
	out.Logits = logits
	if in.Targets != nil {
		out.Loss, out.NLL = b.SoftCrossEntropy(logits, in.Targets, in.Weights, z, in.Smoothing)
	}
	return out
}

// perText has a label for each text, any number of labels, or a number: logits (S,labels).
func perText(b *builder, in Inputs, c Config, logits *graph.Node) (out Outputs) {
	out.Logits = logits
	switch {
	case in.Labels != nil:
		out.Loss, out.NLL = b.SoftCrossEntropy(logits, in.Labels, in.LabelWeights, 0, in.Smoothing)
	case in.Goals != nil && c.Problem() == Regression:
		out.Loss, out.NLL = b.SquaredError(logits, in.Goals, in.LabelWeights)
	case in.Goals != nil:
		out.Loss, out.NLL = b.BinaryCrossEntropy(logits, in.Goals, in.LabelWeights)
	}
	return out
}

// choices has the right one of several texts for each question: logits (S,1).
func choices(b *builder, in Inputs, logits *graph.Node) (out Outputs) {
	out.Logits = logits
	if in.Answers != nil {
		out.Loss, out.NLL = b.SpanCrossEntropy(logits, in.Spans, in.Answers, in.LabelWeights)
	}
	return out
}

// answers are the scores (R,2) of each token of x (R,C) as an answer's start and end, and their loss.
func answers(b *builder, in Inputs, init graph.Init, x *graph.Node) (out Outputs) {
	out.Logits = scores(b, "qa_outputs", init, x, 2)
	if in.Answers != nil {
		out.Loss, out.NLL = b.SpanCrossEntropy(out.Logits, in.Spans, in.Answers, in.LabelWeights)
	}
	return out
}

// scores is an output layer with a bias: x (R,C) -> (R,n).
func scores(b *builder, name string, init graph.Init, x *graph.Node, n int) *graph.Node {
	width := x.Shape()
	if width == nil {
		return x // after an error
	}
	w := b.Param(name+".weight", init, n, width[1])
	return output(b, name, x, w, b.Param(name+".bias", graph.Init{}, n))
}
