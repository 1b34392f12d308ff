package generate

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// search writes the best texts of a beam search, in slots that no other text has.
func (g *Generator) search(ctx context.Context, t *Text) ([]*Result, error) {
	s := newSearch(t.Beams, len(t.pick.ends), min(t.MaxTokens, t.window+1-len(t.ids)))
	var free []int // slots
	for i := range g.slots {
		if !slices.ContainsFunc(g.texts, func(o *Text) bool { return o.slot == i }) {
			free = append(free, i)
		}
	}
	t.slot, free = free[0], free[1:]
	readings := []*reading{&t.reading}
	scores := make([][]float32, t.NumBeams)
	began := time.Now()
	var first time.Time // when the first tokens were known
	steps := 0
	for ; !s.done && ctx.Err() == nil; steps++ {
		if err := g.score(t, readings, scores); err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
		if steps == 0 {
			first = time.Now()
		}
		s.step(scores[:len(readings)], t.ended)
		readings, free = follow(readings, s.running, t.ids, free)
	}
	best := s.finished
	if !s.done {
		for _, b := range s.running {
			b.score, b.reason = b.score/s.penalty(max(1, len(b.ids))), "interrupted"
			best = append(best, b)
		}
	}
	n := max(1, t.N)
	if len(best) < n && s.done {
		return nil, fmt.Errorf("generate: the beam search has found %d texts, and %d are asked for: there are no others that are allowed", len(best), n)
	}
	var results []*Result
	for _, b := range best[:min(n, len(best))] {
		r := t.found(b, len(b.ids) == s.max && s.max < t.MaxTokens)
		if steps > 0 {
			r.PromptSeconds = first.Sub(began).Seconds()
		}
		if steps > 1 {
			r.TokensPerSecond = float64(steps-1) / time.Since(first).Seconds()
		}
		results = append(results, r)
	}
	for len(results) < n { // interrupted
		results = append(results, t.found(beam{reason: "interrupted"}, false))
	}
	if t.Emit != nil {
		t.Emit(results[0].Text)
	}
	return results, nil
}

// score reads the running beams, and gives the scores of all tokens behind each.
func (g *Generator) score(t *Text, beams []*reading, scores [][]float32) error {
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	open := slices.Clone(beams)
	for len(open) > 0 {
		if err := g.read(open); err != nil {
			return err
		}
		if beams[0] == &t.reading {
			t.countPrompt()
		}
		for i, r := range beams {
			if r.logits == nil || !slices.Contains(open, r) {
				continue
			}
			if err := finite(r.logits); err != nil {
				return err
			}
			all := append(scores[i][:0], r.logits...)
			w.logSoftmax(all)
			scores[i] = all[:t.size]
			t.pick.text = r.ids
			t.pick.process(w, scores[i])
		}
		open = slices.DeleteFunc(open, func(r *reading) bool { return r.logits != nil })
	}
	return nil
}

// follow gives the running beams the slots of those that they continue, where several continue
// one all but the first a free slot: what they have in common is copied there.
func follow(before []*reading, running []beam, prompt []int32, free []int) (now []*reading, _ []int) {
	taken := make([]bool, len(before))
	for _, b := range running {
		parent := before[b.parent]
		r := &reading{slot: -1, source: parent.source, ids: slices.Concat(prompt, b.ids)}
		if !taken[b.parent] {
			taken[b.parent], r.slot = true, parent.slot
		}
		now = append(now, r)
	}
	for i, r := range before {
		if !taken[i] {
			free = append(free, r.slot)
		}
	}
	for _, r := range now {
		if r.slot < 0 {
			r.slot, free = free[len(free)-1], free[:len(free)-1]
		}
	}
	return now, free
}

// ended gives the reason why a text of a beam search ends with its last token; "": it goes on.
func (t *Text) ended(ids []int32) string {
	switch id := ids[len(ids)-1]; {
	case slices.Contains(t.frame.Ends, id):
		return "end of text"
	case slices.Contains(t.StopTokens, id), len(t.Stop) > 0 && firstStop([]byte(t.words.tok.Decode(ids)), 0, t.Stop) >= 0:
		return "stop"
	}
	return ""
}

// found is the result of a beam.
func (t *Text) found(b beam, full bool) *Result {
	r, score := t.result, float64(b.score)
	r.IDs, r.Reason, r.ContextFull, r.Score = append(r.IDs, b.ids...), b.reason, full && b.reason == "length", &score
	if n := len(r.IDs); n > 0 && slices.Contains(t.pick.ends, r.IDs[n-1]) {
		r.IDs = r.IDs[:n-1]
	}
	r.Text = t.words.tok.Decode(r.IDs)
	if at := firstStop([]byte(r.Text), 0, t.Stop); at >= 0 {
		r.Text = r.Text[:at]
	}
	return &r
}
