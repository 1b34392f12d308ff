package trainer

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"hone/checkpoint"
)

// A training ends when so many values in a row are no better than the best before them, as in
// transformers' EarlyStoppingCallback; the best stays, and a resume counts on.
func TestStopping(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name      string
		scores    []float64 // of each step
		stopping  Stopping
		lower     bool
		end, best int
	}{
		{"none", []float64{4, 3, 2, 1, 0, 0}, Stopping{}, false, 6, 1},
		{"two in a row", []float64{1, 4, 2, 5, 3, 5, 9, 9}, Stopping{Patience: 2}, false, 6, 4},
		{"one is not enough", []float64{1, 4, 2, 5, 3, 6, 2, 7}, Stopping{Patience: 2}, false, 8, 8},
		{"lower is better", []float64{5, 4, 4, 4.5, 3}, Stopping{Patience: 2}, true, 4, 2},
		{"a little is not enough", []float64{1, 1.25, 1.5, 9}, Stopping{Patience: 2, Threshold: 0.25}, false, 3, 3},
		{"enough", []float64{1, 1.25, 1.75, 1.5, 9}, Stopping{Patience: 2, Threshold: 0.25}, false, 5, 5},
		{"not finite", []float64{1, nan, nan, 9}, Stopping{Patience: 2}, false, 3, 1},
		{"never finite", []float64{nan, nan, nan, 9}, Stopping{Patience: 3}, false, 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			train := func(stopAt, saveEvery int) (final []byte, seen []int) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s := setup{dir: t.TempDir(), steps: len(c.scores), saveEvery: saveEvery, batch: 2, length: 8, stopping: c.stopping, lower: c.lower}
				s.schedule = func(step int) float64 {
					if step+1 == stopAt {
						cancel()
					}
					return 1e-3
				}
				s.hooks = []Hook{{
					Due: func(int, time.Duration) bool { return true },
					Do: func(_ context.Context, t *Trainer, i StepInfo) error {
						seen = append(seen, i.Step)
						t.SetMetric("score", c.scores[i.Step-1])
						return nil
					},
				}}
				err := s.trainer(t).Run(ctx)
				if stopAt > 0 && !errors.Is(err, context.Canceled) || stopAt == 0 && err != nil {
					t.Fatal(err)
				}
				s.schedule = func(int) float64 { return 1e-3 }
				for range 2 { // the second time nothing is left to do
					tr := s.trainer(t)
					if err := tr.Run(t.Context()); err != nil {
						t.Fatal(err)
					}
					if want := c.end < len(c.scores); tr.Step() != c.end || tr.Stopped() != want {
						t.Errorf("interrupted in step %d: ended at step %d, stopped early: %v; want %d, %v", stopAt, tr.Step(), tr.Stopped(), c.end, want)
					}
				}
				best, err := checkpoint.Best(s.dir, checkpoint.Retention{Metric: "score", HigherIsBetter: !c.lower}, nil)
				if err != nil || (best == nil) != (c.best == 0) || best != nil && best.Manifest.Step != c.best {
					t.Errorf("best %+v, %v; want that of step %d", best, err, c.best)
				}
				return saved(t, s.dir, c.end), seen
			}
			want, seen := train(0, 0)
			for stop := 1; stop <= c.end; stop += 2 {
				final, again := train(stop, 2)
				if !bytes.Equal(final, want) || !slices.Equal(again, seen) {
					t.Errorf("interrupted in step %d: other weights, or other validations: %v, not %v", stop, again, seen)
				}
			}
		})
	}
}
