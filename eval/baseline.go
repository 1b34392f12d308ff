// Package eval scores models and the baselines that stand beside them.
//
// A baseline is fitted for real, on the training split alone, and scored on
// the same items as the model; what it may tune, it tunes on the validation
// split. Baselines are the yardstick: when there is a choice, the stronger
// form is taken.
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
