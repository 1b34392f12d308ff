package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A Ranking is what a retrieval gave for a query.
type Ranking struct {
	Scores    map[string]float64 // by document, of those retrieved
	Relevance map[string]int     // by document, of those judged; 0 and less: not relevant
}

// A Retrieval is what rankings are judged by, each a mean over queries.
type Retrieval struct {
	NDCG, MRR, Recall Figure
}

// ScoreRetrieval scores the first k documents of each ranking. It fails if a query has no relevant
// document, where the figures are not defined.
func ScoreRetrieval(list []Ranking, k int, groups Groups) (Retrieval, error) {
	if err := groups.check(len(list)); err != nil {
		return Retrieval{}, err
	}
	if k < 1 {
		return Retrieval{}, fmt.Errorf("metric: the first %d documents; want 1 or more", k)
	}
	n := len(list)
	gain, reciprocal, recall := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, q := range list {
		var best []int
		for _, r := range q.Relevance {
			if r > 0 {
				best = append(best, r)
			}
		}
		if best == nil {
			return Retrieval{}, fmt.Errorf("metric: query %d has no relevant document", i)
		}
		slices.SortFunc(best, func(a, b int) int { return b - a })
		ranked := make([]string, 0, len(q.Scores))
		for doc, s := range q.Scores {
			if math.IsNaN(s) {
				return Retrieval{}, fmt.Errorf("metric: query %d: the score of document %q is not a number", i, doc)
			}
			ranked = append(ranked, doc)
		}
		slices.SortFunc(ranked, func(a, b string) int {
			// trec_eval keeps scores in float32: what differs by less is equal.
			return cmp.Or(cmp.Compare(float32(q.Scores[b]), float32(q.Scores[a])), cmp.Compare(b, a))
		})
		found, ideal := 0.0, 0.0
		for r, doc := range ranked[:min(k, len(ranked))] {
			if v := q.Relevance[doc]; v > 0 {
				if found++; found == 1 {
					reciprocal[i] = 1 / float64(r+1)
				}
				gain[i] += float64(v) / math.Log2(float64(r+2))
			}
		}
		for r, v := range best[:min(k, len(best))] {
			ideal += float64(v) / math.Log2(float64(r+2))
		}
		gain[i] /= ideal
		recall[i] = found / float64(len(best))
	}
	const ties = "; of equal scores, the document with the later name comes first, as in trec_eval"
	out := Retrieval{
		NDCG:   Figure{Name: fmt.Sprintf("ndcg_at_%d", k), Definition: fmt.Sprintf("trec_eval's ndcg_cut_%d: the gain is the relevance, the discount log2(rank + 1)", k) + ties},
		MRR:    Figure{Name: fmt.Sprintf("mrr_at_%d", k), Definition: fmt.Sprintf("mean of 1/rank of the first relevant document, trec_eval's recip_rank of the first %d, 0 without any", k) + ties},
		Recall: Figure{Name: fmt.Sprintf("recall_at_%d", k), Definition: fmt.Sprintf("share of the relevant documents that are among the first %d, trec_eval's recall_%d", k, k) + ties},
	}
	out.NDCG.mean(gain, groups)
	out.MRR.mean(reciprocal, groups)
	out.Recall.mean(recall, groups)
	return out, nil
}
