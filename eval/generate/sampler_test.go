package generate

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// A vector is what transformers' processors make of logits: testdata/sampling.py.
type vector struct {
	Name    string
	Options map[string]json.RawMessage // keys of a generation_config.json, frequency_penalty and presence_penalty
	Logits  []float32
	Spread  []float64 // of these the logits are made: their number, a seed, their range
	Text    []int32   // with the prompt
	Prompt  int
	Ends    []int32
	Source  []int32    // of an encoder
	Most    int        // tokens behind the prompt
	Scores  []*float64 // nil: −Inf
	Kept    []int32    // instead of scores
}

// spread makes logits that look random, exactly as the script does.
func spread(n, seed uint64, width float64) []float32 {
	logits := make([]float32, n)
	for i := range logits {
		h := uint64(uint32((uint64(i) + seed) * 2654435761))
		h = uint64(uint32((h ^ h>>15) * 2246822519))
		logits[i] = float32(float64(h)/(1<<32)*width - width/2)
	}
	return logits
}

// TestTransformers compares scores and the tokens that are kept with those of transformers.
func TestTransformers(t *testing.T) {
	text, err := os.ReadFile("testdata/sampling.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, v := range file.Vectors {
		var o Options
		for key, p := range map[string]*float64{"frequency_penalty": &o.FrequencyPenalty, "presence_penalty": &o.PresencePenalty} {
			if value, ok := v.Options[key]; ok {
				if err := json.Unmarshal(value, p); err != nil {
					t.Fatal(err)
				}
				delete(v.Options, key)
			}
		}
		options, err := json.Marshal(v.Options)
		if err != nil {
			t.Fatal(err)
		}
		settings, err := ReadSettings(options)
		if err != nil || len(settings.Ignored) > 0 {
			t.Fatalf("%s: %v, ignored %q", v.Name, err, settings.Ignored)
		}
		settings.Sampling(&o, func(string) bool { return false })
		if v.Spread != nil {
			v.Logits = spread(uint64(v.Spread[0]), uint64(v.Spread[1]), v.Spread[2])
		}
		if err := o.Sampler.Validate(len(v.Logits)); err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		got := processed(&o.Sampler, &v)
		if v.Spread != nil {
			var kept []int32
			for i, s := range got {
				if s != never {
					kept = append(kept, int32(i))
				}
			}
			if !slices.Equal(kept, v.Kept) {
				t.Errorf("%s: %d tokens are kept, want %d", v.Name, len(kept), len(v.Kept))
			}
			continue
		}
		for i, want := range v.Scores {
			if (want == nil) != (got[i] == never) {
				t.Errorf("%s: token %d has score %g, want %v of %v", v.Name, i, got[i], want, got)
			} else if want != nil && math.Abs(float64(got[i])-*want) > 1e-6*math.Abs(*want) {
				t.Errorf("%s: token %d has score %g, want %g", v.Name, i, got[i], *want)
			}
		}
	}
	if len(file.Vectors) < 180 {
		t.Errorf("only %d vectors", len(file.Vectors))
	}
}

// processed gives the scores that tokens are drawn by, −Inf where they are dropped.
func processed(s *Sampler, v *vector) []float32 {
	p := s.picker(v.Text[:v.Prompt], v.Ends)
	p.text = append(p.text, v.Text[v.Prompt:]...)
	if p.most = v.Most; v.Source != nil {
		p.source = v.Source
	}
	scores := slices.Clone(v.Logits)
	var w workspace
	p.process(&w, scores)
	if s.Temperature == 0 {
		return scores
	}
	w.fill(scores, scores[highest(scores)], s)
	w.heavy(0, scores, float32(s.Temperature)) // list them all
	for i := range scores {
		scores[i] = never
	}
	for i, id := range w.ids {
		scores[id] = w.scores[i]
	}
	return scores
}

// TestDraw compares how often tokens are drawn with their probabilities, by chi-square at
// fixed seeds: over positions of one seed, and over seeds at one position. The bound is passed
// once in a million by chance.
func TestDraw(t *testing.T) {
	const draws = 40000
	logits, long := spread(40, 9, 5), make([]int32, draws)
	for _, s := range []Sampler{{Temperature: 1}, {Temperature: 0.5}, {Temperature: 2}, {Temperature: 1, TopK: 7}, {Temperature: 1, TopP: 0.8}, {Temperature: 1, MinP: 0.2}, {Temperature: 1, TypicalP: 0.6}} {
		v := vector{Logits: logits, Text: []int32{1}, Prompt: 1}
		scores, total := processed(&s, &v), 0.0
		for _, x := range scores {
			total += math.Exp(float64(x))
		}
		for _, over := range []string{"positions", "seeds", "both"} {
			counts := make([]float64, len(logits))
			p := s.picker(nil, nil)
			for i := range draws {
				if p.text = long[:0]; over != "seeds" {
					p.text = long[:i]
				}
				if over != "positions" {
					p.Seed = uint64(i)
				}
				id, err := p.next(logits)
				if err != nil {
					t.Fatal(err)
				}
				counts[id]++
			}
			chi, free := 0.0, -1.0
			for i, x := range scores {
				want := draws * math.Exp(float64(x)) / total
				if want == 0 {
					if counts[i] > 0 {
						t.Errorf("%+v over %s: token %d was dropped, and drawn", s, over, i)
					}
					continue
				}
				chi += (counts[i] - want) * (counts[i] - want) / want
				free++
			}
			// Wilson and Hilferty's normal approximation, at 4.75 standard deviations.
			if bound := free * math.Pow(1-2/(9*free)+4.75*math.Sqrt(2/(9*free)), 3); chi > bound {
				t.Errorf("%+v over %s: chi-square %.1f with %g degrees of freedom, bound %.1f", s, over, chi, free, bound)
			}
		}
	}
	// Neighbours: the draws of one seed at a position and the next, and of one position with a
	// seed and the next, are independent: 8 × 8 cells.
	for _, step := range [][2]int{{0, 1}, {1, 0}, {1, 1}} {
		var cells [64]float64
		for i := range draws {
			one, other := drawsAt(uint64(i), i%100), drawsAt(uint64(i+step[0]), i%100+step[1])
			if step[0] == 0 {
				one, other = drawsAt(7, i), drawsAt(7, i+1)
			}
			cells[int(one.next()*8)*8+int(other.next()*8)]++
		}
		chi := 0.0
		for _, n := range cells {
			chi += (n - draws/64) * (n - draws/64) / (draws / 64)
		}
		if chi > 63*math.Pow(1-2./(9*63)+4.75*math.Sqrt(2./(9*63)), 3) {
			t.Errorf("neighbours at %v: chi-square %.1f with 63 degrees of freedom", step, chi)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		s    Sampler
		want string
	}{
		{Sampler{}, ""}, {Sampler{Temperature: 0.7, TopK: 50, TopP: 1, MinP: 1, TypicalP: 0.5, RepetitionPenalty: 1.3, FrequencyPenalty: -2, PresencePenalty: 2}, ""},
		{Sampler{Temperature: -1}, "temperature -1: want 0, or 1e-06 to 1000"}, {Sampler{Temperature: math.NaN()}, "temperature NaN: want"},
		{Sampler{TopK: -1}, "top-k -1: want 0 (all tokens) or more"}, {Sampler{TopP: 2}, "top-p 2: want 0 to 1"}, {Sampler{MinP: -0.1}, "min-p -0.1: want 0 to 1"},
		{Sampler{TypicalP: 1.1}, "typical-p 1.1: want 0 to 1"}, {Sampler{RepetitionPenalty: -1}, "repetition penalty -1: want 0 (none), or 0.01 to 100"},
		{Sampler{FrequencyPenalty: 3}, "frequency penalty 3: want -2 to 2"}, {Sampler{PresencePenalty: -3, TopP: 7}, "top-p 7: want 0 to 1\npresence penalty -3: want -2 to 2"},
		{Sampler{NoRepeatNGram: -1}, "no-repeat n-gram -1"}, {Sampler{MinTokens: -1}, "min tokens -1"}, {Sampler{MinLength: -1}, "min length -1"},
		{Sampler{Bias: []Bias{{[]int32{40}, 1}}}, "logit bias: token 40: want 0 to 39"}, {Sampler{Bias: []Bias{{nil, 1}}}, "logit bias: no token"},
		{Sampler{Bias: []Bias{{[]int32{4}, math.Inf(1)}}}, "logit bias of token [4]: +Inf: want -inf, or -1e+06 to 1e+06"},
		{Sampler{Bias: []Bias{{[]int32{4}, 1}, {[]int32{4}, 2}}}, "logit bias: token [4] is given twice"}, {Sampler{BadWords: [][]int32{{3, -1}}}, "bad words: token -1: want 0 to 39"},
	} {
		if err := c.s.Validate(40); (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.s, err, c.want)
		}
	}
	if err := (&Options{MaxTokens: 1, StopTokens: []int32{-4}}).Validate(0); err == nil || err.Error() != "stop token -4: want 0 or more" {
		t.Errorf("a stop token: %v", err)
	}
	p := (&Sampler{MinTokens: 1}).picker([]int32{1}, []int32{0, 1})
	if _, err := p.next([]float32{1, 2}); err == nil || !strings.HasPrefix(err.Error(), "every token is forbidden") {
		t.Errorf("nothing to choose from: %v", err)
	}
}

// Tokens without weights of their own are drawn as often as the others are: here nearly all are.
func TestDrawAll(t *testing.T) {
	const draws, temperature = 60000, 0.9
	logits := spread(30, 9, 4)
	high, total := logits[highest(logits)], 0.0
	for _, v := range logits {
		total += math.Exp(float64(v-high) / temperature)
	}
	for _, depth := range []float64{0.1, 1, 2.5, 9} {
		var c candidates
		counts, chi := make([]float64, len(logits)), 0.0
		for i := range draws {
			d := drawsAt(3, i)
			counts[c.drawAll(logits, high, temperature, depth, &d)]++
		}
		for i, v := range logits {
			want := draws * math.Exp(float64(v-high)/temperature) / total
			chi += (counts[i] - want) * (counts[i] - want) / want
		}
		if bound := 29 * math.Pow(1-2./(9*29)+4.75*math.Sqrt(2./(9*29)), 3); chi > bound {
			t.Errorf("depth %g: chi-square %.1f with 29 degrees of freedom, bound %.1f", depth, chi, bound)
		}
	}
}

func TestWeigh(t *testing.T) {
	logits := append(spread(10000, 5, 250), 125, -200, never)
	for _, temperature := range []float64{0.3, 1, 7} {
		for i, got := range weigh(nil, logits, 125, temperature) {
			x := (float64(logits[i]) - 125) / temperature
			if want := math.Exp(x); x < -103 && got != 0 || x >= -103 && math.Abs(got-want) > 1e-12*want {
				t.Fatalf("e^%g: %g, want %g", x, got, want)
			}
		}
	}
}

// The sampler must be small beside a decode step, which takes 10 ms of SmolLM2-135M.
func BenchmarkSampler(b *testing.B) {
	logits := make([]float32, 49152) // as those of language models: near a normal distribution, and a few above it
	for seed := range uint64(8) {
		for i, v := range spread(49152, seed*1e6, 9) {
			logits[i] += v
		}
	}
	for i := range 40 {
		logits[i*997] = 20 - float32(i)/4
	}
	text := make([]int32, 1000)
	for i := range text {
		text[i] = int32(i * 37 % 5000)
	}
	for name, s := range map[string]Sampler{
		"greedy": {}, "temperature": {Temperature: 0.8}, "top-k 50": {Temperature: 0.8, TopK: 50}, "top-k 5000": {Temperature: 0.8, TopK: 5000},
		"top-p 0.9": {Temperature: 0.8, TopP: 0.9}, "top-k 50, top-p 0.9": {Temperature: 0.8, TopK: 50, TopP: 0.9}, "min-p 0.05": {Temperature: 0.8, MinP: 0.05},
		"typical 0.9": {Temperature: 0.8, TypicalP: 0.9}, "penalties": {RepetitionPenalty: 1.1, FrequencyPenalty: 0.5, NoRepeatNGram: 3},
	} {
		b.Run(name, func(b *testing.B) {
			p := s.picker(text, []int32{0})
			p.text = slices.Grow(p.text, 1)
			work := slices.Clone(logits)
			b.ReportAllocs()
			for b.Loop() {
				copy(work, logits)
				if _, err := p.next(work); err != nil {
					b.Fatal(err)
				}
				p.text = p.text[:len(text)]
			}
		})
	}
}
