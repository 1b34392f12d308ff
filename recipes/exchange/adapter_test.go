package exchange

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

const peftDir = "testdata/peft"

// A peftCase is an adapter that PEFT has made; see testdata/peft/make.py.
type peftCase struct {
	Model   string
	Keys    json.RawMessage
	IDs     []int32
	Modules []string
	Logits  []float64
}

func peftCases(t *testing.T) (cases map[string]peftCase, encoder []int32) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(peftDir, "logits.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Encoder []int32
		Cases   map[string]peftCase
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	return table.Cases, table.Encoder
}

// outputs are a network's logits, or its hidden states, of one text.
func outputs(t *testing.T, net *model.Network, h model.Head, ids, encoder []int32) []float64 {
	t.Helper()
	n, s, name := len(ids), 0, "logits"
	f := &model.Feed{Tokens: ids, Segments: make([]int32, n), Positions: make([]int32, n), Order: make([]int32, n)}
	for i := range n {
		f.Positions[i], f.Order[i] = int32(i), int32(i)
	}
	if net.Config().Traits().EncoderDecoder && h == model.LanguageModel {
		f.EncoderTokens, f.EncoderSegments = encoder, make([]int32, len(encoder))
	}
	switch h {
	case model.LanguageModel:
		s, f.Pool = n, f.Positions
	case model.Classifier:
		s, f.Pool, f.Labels, f.LabelWeights = 1, []int32{int32(n) - 1}, []int32{0}, []float32{1}
		if net.PoolsFirst() {
			f.Pool[0] = 0
		}
	case model.TokenClassifier:
		f.Targets, f.Weights = make([]int32, n), make([]float32, n)
	case model.QuestionAnswering:
		s, f.Spans, f.Answers, f.LabelWeights = 1, []int32{0, int32(n)}, []int32{0, 0}, []float32{1}
	default:
		name = "hidden"
	}
	x, err := net.Executor(model.Evaluate, 1, n, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Feed(x, f); err != nil {
		t.Fatal(err)
	}
	if err := x.Run(); err != nil {
		t.Fatal(err)
	}
	got := make([]float32, x.Program().Values[x.Program().Named[name]].Elems())
	if err := exec.Read(x, name, got); err != nil {
		t.Fatal(err)
	}
	wide := make([]float64, len(got))
	for i, v := range got {
		wide[i] = float64(v)
	}
	return wide
}

// near compares by the norm of the difference, as a share of that of what is wanted.
func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	var diff, norm float64
	for i := range got {
		diff += (got[i] - want[i]) * (got[i] - want[i])
		norm += want[i] * want[i]
	}
	if e := math.Sqrt(diff / norm); !(e < 1e-5) {
		t.Errorf("%s: differs by %.2g of its norm", what, e)
	}
}

// PEFT's adapters of every family and head stand beside the modules that PEFT chooses from the same keys, and give its
// logits, merged into their bases and beside them.
func TestAdaptersOfPEFT(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	cases, encoder := peftCases(t)
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			c, dir := cases[name], filepath.Join(peftDir, name)
			base, merged := importModel(t, c.Model), filepath.Join(t.TempDir(), "merged")
			if _, err := Merge(t.Context(), base, []string{dir}, merged, silent()); err != nil {
				t.Fatal(err)
			}
			length := 0 // of the encoder's row
			if strings.HasPrefix(name, "t5-all") || strings.HasPrefix(name, "t5-default") || name == "t5-dora" {
				length = len(encoder)
			}
			m, err := pretrained.Open(dev, merged, length)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "merged", outputs(t, m.Net, m.Head, c.IDs, encoder), c.Logits)

			b, err := checkpoint.Open(base)
			if err != nil {
				t.Fatal(err)
			}
			was, err := pretrained.Open(dev, base, length)
			if err != nil {
				t.Fatal(err)
			}
			l := &model.LoRA{R: 8, Alpha: 8}
			if err := json.Unmarshal(c.Keys, l); err != nil {
				t.Fatal(err)
			}
			pairs, err := l.Pairs(was.Config, m.Head)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(pairs.Pairs)); !slices.Equal(got, c.Modules) {
				t.Errorf("pairs beside %q, want %q", got, c.Modules)
			}
			if strings.HasSuffix(name, "-embeddings") || strings.HasSuffix(name, "-head") {
				return // PEFT has saved the embedding too
			}
			net, err := model.NewNetwork(dev, exec.F32, was.Config, model.Options{Head: m.Head, EncoderLength: length, Adapter: pairs})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := pretrained.Load(net, b); err != nil {
				t.Fatal(err)
			}
			if err := pretrained.LoadAdapter(net, dir); err != nil {
				t.Fatal(err)
			}
			near(t, "beside its base", outputs(t, net, m.Head, c.IDs, encoder), c.Logits)
		})
	}
}
