package model

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// A reference is testdata/NAME.json and NAME.bin of a family with several heads; see bert.py.
type reference struct {
	Config         Config
	Heads          []string
	IDs            [][]int32
	Types, Targets [][]int32
	Tags           [][]int32
	Lengths        []int
	Labels         []int32
	Spans          [][]int32
	Order          [][]int32
	Encoder        [][]int32
	EncoderLengths []int
	LR             float64
	Tensors        []struct {
		Name  string
		Shape []int
	}
	values map[string][]float64
}

func readReference(t *testing.T, name string) *reference {
	t.Helper()
	r := &reference{LR: 1e-2, values: map[string][]float64{}}
	text, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, r); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/" + name + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Tensors {
		n := 1
		for _, d := range x.Shape {
			n *= d
		}
		if len(data) < 8*n {
			t.Fatalf("%s.bin ends before %s", name, x.Name)
		}
		r.values[x.Name] = float64s(data[:8*n])
		data = data[8*n:]
	}
	if len(data) != 0 {
		t.Fatalf("%s.bin has %d bytes too many", name, len(data))
	}
	return r
}

// load sets the network's parameters, which must all be there.
func (r *reference) load(t *testing.T, n *Network) {
	t.Helper()
	for _, p := range n.Layout().Params {
		v, ok := r.values["weight/"+p.Name]
		if !ok {
			t.Fatalf("the reference lacks %s", p.Name)
		}
		if err := n.upload(p, 0, v); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *reference) options(h Head) Options {
	o := Options{Head: h}
	if r.Encoder != nil {
		o.EncoderLength = len(r.Encoder[0])
	}
	return o
}

// feed is what a head takes: B rows of one sequence each, and pads; and how many targets it has.
func (r *reference) feed(h Head) (f *Feed, targets int) {
	tt := len(r.IDs[0])
	f = &Feed{Rng: [4]int32{1, 2, 3, 4}}
	for b, row := range r.IDs {
		for i, id := range row {
			segment := int32(0)
			if i >= r.Lengths[b] {
				segment = -1
			}
			f.Tokens, f.Segments = append(f.Tokens, id), append(f.Segments, segment)
			f.Positions, f.Order = append(f.Positions, int32(i)), append(f.Order, r.order(b, i))
			if r.Types != nil {
				f.Types = append(f.Types, r.Types[b][i])
			}
		}
	}
	for b, row := range r.Encoder {
		for i, id := range row {
			segment := int32(0)
			if i >= r.EncoderLengths[b] {
				segment = -1
			}
			f.EncoderTokens, f.EncoderSegments = append(f.EncoderTokens, id), append(f.EncoderSegments, segment)
		}
	}
	switch h {
	case LanguageModel, TokenClassifier, Pretraining:
		rows := r.Targets
		if h == TokenClassifier {
			rows = r.Tags
		}
		for _, row := range rows {
			for _, v := range row {
				f.Targets, f.Weights = append(f.Targets, v), append(f.Weights, 1)
				if v >= 0 {
					targets++
				}
			}
		}
	}
	switch h {
	case Classifier, Pretraining:
		for b := range r.IDs {
			row := b * tt
			if !r.Config.Traits().FirstToken {
				row += r.Lengths[b] - 1
			}
			f.Pool = append(f.Pool, int32(row))
		}
		if h == Classifier {
			targets = len(r.IDs)
		}
		each := float32(targets) / float32(len(r.IDs)) // the sum of a mean over tokens and one over sequences
		f.Labels, f.LabelWeights = r.Labels, []float32{each, each}
	case QuestionAnswering:
		for b, span := range r.Spans {
			f.Spans = append(f.Spans, int32(b*tt), int32(b*tt+r.Lengths[b]))
			f.Answers = append(f.Answers, int32(b*tt)+span[0], int32(b*tt)+span[1])
		}
		f.LabelWeights, targets = []float32{1, 1}, len(r.IDs)
	}
	f.Seed = 1 / float32(targets)
	return f, targets
}

// order is the place of a token: a decoder's in its sequence, an encoder's all the same.
func (r *reference) order(b, i int) int32 {
	switch {
	case r.Order != nil:
		return r.Order[b][i]
	case r.Encoder != nil:
		return int32(i)
	}
	return 0
}

// real keeps the logits of rows that no pad made; nor does XLNet's query stream count in the
// row of the first token, that sees nothing: transformers has it see all.
func (r *reference) real(h Head, got, want []float64) (g, w []float64) {
	tt, rows := len(r.IDs[0]), len(r.IDs)*len(r.IDs[0])
	strict := h == LanguageModel && r.Config.ModelType == "xlnet"
	if len(want)%rows != 0 {
		return got, want // of sequences
	}
	n := len(want) / rows
	for i := range want {
		if row := i / n; row%tt < r.Lengths[row/tt] && (!strict || r.Order[row/tt][row%tt] > 0) {
			g, w = append(g, got[i]), append(w, want[i])
		}
	}
	return g, w
}

// references are the fixtures of several heads, or of other shapes than a decoder's.
var references = []string{"gpt2-heads", "llama-heads", "qwen3-heads", "qwen2", "qwen2-window", "mistral", "gemma", "gemma3", "xlm-roberta", "camembert", "bert", "bert-untied", "bert-pretraining", "roberta", "roberta-untied", "distilbert", "t5", "t5v1_1", "t5-heads", "xlnet"}

// Logits, loss and every gradient of tiny models of each family and head are those of
// PyTorch's transformers, and so are the losses of five steps of AdamW.
func TestParity(t *testing.T) {
	againstReference(t)
	for _, name := range references {
		r := readReference(t, name)
		for _, architecture := range r.Heads {
			for _, kernels := range kernelSets(t) {
				t.Run(architecture+"/"+kernels, func(t *testing.T) { r.check(t, architecture, cpu.Options{Threads: 2, Kernels: kernels}) })
			}
		}
	}
}

func (r *reference) check(t *testing.T, architecture string, o cpu.Options) {
	c := r.Config
	c.Architectures = []string{architecture}
	h, err := c.Head()
	if err != nil {
		t.Fatal(err)
	}
	b, tt, s := len(r.IDs), len(r.IDs[0]), 0
	if h.pools() {
		s = b
	}
	for dt, bound := range parity {
		if dt == exec.F64 && o.Kernels != "generic" {
			continue
		}
		what := dt.String() + ": "
		n := network(t, o, dt, c, r.options(h))
		r.load(t, n)
		f, targets := r.feed(h)
		x := executor(t, n, Train, b, tt, s)
		step := func() float64 {
			if err := n.Feed(x, f); err != nil {
				t.Fatal(err)
			}
			if dt == exec.F64 { // a third, say, is fed as a float32
				if err := exec.Feed(x, "seed", []float64{1 / float64(targets)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := x.Run(); err != nil {
				t.Fatal(err)
			}
			return read(t, x, "loss")[0] / float64(targets)
		}
		compare(t, what+"loss", []float64{step()}, r.values[architecture+"/loss"], bound)
		for _, p := range n.Layout().Params {
			compareGradient(t, what+p.Name, arena(t, n, exec.Grad, p), r.values[architecture+"/grad/"+p.Name], bound)
		}
		if want := r.values[architecture+"/tokens"]; h == Pretraining { // a language model's part of it
			lm := network(t, o, dt, c, r.options(LanguageModel))
			r.load(t, lm)
			all, _ := r.feed(LanguageModel)
			all.Targets, all.Weights = nil, nil
			for i := range int32(b * tt) {
				all.Pool = append(all.Pool, i)
			}
			e := executor(t, lm, Evaluate, b, tt, b*tt)
			run(t, lm, e, all)
			got, want := r.real(LanguageModel, read(t, e, "logits"), want)
			compare(t, what+"logits of tokens", got, want, bound)
		}
		if h == LanguageModel {
			all := *f
			all.Targets, all.Weights, all.Pool = nil, nil, nil
			for i := range int32(b * tt) {
				all.Pool = append(all.Pool, i)
			}
			e := executor(t, n, Evaluate, b, tt, b*tt)
			run(t, n, e, &all)
			got, want := r.real(h, read(t, e, "logits"), r.values[architecture+"/logits"])
			compare(t, what+"logits", got, want, bound)
		} else {
			got, want := r.real(h, read(t, x, "logits"), r.values[architecture+"/logits"])
			compare(t, what+"logits", got, want, bound)
			e := executor(t, n, Evaluate, b, tt, s)
			run(t, n, e, f)
			got, want = r.real(h, read(t, e, "logits"), r.values[architecture+"/logits"])
			compare(t, what+"logits of evaluate", got, want, bound)
		}
		// AdamW as torch.optim has it, with the reference's numbers.
		m, v := map[string][]float64{}, map[string][]float64{}
		for k, want := range r.values[architecture+"/losses"] {
			if got := step(); !(math.Abs(got-want) <= 1e-4) {
				t.Errorf("%sloss of step %d is %.6f, want %.6f", what, k, got, want)
			}
			for _, p := range n.Layout().Params {
				w := arena(t, n, exec.Param, p)
				if m[p.Name] == nil {
					m[p.Name], v[p.Name] = make([]float64, len(w)), make([]float64, len(w))
				}
				adamW(w, arena(t, n, exec.Grad, p), m[p.Name], v[p.Name], k+1, r.LR, p.Decay)
				if err := n.upload(p, 0, w); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func adamW(w, g, m, v []float64, step int, lr float64, decay bool) {
	const b1, b2, eps = 0.9, 0.99, 1e-8
	for i := range w {
		m[i] = b1*m[i] + (1-b1)*g[i]
		v[i] = b2*v[i] + (1-b2)*g[i]*g[i]
		if decay {
			w[i] *= 1 - lr*0.1
		}
		w[i] -= lr / (1 - math.Pow(b1, float64(step))) * m[i] / (math.Sqrt(v[i]/(1-math.Pow(b2, float64(step)))) + eps)
	}
}

// compareGradient is compare, but for what is zero by the mathematics and a rounding in both:
// the bias of keys, which softmax does not see, and that of both ends of an answer.
func compareGradient(t *testing.T, what string, got, want []float64, bound float64) {
	t.Helper()
	top := 0.0
	for _, v := range want {
		top = max(top, math.Abs(v))
	}
	if top > 1e-12 {
		compare(t, what, got, want, bound)
		return
	}
	for i, v := range got {
		if !(math.Abs(v) <= bound) {
			t.Errorf("%s: element %d is %g, want 0", what, i, v)
			return
		}
	}
}

// Every family's parameters have the names and the shapes of the reference, and load without
// the prefix of the body.
func TestReferencesLoad(t *testing.T) {
	for _, name := range references {
		r := readReference(t, name)
		for _, architecture := range r.Heads {
			c := r.Config
			c.Architectures = []string{architecture}
			h, err := c.Head()
			if err != nil {
				t.Fatal(err)
			}
			prefix := c.Family.tensors(h).prefix
			n := network(t, cpu.Options{Threads: 1}, exec.F32, c, r.options(h))
			var stored []Stored
			for _, x := range r.Tensors {
				what, ok := strings.CutPrefix(x.Name, architecture+"/grad/")
				if ok {
					stored = append(stored, Stored{strings.TrimPrefix(what, prefix), x.Shape})
				}
			}
			fresh, err := n.Load(stored, func(i int, dst []float32) error {
				full := stored[i].Name
				if _, ok := r.values["weight/"+full]; !ok {
					full = prefix + full
				}
				v, ok := r.values["weight/"+full]
				if !ok {
					return fmt.Errorf("no values of %s", full)
				}
				for k := range dst {
					dst[k] = float32(v[k])
				}
				return nil
			})
			if err != nil || len(fresh) > 0 {
				t.Errorf("%s: fresh %v, error %v", architecture, fresh, err)
			}
		}
	}
}

func float64s(b []byte) []float64 {
	v := make([]float64, len(b)/8)
	for i := range v {
		v[i] = math.Float64frombits(uint64(b[8*i]) | uint64(b[8*i+1])<<8 | uint64(b[8*i+2])<<16 | uint64(b[8*i+3])<<24 |
			uint64(b[8*i+4])<<32 | uint64(b[8*i+5])<<40 | uint64(b[8*i+6])<<48 | uint64(b[8*i+7])<<56)
	}
	return v
}
