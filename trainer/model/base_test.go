package model

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// The last hidden states of models without a head are those of transformers (testdata/bases.py). Their
// parameters have the names that transformers gives them, without a prefix, and load with one too.
func TestBases(t *testing.T) {
	againstReference(t)
	text, err := os.ReadFile("testdata/bases.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Bases []struct {
			Fixture, Architecture string
			Shape                 []int
			Hidden                []float64
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, base := range doc.Bases {
		r := readReference(t, base.Fixture)
		c := r.Config
		c.Architectures = []string{base.Architecture}
		h, err := c.Head()
		if err != nil || !h.Headless() {
			t.Fatalf("%s: head %v, error %v", base.Architecture, h, err)
		}
		seen[c.ModelType] = true
		for _, kernels := range kernelSets(t) {
			for dt, bound := range parity {
				n := network(t, cpu.Options{Threads: 1, Kernels: kernels}, dt, c, r.options(h))
				for _, p := range n.Layout().Params { // whose names in the fixture have the prefix of the other heads
					v, ok := r.values["weight/"+p.Name]
					if !ok {
						v, ok = r.values["weight/"+c.Family.tensors(LanguageModel).prefix+p.Name]
					}
					if !ok {
						t.Fatalf("%s: the reference lacks %s", base.Architecture, p.Name)
					}
					if err := n.upload(p, 0, v); err != nil {
						t.Fatal(err)
					}
				}
				f, _ := r.feed(LanguageModel)
				f.Targets, f.Weights, f.Pool = nil, nil, nil
				rows, tt := len(r.IDs), len(r.IDs[0])
				if h == Encoder {
					f.Tokens, f.Segments, f.EncoderTokens, f.EncoderSegments = f.EncoderTokens, f.EncoderSegments, nil, nil
					rows, tt = len(r.Encoder), len(r.Encoder[0])
					f.Positions, f.Order = f.Positions[:0], f.Order[:0]
					for i := range rows * tt {
						f.Positions, f.Order = append(f.Positions, int32(i%tt)), append(f.Order, 0)
					}
				}
				x := executor(t, n, Evaluate, rows, tt, 0)
				run(t, n, x, f)
				got, lengths := read(t, x, "hidden"), r.Lengths
				if h == Encoder {
					lengths = r.EncoderLengths
				}
				var g, w []float64
				for i, v := range base.Hidden {
					if row := i / base.Shape[2]; row%tt < lengths[row/tt] {
						g, w = append(g, got[i]), append(w, v)
					}
				}
				compare(t, base.Architecture+" of "+base.Fixture+", "+dt.String()+" "+kernels, g, w, bound)
				// The same of some rows.
				f.Pool = []int32{int32(tt), 0}
				s := executor(t, n, Evaluate, rows, tt, 2)
				run(t, n, s, f)
				c := base.Shape[2]
				compare(t, base.Architecture+" pooled", read(t, s, "hidden"), append(append([]float64{}, got[tt*c:(tt+1)*c]...), got[:c]...), 0)
			}
		}
		if _, err := Program(c, network(t, cpu.Options{Threads: 1}, exec.F32, c, r.options(h)).Layout(), r.options(h), Train, 1, 4, 0); err == nil || !strings.Contains(err.Error(), "has no loss to learn from") {
			t.Errorf("%s trains: %v", base.Architecture, err)
		}
	}
	for _, kind := range ModelTypes {
		if !seen[kind] && kind != "palm" { // which transformers lacks
			t.Errorf("no base of a %s", kind)
		}
	}
}

// A head is drawn afresh where a checkpoint is of a base, of the family's old names too, and the other
// way round what a head has is left out.
func TestBaseBeginsAHead(t *testing.T) {
	c := defaultBERT()
	c.VocabSize = 11
	c.Family = BERT{HiddenSize: 8, NumHiddenLayers: 1, NumAttentionHeads: 2, IntermediateSize: 8, HiddenAct: "gelu", MaxPositionEmbeddings: 16, TypeVocabSize: 2, InitializerRange: 0.3, LayerNormEps: 1e-12}
	c.SetLabels([]string{"a", "b"})
	base := network(t, cpu.Options{Threads: 1}, exec.F32, c, Options{Head: Base})
	if err := base.Init(1); err != nil {
		t.Fatal(err)
	}
	var stored []Stored
	values := map[string][]float32{}
	for _, p := range base.Layout().Params {
		if strings.HasPrefix(p.Name, "bert.") {
			t.Errorf("a base's parameter is called %s", p.Name)
		}
		v := make([]float32, p.Elems)
		if err := base.Weight(p.Name, v); err != nil {
			t.Fatal(err)
		}
		name := p.Name
		if strings.Contains(name, "LayerNorm") {
			name = strings.NewReplacer(".weight", ".gamma", ".bias", ".beta").Replace(name)
		}
		stored = append(stored, Stored{name, p.Shape})
		values[name] = v
	}
	pooler := []Stored{{"pooler.dense.weight", []int{8, 8}}, {"pooler.dense.bias", []int{8}}}
	for _, s := range pooler {
		values[s.Name] = make([]float32, s.Shape[0]*8)
	}
	ignored := []Stored{{"embeddings.position_ids", []int{1, 16}}}
	c.Architectures = []string{"BertModel"}
	m, err := MatchTensors(c, Base, append(append(stored, pooler...), ignored...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m.Params); n != len(stored)+2 || len(m.Unused) > 0 || m.Params[n-1].Name != "pooler.dense.bias" && m.Params[n-2].Name != "pooler.dense.bias" {
		t.Errorf("%d parameters of %d tensors and a pooler, unused %q, the last %v", n, len(stored), m.Unused, m.Params[n-1])
	}
	for head, fresh := range map[Head]string{
		LanguageModel:   "cls.predictions.transform.dense.weight cls.predictions.transform.dense.bias cls.predictions.transform.LayerNorm.weight cls.predictions.transform.LayerNorm.bias cls.predictions.bias",
		Classifier:      "classifier.weight classifier.bias",
		TokenClassifier: "classifier.weight classifier.bias",
	} {
		n := network(t, cpu.Options{Threads: 1}, exec.F32, c, Options{Head: head})
		all := append(append(append([]Stored{}, stored...), pooler...), ignored...)
		got, err := n.Load(all, func(i int, dst []float32) error { copy(dst, values[all[i].Name]); return nil })
		if err != nil {
			t.Fatalf("%v: %v", head, err)
		}
		want := map[string]bool{}
		for _, name := range strings.Fields(fresh) {
			want[name] = true
		}
		for _, name := range got {
			if !want[name] {
				t.Errorf("%v: %s is fresh", head, name)
			}
			delete(want, name)
		}
		if len(want) > 0 {
			t.Errorf("%v: not fresh: %v", head, want)
		}
	}
	// Part of a head is a fault.
	n := network(t, cpu.Options{Threads: 1}, exec.F32, c, Options{Head: LanguageModel})
	part := append(append([]Stored{}, stored...), Stored{"cls.predictions.bias", []int{11}})
	if _, err := n.Load(part, nil); err == nil || !strings.Contains(err.Error(), "cls.predictions.transform.dense.weight is missing") {
		t.Errorf("a part of a head: error %v", err)
	}
	// What a masked language model has beside the base is left out.
	with := append(append([]Stored{}, stored...), Stored{"cls.predictions.transform.dense.weight", []int{8, 8}}, Stored{"cls.seq_relationship.weight", []int{2, 8}})
	if m, err = MatchTensors(c, Base, with, nil); err != nil || len(m.Unused) != 2 {
		t.Errorf("a base of a masked language model: unused %q, error %v", m.Unused, err)
	}
}
