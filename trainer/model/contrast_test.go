package model

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/graph"
)

// TestContrastLosses compares losses of vectors, and their gradients, with those of sentence-transformers; see
// testdata/losses.py.
func TestContrastLosses(t *testing.T) {
	text, err := os.ReadFile("testdata/losses.json")
	if err != nil {
		t.Fatal(err)
	}
	type values struct {
		Vectors, Gradients [][][]float64 // columns of texts
		Labels             []float32
		Loss               float64
	}
	var want map[string]json.RawMessage
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Contrast{
		"ranking":                {Loss: RankingLoss, Scale: 20},
		"ranking with negatives": {Loss: RankingLoss, Scale: 20},
		"cosent":                 {Loss: CoSENTLoss, Scale: 20},
		"cosine":                 {Loss: CosineLoss},
		"triplet":                {Loss: TripletLoss, Margin: 5},
		"matryoshka ranking":     {Loss: RankingLoss, Scale: 20, Dimensions: []int{8, 4, 2}},
		"matryoshka cosent":      {Loss: CoSENTLoss, Scale: 20, Dimensions: []int{8, 4, 2}},
		"matryoshka triplet":     {Loss: TripletLoss, Margin: 5, Dimensions: []int{8, 4}},
	} {
		var w values
		if err := json.Unmarshal(want[name], &w); err != nil {
			t.Fatal(err)
		}
		columns, rows, width := len(w.Vectors), len(w.Vectors[0]), len(w.Vectors[0][0])
		n := columns*rows + 3 // some are absent
		all := make([]float64, n*width)
		in := NewContrasted(n)
		for i := range rows {
			for k := range columns {
				slot := i*columns + k
				copy(all[slot*width:], w.Vectors[k][i])
				if k > 0 {
					in.Candidates[2*slot] = int32(slot)
				}
			}
			first := int32(i * columns)
			in.Anchors[i], in.Positives[i], in.Weights[i], in.Own[2*i] = first, first+1, 1, first+1
			if columns > 2 {
				in.Negatives[i] = first + 2
			}
			if w.Labels != nil {
				in.Goals[i] = w.Labels[i]
			}
		}
		dev, err := cpu.New(cpu.Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Close()
		g := graph.New(name, exec.F64)
		loss := c.loss(g, exec.F64, g.Param("vectors", graph.Init{}, n, width))
		l := exec.NewLayout(exec.F64, g.Params())
		p, err := g.Lower(l, graph.Outputs{Loss: loss, Named: []graph.Named{{Name: "loss", Node: loss}}})
		if err != nil {
			t.Fatal(err)
		}
		mem := exec.NewMemory(dev, l.Bytes, l.GradBytes(), 0)
		x, err := exec.NewExecutor(mem, p)
		if err != nil {
			t.Fatal(err)
		}
		floats := func(name string, v []float32) error {
			wide := make([]float64, len(v))
			for i, x := range v {
				wide[i] = float64(x)
			}
			return exec.Feed(x, name, wide)
		}
		var raw []byte
		for _, v := range all {
			raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
		}
		if err := mem.Upload(exec.Param, 0, raw); err != nil {
			t.Fatal(err)
		}
		if err := floats("seed", []float32{1}); err != nil {
			t.Fatal(err)
		}
		if err := in.feed(x, floats); err != nil {
			t.Fatal(err)
		}
		if err := x.Run(); err != nil {
			t.Fatal(err)
		}
		var got [1]float64
		if err := exec.Read(x, "loss", got[:]); err != nil {
			t.Fatal(err)
		}
		if e := math.Abs(got[0]/float64(rows)-w.Loss) / w.Loss; !(e < 1e-12) {
			t.Errorf("%s: loss %.9g, want %.9g", name, got[0]/float64(rows), w.Loss)
		}
		if err := mem.Download(exec.Grad, 0, raw); err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for i := range rows * columns * width {
			slot, k := i/width, i%width
			g := math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])) / float64(rows)
			worst = max(worst, math.Abs(g-w.Gradients[slot%columns][slot/columns][k]))
		}
		if !(worst < 1e-12) {
			t.Errorf("%s: a gradient is off by %.2g", name, worst)
		}
	}
}
