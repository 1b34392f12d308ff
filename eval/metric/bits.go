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
	return ratio(nats, bytes, seed), nil
}

// BitsPerByteDiff returns the bits per byte of model a less those of model b
// on the same documents, with the paired bootstrap interval: a compresses
// better than b beyond the 95 % interval when Hi < 0. Arguments and errors are
// as for [BitsPerByte].
func BitsPerByteDiff(aNats, bNats []float64, bytes []int, seed uint64) (Estimate, error) {
	if err := checkDocuments(aNats, bytes); err != nil {
		return Estimate{}, err
	}
	if err := checkDocuments(bNats, bytes); err != nil {
		return Estimate{}, err
	}
	diff := make([]float64, len(aNats))
	for i := range diff {
		diff[i] = aNats[i] - bNats[i]
	}
	return ratio(diff, bytes, seed), nil
}

// Perplexity is exp(nats/tokens), for a summed negative log-likelihood.
func Perplexity(nats float64, tokens int) float64 {
	return math.Exp(nats / float64(tokens))
}

func ratio(nats []float64, bytes []int, seed uint64) Estimate {
	bits := func(sample []int) float64 {
		sum, size := 0.0, 0
		for _, i := range sample {
			sum += nats[i]
			size += bytes[i]
		}
		if size == 0 {
			return math.NaN()
		}
		return sum / (math.Ln2 * float64(size))
	}
	all := make([]int, len(nats))
	for i := range all {
		all[i] = i
	}
	e := Estimate{Value: bits(all), N: len(nats)}
	e.Lo, e.Hi = Bootstrap(len(nats), seed, bits)
	return e
}

func checkDocuments(nats []float64, bytes []int) error {
	if len(nats) != len(bytes) {
		return fmt.Errorf("metric: %d documents' nats, %d documents' bytes", len(nats), len(bytes))
	}
	size := 0
	for i, v := range nats {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("metric: document %d: negative log-likelihood is %v", i, v)
		}
		size += bytes[i]
	}
	if size == 0 {
		return fmt.Errorf("metric: no text to score")
	}
	return nil
}
