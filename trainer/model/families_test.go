package model

import (
	"math"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// families are tiny models of each family, of two layers of some width, with everything
// that can be random or left out.
func families(width, length int) []Config {
	gpt := tiny(func(f *GPT2) {
		f.NEmbd, f.NPositions, f.NLayer, f.ResidPDrop, f.EmbdPDrop, f.AttnPDrop, f.InitializerRange = width, length, 2, 0.25, 0.25, 0.1, 0.3
	})
	llama := defaultLlama()
	llama.Family = Llama{
		HiddenSize: width, IntermediateSize: width + 4, NumHiddenLayers: 2, NumAttentionHeads: 2, NumKeyValueHeads: 1,
		MaxPositionEmbeddings: length, RMSNormEps: 1e-5, RopeTheta: 100, HiddenAct: "silu", MLPBias: true, InitializerRange: 0.3, AttentionDropout: 0.1,
		RopeScaling: RopeScaling{RopeType: "llama3", Factor: 4, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxPositionEmbeddings: 32},
	}
	qwen := defaultQwen3()
	qwen.TieWordEmbeddings = true
	qwen.Family = Llama{
		HiddenSize: width, IntermediateSize: width + 4, NumHiddenLayers: 2, NumAttentionHeads: 2, NumKeyValueHeads: 2, HeadDim: 6,
		MaxPositionEmbeddings: length, RMSNormEps: 1e-5, RopeTheta: 100, HiddenAct: "silu", AttentionBias: true, InitializerRange: 0.3,
		qwen: true,
	}
	palm := defaultPaLM()
	palm.Family = PaLM{
		HiddenSize: width, IntermediateSize: width + 4, NumHiddenLayers: 2, NumAttentionHeads: 2, HeadDim: 6,
		MaxPositionEmbeddings: length, LayerNormEps: 1e-5, RopeTheta: 100, ZLoss: 0.01, Dropout: 0.25,
	}
	mistral := defaultMistral()
	mistral.Family = Mistral{
		HiddenSize: width, IntermediateSize: width + 4, NumHiddenLayers: 2, NumAttentionHeads: 2, NumKeyValueHeads: 1, HeadDim: 6,
		MaxPositionEmbeddings: length, SlidingWindow: 5, RMSNormEps: 1e-5, RopeTheta: 100, HiddenAct: "relu2", InitializerRange: 0.3, AttentionDropout: 0.1,
	}
	gemma := defaultGemma3()
	gemma.Family = Gemma3{
		HiddenSize: width, IntermediateSize: width + 4, NumHiddenLayers: 2, NumAttentionHeads: 2, NumKeyValueHeads: 1, HeadDim: 6, QueryPreAttnScalar: 9,
		MaxPositionEmbeddings: length, SlidingWindow: 3, LayerTypes: []string{seesWindow, seesAll}, RMSNormEps: 1e-5, RopeTheta: 1000, RopeLocalBaseFreq: 50,
		HiddenActivation: "gelu_pytorch_tanh", InitializerRange: 0.15,
	}
	list := []Config{gpt, llama, qwen, palm, mistral, gemma}
	for i := range list {
		list[i].VocabSize = 11
	}
	return list
}

// Five steps of AdamW or more give PyTorch's losses; twenty with PaLM's z-loss. The references
// are of float64. The first steps divide gradients by their own size, rounding errors of those
// that should be nothing too: float32 is not so near.
func TestSteps(t *testing.T) {
	for _, family := range fixtures {
		f := readFixture(t, family)
		for _, dt := range []exec.DType{exec.F64, exec.F32} {
			n := network(t, cpu.Options{Threads: 2}, dt, f.Config, Options{})
			f.load(t, n)
			want := f.values["lm/adamw"]
			if least := map[bool]int{false: 6, true: 21}[family == "palm"]; len(want) < least {
				t.Errorf("%s: a trace of %d losses", family, len(want))
			}
			checkSteps(t, family, n, executor(t, n, Train, 2, 12, 0), rows(f.IDs).predict(12), 2*11, want)
			if want = f.values["classifier/adamw"]; family == "palm" {
				n = network(t, cpu.Options{Threads: 2}, dt, f.Config, Options{Head: Classifier})
				f.load(t, n)
				if len(want) != 6 {
					t.Errorf("%s: a classifier's trace of %d losses", family, len(want))
				}
				checkSteps(t, family+" classifier", n, executor(t, n, Train, 2, 12, 3), f.classify(), 2, want)
			}
		}
	}
}

func checkSteps(t *testing.T, what string, n *Network, x *exec.Executor, feed *Feed, targets int, want []float64) {
	t.Helper()
	const rate, beta1, beta2, eps, decay = 1e-2, 0.9, 0.95, 1e-8, 0.1
	bound := map[exec.DType]float64{exec.F64: 1e-8, exec.F32: 1e-4}[n.layout.DType]
	first, second := map[string][]float64{}, map[string][]float64{}
	for step := range want {
		run(t, n, x, feed)
		if got := read(t, x, "loss")[0] / float64(targets); !(math.Abs(got-want[step]) <= bound*want[step]) {
			t.Errorf("%s: %v loss %.9f after %d steps, want %.9f", what, n.layout.DType, got, step, want[step])
		}
		for _, p := range n.Layout().Params {
			w, g, m, v := arena(t, n, exec.Param, p), arena(t, n, exec.Grad, p), first[p.Name], second[p.Name]
			if m == nil {
				m, v = make([]float64, p.Elems), make([]float64, p.Elems)
				first[p.Name], second[p.Name] = m, v
			}
			for i := range w {
				m[i] += (1 - beta1) * (g[i] - m[i])
				v[i] += (1 - beta2) * (g[i]*g[i] - v[i])
				if p.Decay {
					w[i] -= rate * decay * w[i]
				}
				hat := v[i] / (1 - math.Pow(beta2, float64(step+1)))
				w[i] -= rate * m[i] / (1 - math.Pow(beta1, float64(step+1))) / (math.Sqrt(hat) + eps)
			}
			if err := n.upload(p, 0, w); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// classifier_dropout is that of what labels are read from: the only one here, it makes a
// classifier's losses random, and a language model's not.
func TestClassifierDropout(t *testing.T) {
	for _, kind := range []string{"bert", "roberta"} {
		for _, head := range []Head{Classifier, TokenClassifier, LanguageModel} {
			for _, p := range []float64{0, 0.5} {
				c, err := DefaultConfig(kind)
				if err != nil {
					t.Fatal(err)
				}
				f := BERT{
					HiddenSize: 8, NumHiddenLayers: 1, NumAttentionHeads: 2, IntermediateSize: 8, HiddenAct: "gelu", MaxPositionEmbeddings: 16,
					TypeVocabSize: 2, InitializerRange: 0.3, LayerNormEps: 1e-12, ClassifierDropout: &p,
				}
				if c.Family = f; kind == "roberta" {
					c.Family = RoBERTa(f)
				}
				c.VocabSize = 11
				c.SetLabels([]string{"a", "b"})
				n := network(t, cpu.Options{Threads: 1}, exec.F64, c, Options{Head: head})
				if err := n.Init(1); err != nil {
					t.Fatal(err)
				}
				feed, s := rows([][]int32{{1, 2, 3, 4}, {5, 6, 7, 8}}), 0
				if feed.Targets, feed.Weights = []int32{0, 1, 0, 1, 0, 1, 0, 1}, []float32{1, 1, 1, 1, 1, 1, 1, 1}; head == Classifier {
					s, feed.Targets, feed.Weights = 2, nil, nil
					feed.Pool, feed.Labels, feed.LabelWeights = []int32{0, 4}, []int32{0, 1}, []float32{1, 1}
				}
				x := executor(t, n, Train, 2, 4, s)
				losses := map[float64]bool{}
				for seed := range int32(4) {
					feed.Seed, feed.Rng = 1, [4]int32{seed, 1, 1, 1}
					run(t, n, x, feed)
					losses[read(t, x, "loss")[0]] = true
				}
				if random := len(losses) > 1; random != (p > 0 && head != LanguageModel) {
					t.Errorf("%s, %v, classifier_dropout %g: losses %v", kind, head, p, losses)
				}
			}
		}
	}
}
