package generate

import (
	"math"
	"testing"
)

func TestSampler(t *testing.T) {
	logits := []float32{0, 2, 1, -1}
	pick := (&Sampler{}).start()
	if got := pick(logits); got != 1 {
		t.Errorf("greedy picked %d", got)
	}
	count := func(s Sampler) (n [4]int) {
		pick := s.start()
		for range 20000 {
			n[pick(logits)]++
		}
		return n
	}
	if n := count(Sampler{Temperature: 1, TopK: 2}); n[0]+n[3] != 0 || n[1] == 0 || n[2] == 0 {
		t.Errorf("top-k 2 picked %v", n)
	}
	// Probabilities are .237 .644 .087 .032 for logits 1 2 0 -1: the first two reach .8.
	if n := count(Sampler{Temperature: 1, TopP: 0.8}); n[0]+n[3] != 0 || n[2] == 0 {
		t.Errorf("top-p 0.8 picked %v", n)
	}
	n := count(Sampler{Temperature: 2})
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) / 2)
	}
	for i, v := range logits {
		p := math.Exp(float64(v)/2) / sum
		if d := math.Abs(float64(n[i])/20000 - p); d > 4*math.Sqrt(p*(1-p)/20000) {
			t.Errorf("token %d: share %g, want %g", i, float64(n[i])/20000, p)
		}
	}
	if a, b := count(Sampler{Temperature: 1, Seed: 3}), count(Sampler{Temperature: 1, Seed: 3}); a != b {
		t.Error("the same seed gave other tokens")
	}
	for _, s := range []Sampler{{Temperature: -1}, {TopK: -1}, {TopP: 2}, {Temperature: math.NaN()}} {
		if s.validate() == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
}

func TestComplete(t *testing.T) {
	for _, c := range []struct {
		text string
		stop []string
		want int
	}{
		{"abc", nil, 3}, {"ab\xe4\xb8", nil, 2}, {"ab\xe4\xb8\xad", nil, 5}, {"ab\xff", nil, 3},
		{"ab\n", []string{"\n\n"}, 2}, {"abEN", []string{"END"}, 2}, {"", []string{"x"}, 0},
	} {
		if got := complete(c.text, c.stop); got != c.want {
			t.Errorf("complete(%q, %q) = %d, want %d", c.text, c.stop, got, c.want)
		}
	}
	if got := firstStop("one two", []string{"two", "", "e"}); got != 2 {
		t.Errorf("firstStop = %d", got)
	}
}
