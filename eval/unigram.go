package eval

import (
	"fmt"
	"math"
)

var unigram = Baseline{Name: "unigram"}

// Unigram predicts tokens by their frequency in training, without context.
type Unigram struct{ nats []float64 }

// FitUnigram counts the targets of training, of ids in [0, vocab), and adds one to the count of
// every token.
func FitUnigram(list []Target, vocab int) (*Unigram, error) {
	m := &Unigram{make([]float64, vocab)}
	for i, t := range list {
		if t.Token < 0 || int(t.Token) >= vocab {
			return nil, fmt.Errorf("unigram: target %d: id %d outside [0, %d)", i, t.Token, vocab)
		}
		m.nats[t.Token]++
	}
	for i, n := range m.nats {
		m.nats[i] = math.Log(float64(len(list)+vocab)) - math.Log(n+1)
	}
	return m, nil
}

// Nats gives the negative log-likelihood of a token of the vocabulary.
func (m *Unigram) Nats(token int32) float64 { return m.nats[token] }
