package corpus

import (
	"context"
	"math/bits"
)

// A SplitSurvey has the results of reading a whole split.
type SplitSurvey struct {
	Name       string
	Files      int
	Documents  int64
	TextBytes  int64
	TooLong    int64 // documents that a Loader passes over
	Unlabelled int64 // documents without a label, of a corpus with labels
	// Shared counts the texts that a held-out split shares with all training splits.
	Shared  *SharedTexts
	lengths [65]struct{ documents, bytes int64 } // by the bits of the length
}

// Tokens estimates the number of tokens of the documents, from tokens per byte, the tokens
// around each document, and the greatest number of tokens of a document; 0: no limit.
func (s *SplitSurvey) Tokens(perByte float64, around, most int) (tokens float64) {
	for _, l := range s.lengths {
		if l.documents == 0 {
			continue
		}
		each := float64(l.bytes)/float64(l.documents)*perByte + float64(around)
		if most > 0 {
			each = min(each, float64(most))
		}
		tokens += each * float64(l.documents)
	}
	return tokens
}

// LongerThan gives the share of the text that is in documents of approximately n bytes or more.
func (s *SplitSurvey) LongerThan(size int64) float64 {
	long := int64(0)
	for _, l := range s.lengths {
		if l.documents > 0 && l.bytes/l.documents >= size {
			long += l.bytes
		}
	}
	return float64(long) / float64(max(1, s.TextBytes))
}

// Survey reads the splits of corpora, the held-out ones first, so that their texts are found
// again in the training splits. progress counts documents and may be nil.
func Survey(ctx context.Context, corpora []*Corpus, progress func(done, total int64)) ([][]SplitSurvey, error) {
	type turn struct {
		split  *Split
		survey *SplitSurvey
		held   int // its number; -1: for training
	}
	var held, train []turn
	var all [][]SplitSurvey
	total, done := int64(0), int64(0)
	for _, c := range corpora {
		splits := c.Splits()
		surveys := make([]SplitSurvey, len(splits))
		for i, s := range splits {
			surveys[i] = SplitSurvey{Name: s.Name, Files: s.sources, Documents: s.rows}
			if len(c.Labels) > 0 {
				surveys[i].Unlabelled = s.rows - s.labelled
			}
			total += s.rows
			if s == c.Train {
				train = append(train, turn{s, &surveys[i], -1})
			} else {
				held = append(held, turn{s, &surveys[i], len(held)})
			}
		}
		all = append(all, surveys)
	}
	shared := newFinder()
	longest := int64(MaxDocBytes)
	for _, t := range append(held[:len(held):len(held)], train...) {
		for i := range t.split.Rows() {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			r, err := t.split.Record(i)
			if err != nil {
				return nil, err
			}
			n := int64(len(r.Text))
			t.survey.TextBytes += n
			if n > longest {
				t.survey.TooLong++
			} else if n > 0 {
				l := &t.survey.lengths[bits.Len64(uint64(n))]
				l.documents++
				l.bytes += n
			}
			if t.held >= 0 {
				shared.hold(t.held, r.Text)
			} else {
				shared.train(r.Text, len(held))
			}
			if done++; progress != nil && done%1024 == 0 {
				progress(done, total)
			}
		}
	}
	for _, t := range held {
		n := shared.count(t.held)
		t.survey.Shared = &n
	}
	return all, nil
}

// MeanBytes gives the approximate mean length of a document's text in bytes: from the counts of a
// conversion, or from a few evenly spaced documents.
func (s *Split) MeanBytes() (float64, error) {
	if s.rows == 0 {
		return 0, nil
	}
	if s.textBytes > 0 {
		return float64(s.textBytes) / float64(s.rows), nil
	}
	n, sum := min(s.rows, 64), 0
	for i := range n {
		r, err := s.Record(i * s.rows / n)
		if err != nil {
			return 0, err
		}
		sum += len(r.Text)
	}
	return float64(sum) / float64(n), nil
}
