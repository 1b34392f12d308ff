package metric

import (
	"fmt"
	"math"
)

// BitsPerByte returns Σ nats / (ln 2 · Σ bytes) over documents, with a
// bootstrap interval that resamples documents. nats[i] is document i's summed
// negative log-likelihood (≥ 0), bytes[i] the length of its UTF-8 text.
// Because the unit is the byte of text, models with different tokenizers, and
// compressors, can be compared. It fails if the slices differ in length, hold
// no byte, or nats is not finite somewhere.
func BitsPerByte(nats []float64, bytes []int, seed uint64) (Estimate, error) {
	if err := checkDocuments(nats, bytes); err != nil {
		return Estimate{}, err
	}
	return ratio(nats, bytes, math.Ln2, seed), nil
}

// BitsPerByteDiff returns the bits per byte of model a less those of model b
// on the same documents, with the paired bootstrap interval: a compresses
// better than b beyond the 95 % interval when Hi < 0. Arguments and errors are
// as for [BitsPerByte].
func BitsPerByteDiff(aNats, bNats []float64, bytes []int, seed uint64) (Estimate, error) {
	return ratioDiff(aNats, bNats, bytes, math.Ln2, seed)
}

// PerToken returns Σ sums / Σ tokens over documents, with a bootstrap interval that
// resamples documents, since the tokens of one document are not independent. For summed
// negative log-likelihoods it is the loss per token, for counts of correct tokens the
// accuracy. Errors are as for [BitsPerByte].
func PerToken(sums []float64, tokens []int, seed uint64) (Estimate, error) {
	if err := checkDocuments(sums, tokens); err != nil {
		return Estimate{}, err
	}
	return ratio(sums, tokens, 1, seed), nil
}

// PerTokenDiff returns the figure of model a less that of model b on the same tokens, with
// the paired bootstrap interval, as [BitsPerByteDiff].
func PerTokenDiff(aSums, bSums []float64, tokens []int, seed uint64) (Estimate, error) {
	return ratioDiff(aSums, bSums, tokens, 1, seed)
}

// Perplexity is exp(nats/tokens), for a summed negative log-likelihood.
func Perplexity(nats float64, tokens int) float64 {
	return math.Exp(nats / float64(tokens))
}

func ratioDiff(aNats, bNats []float64, sizes []int, unit float64, seed uint64) (Estimate, error) {
	if err := checkDocuments(aNats, sizes); err != nil {
		return Estimate{}, err
	}
	if err := checkDocuments(bNats, sizes); err != nil {
		return Estimate{}, err
	}
	diff := make([]float64, len(aNats))
	for i := range diff {
		diff[i] = aNats[i] - bNats[i]
	}
	return ratio(diff, sizes, unit, seed), nil
}

// ratio is Σ nats / (unit · Σ sizes).
func ratio(nats []float64, sizes []int, unit float64, seed uint64) Estimate {
	of := func(sample []int) float64 {
		sum, size := 0.0, 0
		for _, i := range sample {
			sum += nats[i]
			size += sizes[i]
		}
		if size == 0 {
			return math.NaN()
		}
		return sum / (unit * float64(size))
	}
	all := make([]int, len(nats))
	for i := range all {
		all[i] = i
	}
	e := Estimate{Value: of(all), N: len(nats)}
	e.Lo, e.Hi = Bootstrap(len(nats), seed, of)
	return e
}

func checkDocuments(nats []float64, sizes []int) error {
	if len(nats) != len(sizes) {
		return fmt.Errorf("metric: the losses of %d documents, but the sizes of %d", len(nats), len(sizes))
	}
	size := 0
	for i, v := range nats {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("metric: document %d: negative log-likelihood is %v", i, v)
		}
		size += sizes[i]
	}
	if size == 0 {
		return fmt.Errorf("metric: no text to score")
	}
	return nil
}
