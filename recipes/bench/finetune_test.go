package bench

import (
	"math"
	"testing"

	"hone/data"
	"hone/data/task"
	"hone/recipes"
	"hone/trainer"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// The tokens of a turn are those of the documents that its steps read, without padding, and the loss before training is
// that of two classes that nothing is known of.
func TestFinetune(t *testing.T) {
	docs := &labelled{labels: []string{"a", "b"}, size: 50}
	for n := range 300 {
		ids := make([]int32, 3+n%17)
		for i := range ids {
			ids[i] = int32(1 + (n+i)%49)
		}
		docs.add(ids, n%2)
	}
	read := data.Config{
		Records: docs, Tokenizer: docs, Bare: true, Pad: padding, Objective: data.Labelled(task.Classification), Labels: docs.labels,
		T: 32, BatchSize: 4, MicroBatchSize: 4, Seed: 1, Shuffle: true,
	}.WithDefaults()
	begin, err := survey(t.Context(), read)
	if err != nil {
		t.Fatal(err)
	}
	l, err := data.NewLoader(read, data.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var tokens []int // of each step
	for range tuningWarmUp + rounds {
		b, err := l.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, s := range b.Seqs {
			n += len(docs.ids[s.Doc])
		}
		tokens = append(tokens, n)
		if len(tokens) == 1 && len(b.Seqs) != len(begin.first) {
			t.Errorf("the first step has %d documents, and the survey says %d", len(b.Seqs), len(begin.first))
		}
	}
	if begin.sequences < 8 || begin.sequences > 16 || begin.seen <= 0 || begin.seen >= 1 {
		t.Errorf("%g sequences a step, which see %g of the squares", begin.sequences, begin.seen)
	}

	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	c, err := Config{Family: "bert", Layers: 1, Heads: 2, Dim: 16, Inner: 32, T: 32, V: docs.size}.model()
	if err != nil {
		t.Fatal(err)
	}
	c.SetLabels(docs.labels)
	stage := endless(tuningRate)
	opt, err := recipes.NewOptimizer(&recipes.Stage{Training: stage}, tuningRate)
	if err != nil {
		t.Fatal(err)
	}
	net, err := model.NewNetwork(dev, exec.F32, c, model.Options{Head: model.Classifier, State: func(l *exec.Layout) int { return trainer.StateBytes(l, opt, 1) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Init(1); err != nil {
		t.Fatal(err)
	}
	b := newResult(dev, "fp32")
	if b.gauge, err = dev.Gauge(1 << 20); err != nil {
		t.Fatal(err)
	}
	tuning := &Tuning{Programs: []Tuned{{Name: "hone"}}}
	o := FinetuneOptions{Seconds: 1e-9, Say: func(string) {}} // a step a turn
	if err := b.finetune(t.Context(), tuning, net, opt, stage, read, begin, nil, o); err != nil {
		t.Fatal(err)
	}
	own := tuning.Programs[0]
	if len(own.Turns) != rounds || own.Steps != rounds {
		t.Fatalf("%d turns of %d steps", len(own.Turns), own.Steps)
	}
	for i, rate := range own.Turns {
		if got, want := rate*own.seconds[i], float64(tokens[tuningWarmUp+i]); math.Abs(got-want) > 1e-6*want {
			t.Errorf("turn %d counts %g tokens, want %g", i, got, want)
		}
	}
	if math.Abs(own.FirstLoss-math.Ln2) > 0.05 || own.Share < 0 || own.Share > 1 || len(tuning.Ops) == 0 {
		t.Errorf("%+v", own)
	}
}
