// Package eval scores models and the baselines that stand beside them.
//
// A baseline is fitted for real, on the training split alone, and scored on
// the same items as the model; what it may tune, it tunes on the validation
// split. Baselines are the yardstick: when there is a choice, the stronger
// form is taken.
//
// # What a text costs
//
// Bits per byte are what documents cost, -log₂ p, over the bytes of their text. Each token of the
// text is predicted once, the first too, and the model and every baseline pay for the same:
//
//   - The first token is predicted from bos, or from the separator. Where there is neither, from
//     eos, which begins documents in training too (as lm-evaluation-harness takes bos, else eos,
//     before a text). An XLNet asks for it without any token before it.
//   - The end of a document is predicted where documents have one (eos or separator) and the
//     objective learns it: causal and prefix_lm do. Where the model does not pay for an end (bos
//     alone; permutation), no baseline does. What stands for it has no bytes, in any of them. The
//     Markov model stands beside characters alone, and no end.
//   - A text that the loader passes over (empty, null, too long, no token) is in neither the sum
//     nor the bytes.
//
// A document is scored by itself: what stands beside it, before it or in its batch changes no bit.
// One that fits a row of the model (sequence_length where it was trained here, else its longest)
// is not cut. Of a longer one a causal model reads windows, as lm-evaluation-harness has them: the
// first is as long as a row; each further one begins with the last token of the one before; and the
// last begins as much earlier as lets it fill its row too, and scores what is left. The other
// objectives read pieces of a row one after the other, each framed as a document is; a model with
// a memory remembers those before.
//
// What is hidden of a text (masked, span_corruption) is scored in the same pieces: the same tokens
// for the model and the baselines.
package eval

// Names of baselines as report.json has them.
const (
	BaselineMajority   = "majority"     // the most frequent training label: [Majority]
	BaselineNaiveBayes = "naive_bayes"  // unigram multinomial: [NaiveBayes]
	BaselineRandomInit = "random_init"  // the same network and steps from random weights
	BaselineZstd       = "zstd_primed"  // zstd with the training text as history: [ZstdPrimed]
	BaselineKneserNey5 = "kneser_ney_5" // 5-gram on the same tokens: [KneserNey]
	BaselineMarkov     = "markov"       // k-mers on the same tokens, the ends of documents apart: [Markov]

	// Of what a text has lost.
	BaselineBidirectionalTrigram = "bidirectional_trigram" // between its two neighbours: [BidirectionalTrigram]
	BaselineFrequentSpan         = "frequent_span"         // the most frequent span of training, everywhere: [FrequentSpan.Anywhere]
	BaselineGapSpan              = "gap_span"              // the most frequent span between its two neighbours: [FrequentSpan]
	BaselineUnigram              = "unigram"               // how frequent tokens are: [Unigram]
)
