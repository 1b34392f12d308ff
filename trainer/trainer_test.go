package trainer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"hone/checkpoint"
	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/optim"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// letters is a tokenizer of one token a byte.
type letters struct{}

func (letters) Encode(dst []int32, text string) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i])+1)
	}
	return dst
}
func (l letters) Place(text string) (ids []int32, at []tokenizer.Offset) {
	for i := range len(text) {
		at = append(at, tokenizer.Offset{Start: i, End: i + 1})
	}
	return l.Encode(nil, text), at
}
func (letters) Decode([]int32) string          { panic("not decoded here") }
func (letters) Special(n string) (int32, bool) { return 0, n == "<|endoftext|>" }
func (letters) Size() int                      { return 300 }

// documents are texts of 1 to 60 bytes, in three classes by their first letter.
type documents []corpus.Record

func (d documents) Rows() int64                           { return int64(len(d)) }
func (d documents) Record(i int64) (corpus.Record, error) { return d[i], nil }
func newDocuments(n int) documents {
	r := rand.New(rand.NewPCG(1, 2))
	d := make(documents, n)
	for i := range d {
		class := r.IntN(3)
		text := []byte{byte('a' + class)}
		for range r.IntN(60) {
			text = append(text, byte('a'+r.IntN(8)*(class+1)))
		}
		d[i] = corpus.Record{Text: string(text), Label: fmt.Sprint(class), HasLabel: true}
		// Words of up to four letters, each with the class of its first letter; and a question for where
		// the middle of the text is.
		var words, tags []string
		for word := range slices.Chunk(text, 4) {
			words, tags = append(words, string(word)), append(tags, fmt.Sprint(int(word[0])%3))
		}
		middle := len(text) / 2
		d[i].Fields = map[string]any{"context": string(text), "question": string(text[:1])}
		// Half of a text, which belongs to it, and a part of it that does not; a number of both.
		d[i].Fields["half"], d[i].Fields["wrong"], d[i].Fields["score"] = string(text[:middle+1]), string(text[middle:]), float64(i%5)
		for name, v := range map[string]any{
			"words": words, "tags": tags, "answers": map[string]any{"text": []string{string(text[middle])}, "answer_start": []int{middle}},
		} {
			raw, err := json.Marshal(v)
			if err != nil {
				panic(err) // texts and numbers never fail
			}
			d[i].Fields[name] = json.RawMessage(raw)
		}
	}
	return d
}

var (
	ofWords     = data.OfTask(&task.Task{Kind: task.TokenLabels, Columns: task.Columns{Words: "words", Label: "tags"}})
	ofQuestions = data.OfTask(&task.Task{Kind: task.QuestionAnswering, Columns: task.Columns{
		Text: task.Part{Column: "question"}, Pair: task.Part{Column: "context"}, Answer: task.Part{Column: "answers"},
	}})
	ofVectors = data.OfTask(&task.Task{Kind: task.Retrieval, Columns: task.Columns{
		Text: task.Part{Column: "half"}, Pair: task.Part{Column: "context"}, Choices: []string{"wrong"},
	}})
	ofScores = data.OfTask(&task.Task{Kind: task.Similarity, Columns: task.Columns{
		Text: task.Part{Column: "half"}, Pair: task.Part{Column: "wrong"}, Label: "score",
	}})
)

// A setup is a training, small enough to be done again and again.
type setup struct {
	objective data.Objective
	dir       string
	steps     int
	batch     int // 8
	micro     int // 2
	threads   int // 1
	dropout   float64
	eps       float64 // 1e-8
	epochs    int
	rate      float64 // 1e-3
	docs      documents
	ema       float64
	length    int  // 32
	pairs     bool // a BERT, of masked tokens and next sentences
	alone     bool // an example in each row
	memory    int  // of an XLNet, in place of a GPT-2; -1: none
	schedule  optim.Schedule
	saveEvery int // 0: at the end
	hooks     []Hook
	stopping  Stopping
	weights   []float32 // of classes
	smoothing float64
	decay     float64 // of the learning rate, from layer to layer
	lower     bool    // scores
	say       func(string)
}

func (s setup) trainer(t testing.TB) *Trainer {
	t.Helper()
	tr, err := s.start(t)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (s setup) start(t testing.TB) (*Trainer, error) {
	t.Helper()
	setDefault := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	setDefault(&s.batch, 8)
	setDefault(&s.micro, 2)
	setDefault(&s.length, 32)
	setDefault(&s.threads, 1)
	if s.eps == 0 {
		s.eps = 1e-8
	}
	if s.rate == 0 {
		s.rate = 1e-3
	}
	if s.schedule == nil {
		rate := s.rate
		s.schedule = func(step int) float64 { return rate * (1 - float64(step)/100) }
	}
	if s.say == nil {
		s.say = func(string) {}
	}
	if s.docs == nil {
		s.docs = newDocuments(200)
	}
	dev, err := cpu.New(cpu.Options{Threads: s.threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	opt, err := optim.New(optim.Config{
		Name: "adamw", LR: 1e-3, Beta1: 0.9, Beta2: 0.95, Eps: s.eps, WeightDecay: 0.1, MaxGradNorm: 1, EMADecay: s.ema, LayerDecay: s.decay,
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := model.DefaultConfig("gpt2")
	if err != nil {
		t.Fatal(err)
	}
	gpt := c.Family.(model.GPT2)
	gpt.NLayer, gpt.NHead, gpt.NEmbd, gpt.NPositions = 2, 2, 32, 32
	gpt.EmbdPDrop, gpt.ResidPDrop, gpt.AttnPDrop = s.dropout, s.dropout, s.dropout
	c.Family, c.VocabSize = gpt, letters{}.Size()
	if s.memory != 0 {
		if c, err = model.DefaultConfig("xlnet"); err != nil {
			t.Fatal(err)
		}
		x := c.Family.(model.XLNet)
		x.NLayer, x.NHead, x.DModel, x.DInner, x.Dropout = 2, 2, 16, 32, s.dropout
		x.UseMemsTrain, x.MemLen = s.memory > 0, s.memory
		c.Family, c.VocabSize = x, letters{}.Size()
	}
	if s.pairs {
		if c, err = model.DefaultConfig("bert"); err != nil {
			t.Fatal(err)
		}
		x := c.Family.(model.BERT)
		x.NumHiddenLayers, x.NumAttentionHeads, x.HiddenSize, x.IntermediateSize, x.MaxPositionEmbeddings = 2, 2, 16, 32, 32
		x.HiddenDropoutProb, x.AttentionProbsDropoutProb = s.dropout, s.dropout
		c.Family, c.VocabSize = x, letters{}.Size()
	}
	o := model.Options{LabelSmoothing: s.smoothing, MicroBatches: s.batch / s.micro, State: func(l *exec.Layout) int { return StateBytes(l, opt, s.batch/s.micro) }}
	d := data.Config{
		Records: s.docs, Tokenizer: letters{}, Objective: s.objective, T: s.length,
		BatchSize: s.batch, MicroBatchSize: s.micro, Seed: 7, Shuffle: true, Epochs: s.epochs, Consecutive: s.memory != 0,
	}
	if s.pairs {
		o.Head, d.NextSentence, d.MaxSeqs, d.Mask = model.Pretraining, true, 4, "<|endoftext|>"
	}
	if s.objective == data.Labelled(task.Classification) {
		o.Head, d.Labels, d.MaxSeqs = model.Classifier, []string{"0", "1", "2"}, 4
		c.SetLabels(d.Labels)
	}
	switch s.objective {
	case ofWords:
		o.Head, d.Labels = model.TokenClassifier, []string{"0", "1", "2"}
		c.SetLabels(d.Labels)
	case ofQuestions:
		o.Head, d.MaxSeqs, d.Pair = model.QuestionAnswering, 4, &tokenizer.PairFrame{Between: make([]tokenizer.Added, 1), After: make([]tokenizer.Added, 1)}
	}
	if t := data.TaskOf(s.objective); t != nil && t.Kind.Losses != nil {
		o.Head, d.MaxSeqs, s.length = model.Base, 12, 128
		d.T = 128
		o.Contrast = &model.Contrast{Loss: t.Kind.Losses[0], Scale: 20, Pooling: model.MeanPooling, Dimensions: []int{32, 16}}
		gpt.NPositions = 128
		c.Family = gpt
	}
	d.ClassWeights = s.weights
	if s.alone {
		d.MaxSeqs = map[data.Objective]int{ofVectors: 3, ofScores: 2}[s.objective] // texts of an example
		d.MaxSeqs = max(d.MaxSeqs, 1)
	}
	net, err := model.NewNetwork(dev, exec.F32, c, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Init(3); err != nil {
		t.Fatal(err)
	}
	return New(net, opt, Config{
		Dir: s.dir, Steps: s.steps, Seed: 5, Data: d, Schedule: s.schedule, MaxGradNorm: 1,
		SaveDue:   func(step int, _ time.Duration) bool { return s.saveEvery > 0 && step%s.saveEvery == 0 },
		Retention: checkpoint.Retention{Keep: 2, Metric: "score", HigherIsBetter: !s.lower}, Stopping: s.stopping,
		Hooks: s.hooks, Manifest: checkpoint.Manifest{Stage: "tiny"}, Say: s.say,
	})
}

func mustRun(t testing.TB, s setup) {
	t.Helper()
	if err := s.trainer(t).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// saved is the weights and moments of a step's checkpoint.
func saved(t testing.TB, dir string, step int) []byte {
	t.Helper()
	var all []byte
	for _, name := range []string{checkpoint.ModelFile, checkpoint.OptimizerFile} {
		b, err := os.ReadFile(filepath.Join(checkpoint.StepDir(dir, step), name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func objectives(t *testing.T, f func(t *testing.T, s setup)) {
	list := []data.Objective{data.Causal, data.Labelled(task.Classification), ofWords, ofQuestions, ofVectors, ofScores}
	if testing.Short() { // as under the race detector
		list = list[:2]
	}
	for _, o := range list {
		t.Run(o.String(), func(t *testing.T) { f(t, setup{objective: o, dropout: 0.1}) })
	}
	// A memory longer than a row, which most documents fill.
	t.Run("memory", func(t *testing.T) { f(t, setup{objective: data.Permutation, dropout: 0.1, memory: 40, length: 16}) })
}

func TestResume(t *testing.T) {
	objectives(t, func(t *testing.T, s setup) {
		s.steps, s.dir = 10, t.TempDir()
		mustRun(t, s)
		want := saved(t, s.dir, 10)

		s.dir, s.steps = t.TempDir(), 5
		mustRun(t, s)
		var said []string
		s.steps, s.say = 10, func(line string) { said = append(said, line) }
		mustRun(t, s)
		if !bytes.Equal(saved(t, s.dir, 10), want) {
			t.Error("five steps, a resume and five more are not ten steps")
		}
		if len(said) != 1 || !strings.Contains(said[0], "resumed from step 5") {
			t.Errorf("said %q", said)
		}
		mustRun(t, s) // nothing is left to do

		s.dir, s.dropout = t.TempDir(), 0
		mustRun(t, s)
		if bytes.Equal(saved(t, s.dir, 10), want) {
			t.Error("dropout changes nothing: the test has seen nothing of it")
		}
	})
}

// Weights of classes, smoothed targets and a decay of the learning rate from layer to layer change a training, and a
// resume does not.
func TestResumeWeighted(t *testing.T) {
	plain := map[data.Objective][]byte{}
	for _, c := range []struct {
		o         data.Objective
		weights   []float32
		smoothing float64
		decay     float64
	}{
		{data.Labelled(task.Classification), nil, 0, 0}, {data.Labelled(task.Classification), []float32{1, 5, 0.2}, 0, 0}, {data.Labelled(task.Classification), nil, 0.1, 0},
		{ofWords, nil, 0, 0}, {ofWords, []float32{1, 5, 0.2}, 0, 0}, {ofWords, nil, 0.1, 0},
		{data.Causal, nil, 0, 0}, {data.Causal, nil, 0.1, 0}, {data.Labelled(task.Classification), nil, 0, 0.8},
	} {
		s := setup{objective: c.o, weights: c.weights, smoothing: c.smoothing, decay: c.decay, dropout: 0.1, batch: 4, length: 16, dir: t.TempDir(), steps: 10}
		mustRun(t, s)
		want := saved(t, s.dir, 10)
		s.dir, s.steps = t.TempDir(), 5
		mustRun(t, s)
		s.steps = 10
		mustRun(t, s)
		if !bytes.Equal(saved(t, s.dir, 10), want) {
			t.Errorf("%+v: five steps, a resume and five more are not ten steps", c)
		}
		if c.weights == nil && c.smoothing == 0 && c.decay == 0 {
			plain[c.o] = want
		} else if bytes.Equal(plain[c.o], want) {
			t.Errorf("%+v: nothing is changed", c)
		}
	}
}

// With an average of the weights: a resume is exact, hooks and checkpoints see the average,
// and training does not.
func TestResumeAveraged(t *testing.T) {
	var seen []float32 // of the last hook
	s := setup{steps: 6, dropout: 0.1, ema: 0.7}
	const name = "transformer.wte.weight"
	weight := func(tr *Trainer) []float32 {
		p, _ := tr.net.Layout().Param(name)
		w := make([]float32, p.Elems)
		if err := tr.net.Weight(name, w); err != nil {
			t.Fatal(err)
		}
		return w
	}
	s.hooks = []Hook{{
		Due: func(int, time.Duration) bool { return true },
		Do:  func(_ context.Context, tr *Trainer, _ StepInfo) error { seen = weight(tr); return nil },
	}}
	s.dir = t.TempDir()
	whole := s.trainer(t)
	if err := whole.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, raw := saved(t, s.dir, 6), weight(whole)
	c, err := checkpoint.Open(checkpoint.StepDir(s.dir, 6))
	if err != nil {
		t.Fatal(err)
	}
	read := func(file, name string) []byte {
		f, err := c.Tensors(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		x, err := f.Read(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return x.Data
	}
	if !bytes.Equal(read(checkpoint.ModelFile, name), memory(seen)) {
		t.Error("the model file is not what the hook has seen")
	}
	if !bytes.Equal(read(checkpoint.OptimizerFile, "weights."+name), memory(raw)) {
		t.Error("the weights in training are not in the optimiser's file")
	}
	if slices.Equal(seen, raw) {
		t.Error("the average is the weights: the test has seen nothing")
	}
	plain := setup{steps: 6, dropout: 0.1, dir: t.TempDir()}
	tr := plain.trainer(t)
	if err := tr.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(weight(tr), raw) {
		t.Error("training without an average gives other weights")
	}

	s.dir, s.steps = t.TempDir(), 3
	mustRun(t, s)
	s.steps = 6
	mustRun(t, s)
	if !bytes.Equal(saved(t, s.dir, 6), want) {
		t.Error("three steps, a resume and three more are not six steps")
	}
}

func TestThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	objectives(t, func(t *testing.T, s setup) {
		s.steps = 3
		var want []byte
		for threads := 1; threads <= 3; threads++ {
			for procs := 1; procs <= 3; procs++ {
				if testing.Short() && procs != 2 {
					continue
				}
				runtime.GOMAXPROCS(procs)
				s.threads, s.dir = threads, t.TempDir()
				mustRun(t, s)
				got := saved(t, s.dir, s.steps)
				if want == nil {
					want = got
				} else if !bytes.Equal(got, want) {
					t.Errorf("%d threads, GOMAXPROCS %d: other bits than with 1 and 1", threads, procs)
				}
			}
		}
	})
}

func TestAccumulation(t *testing.T) {
	objectives(t, func(t *testing.T, s setup) {
		// Too few documents to fill the global batch: micro-batches of many, fewer and no
		// targets. Dropout is off, since its masks are the micro-batch's; eps is large, since
		// AdamW's first step is otherwise the sign of gradients that are zero but for rounding
		// (those of the keys' biases).
		s.dropout, s.eps, s.epochs, s.steps, s.batch, s.docs = 0, 1e-4, 1, 1, 32, newDocuments(22)
		type result struct {
			loss    float64
			tensors [][]float32
			names   []string
			targets []int
		}
		run := func(micro int) (r result) {
			s.micro, s.dir = micro, t.TempDir()
			tr := s.trainer(t)
			if err := tr.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.loss = tr.info.Loss
			for _, p := range tr.net.Layout().Params {
				w, g := make([]float32, p.Elems), make([]float32, p.Elems)
				if err := tr.net.Weight(p.Name, w); err != nil {
					t.Fatal(err)
				}
				if err := tr.net.Memory().Download(exec.Grad, p.Offset, memory(g)); err != nil {
					t.Fatal(err)
				}
				r.tensors = append(r.tensors, w, g)
				r.names = append(r.names, p.Name, "gradient of "+p.Name)
			}
			l, err := data.NewLoader(tr.cfg.Data, data.Cursor{})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for range s.batch / micro {
				b, err := l.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				n := len(b.Seqs)
				if b.Targets != nil {
					n = 0
					for _, id := range b.Targets {
						n += min(1, int(id)+1)
					}
				}
				r.targets = append(r.targets, n)
			}
			return r
		}
		one, four := run(32), run(8)
		if n := four.targets; slices.Min(n) == slices.Max(n) {
			t.Fatalf("the micro-batches have %d targets: not ragged", n)
		}
		t.Logf("targets of the micro-batches: %d", four.targets)
		if d := math.Abs(one.loss-four.loss) / one.loss; !(d <= 1e-6) {
			t.Errorf("loss %v of 1×32, %v of 4×8: relative difference %g", one.loss, four.loss, d)
		}
		off, norm := 0.0, 0.0 // of all gradients together
		for k := 1; k < len(one.tensors); k += 2 {
			for i, g := range one.tensors[k] {
				d := float64(g) - float64(four.tensors[k][i])
				off, norm = off+d*d, norm+float64(g)*float64(g)
			}
		}
		if d := math.Sqrt(off / norm); !(d <= 1e-6) {
			t.Errorf("gradients of 1×32 and of 4×8: relative difference %g", d)
		}
		for k, a := range one.tensors {
			top, diff := 0.0, 0.0
			for i := range a {
				top = max(top, math.Abs(float64(a[i])))
				diff = max(diff, math.Abs(float64(a[i])-float64(four.tensors[k][i])))
			}
			bound := 4e-6 // a weight after AdamW, which makes much of a gradient that is next to nothing
			if k%2 == 1 {
				bound = 1e-5 // a gradient is a sum of hundreds of float32 in another order
			}
			// A bias that moves all scores of a softmax alike has no gradient but for roundings.
			const rounding = 4e-8
			if !(diff <= max(bound*top, rounding)) || top == 0 {
				t.Errorf("%s: max|Δ| %g, max %g", one.names[k], diff, top)
			}
		}
	})
}

// Examples that stand in a row with others have the loss and the gradients of ones that stand alone.
func TestPacking(t *testing.T) {
	for _, o := range []data.Objective{data.Labelled(task.Classification), ofWords, ofQuestions, ofVectors, ofScores} {
		t.Run(o.String(), func(t *testing.T) {
			run := func(alone bool) (loss float64, gradients []float32, rows int) {
				// All examples in one step.
				s := setup{objective: o, epochs: 1, steps: 1, batch: 64, micro: 64, docs: newDocuments(22), alone: alone, dir: t.TempDir()}
				tr := s.trainer(t)
				if err := tr.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, p := range tr.net.Layout().Params {
					g := make([]float32, p.Elems)
					if err := tr.net.Memory().Download(exec.Grad, p.Offset, memory(g)); err != nil {
						t.Fatal(err)
					}
					gradients = append(gradients, g...)
				}
				l, err := data.NewLoader(tr.cfg.Data, data.Cursor{})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				b, err := l.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, q := range b.Seqs {
					rows = max(rows, int(q.Row)+1)
				}
				return tr.info.Loss, gradients, rows
			}
			together, a, rows := run(false)
			alone, b, more := run(true)
			if rows >= more {
				t.Fatalf("%d rows packed and %d not: nothing is packed", rows, more)
			}
			if d := math.Abs(together-alone) / alone; !(d <= 1e-6) {
				t.Errorf("loss %v packed and %v not: relative difference %g", together, alone, d)
			}
			diff, norm := 0.0, 0.0
			for i := range a {
				d := float64(a[i]) - float64(b[i])
				diff, norm = diff+d*d, norm+float64(b[i])*float64(b[i])
			}
			if d := math.Sqrt(diff / norm); !(d <= 1e-6) {
				t.Errorf("gradients packed and not: relative difference %g", d)
			}
		})
	}
}

// Each micro-batch has a memory of its own: however many a step is cut into, the steps are the
// same, but for roundings, and what is kept changes them.
func TestMemoryAccumulation(t *testing.T) {
	losses := func(micro, memory int) (all []float64) {
		s := setup{objective: data.Permutation, steps: 6, micro: micro, memory: memory, length: 16, dir: t.TempDir(), eps: 1e-4, rate: 2e-2}
		s.hooks = []Hook{{
			Due: func(int, time.Duration) bool { return true },
			Do:  func(_ context.Context, _ *Trainer, i StepInfo) error { all = append(all, i.Loss); return nil },
		}}
		mustRun(t, s)
		return all
	}
	one, four, none := losses(8, 40), losses(2, 40), losses(8, -1)
	for i := range one {
		if d := math.Abs(one[i]-four[i]) / one[i]; !(d <= 1e-5) {
			t.Errorf("step %d: loss %v of 1×8, %v of 4×2: relative difference %g", i+1, one[i], four[i], d)
		}
		if i > 0 && math.Abs(one[i]-none[i])/one[i] < 2e-5 {
			t.Errorf("step %d: loss %v with a memory, %v without", i+1, one[i], none[i])
		}
	}
	if one[0] != none[0] {
		t.Errorf("step 1: loss %v with a memory of nothing, %v without", one[0], none[0])
	}
}

// Masked tokens and next sentences: a mean of each, however a step is cut, and an exact resume.
func TestPairs(t *testing.T) {
	s := setup{objective: data.Masked, pairs: true, eps: 1e-4}
	losses := func(micro int) (all []float64) {
		s := s
		s.micro, s.steps, s.dir = micro, 4, t.TempDir()
		s.hooks = []Hook{{
			Due: func(int, time.Duration) bool { return true },
			Do:  func(_ context.Context, _ *Trainer, i StepInfo) error { all = append(all, i.Loss); return nil },
		}}
		mustRun(t, s)
		return all
	}
	one, four := losses(8), losses(2)
	for i := range one {
		if d := math.Abs(one[i]-four[i]) / one[i]; !(d <= 1e-6) {
			t.Errorf("step %d: loss %v of 1×8, %v of 4×2: relative difference %g", i+1, one[i], four[i], d)
		}
	}
	if want := math.Log(300) + math.Ln2; math.Abs(one[0]-want) > 0.05*want { // of a model that knows nothing
		t.Errorf("the first loss is %v, want about %v", one[0], want)
	}
	s.dropout, s.steps, s.dir = 0.1, 6, t.TempDir()
	mustRun(t, s)
	want := saved(t, s.dir, 6)
	s.steps, s.dir = 3, t.TempDir()
	mustRun(t, s)
	s.steps = 6
	mustRun(t, s)
	if !bytes.Equal(saved(t, s.dir, 6), want) {
		t.Error("three steps, a resume and three more are not six steps")
	}
}

// TestInterrupt ends a run's context in the middle of every step in turn, so that its
// hooks are left for the next process.
func TestInterrupt(t *testing.T) {
	scores := []float64{0, 1, 4, 2, 9, 5, 3, 9, 1, 2} // of each step; 9 at 5 is the best, 9 at 8 no better
	const steps = 9
	type outcome struct {
		infos []StepInfo
		best  int
		final []byte
		score []byte // of the best
	}
	train := func(s setup, stopAt int) (o outcome) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s.dir, s.steps, s.saveEvery = t.TempDir(), steps, 3
		s.schedule = func(step int) float64 {
			if step+1 == stopAt {
				cancel()
			}
			return 1e-3
		}
		s.hooks = []Hook{{
			Due: func(step int, _ time.Duration) bool { return true },
			Do: func(_ context.Context, _ *Trainer, i StepInfo) error {
				i.Seconds, i.DataWait = 0, 0
				o.infos = append(o.infos, i)
				return nil
			},
		}, {
			Due: func(step int, _ time.Duration) bool { return step%2 == 1 },
			Do: func(ctx context.Context, t *Trainer, i StepInfo) error {
				t.SetMetric("score", scores[i.Step])
				return ctx.Err() // what a hook does is not interrupted
			},
		}}
		err := s.trainer(t).Run(ctx)
		if stopAt > 0 {
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("stopped in step %d: error %v", stopAt, err)
			}
			if c, err := checkpoint.Latest(s.dir, nil); err != nil || c == nil || c.Manifest.Step != stopAt {
				t.Fatalf("stopped in step %d: latest checkpoint %+v, %v", stopAt, c, err)
			}
			// Interrupted again before it can do anything, and then left in peace.
			ended, end := context.WithCancel(t.Context())
			end()
			if err := s.trainer(t).Run(ended); !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted at once: error %v", err)
			}
			s.schedule = func(int) float64 { return 1e-3 }
			err = s.trainer(t).Run(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		best, err := checkpoint.Best(s.dir, checkpoint.Retention{Metric: "score", HigherIsBetter: true}, nil)
		if err != nil || best == nil {
			t.Fatalf("best: %v, %v", best, err)
		}
		o.best, o.final = best.Manifest.Step, saved(t, s.dir, steps)
		o.score = saved(t, s.dir, o.best)
		return o
	}
	objectives(t, func(t *testing.T, s setup) {
		want := train(s, 0)
		if want.best != 7 || len(want.infos) != steps {
			t.Fatalf("best at step %d, %d calls of the hook", want.best, len(want.infos))
		}
		for stop := 1; stop <= steps; stop++ {
			if testing.Short() && stop != 4 {
				continue
			}
			got := train(s, stop)
			if !slices.Equal(got.infos, want.infos) {
				t.Errorf("stopped in step %d: the hook saw\n%+v, not\n%+v", stop, got.infos, want.infos)
			}
			if got.best != want.best || !bytes.Equal(got.final, want.final) || !bytes.Equal(got.score, want.score) {
				t.Errorf("stopped in step %d: another final or best checkpoint (step %d, not %d)", stop, got.best, want.best)
			}
		}
	})
}

// failing runs until the trainer stops, and checks that the checkpoint of a step is
// named, good and finite (0: that none is).
func failing(t *testing.T, s setup, good int, want ...string) {
	t.Helper()
	err := s.trainer(t).Run(t.Context())
	if err == nil {
		t.Fatal("the run went on")
	}
	t.Log(err)
	if good > 0 {
		want = append(want, "the last good checkpoint is "+checkpoint.StepDir(s.dir, good))
	} else {
		want = append(want, "no checkpoint had been saved")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	c, err := checkpoint.Latest(s.dir, func(line string) { t.Error(line) })
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case good == 0 && c != nil:
		t.Errorf("there is a checkpoint: %s", c.Dir)
	case good > 0 && (c == nil || c.Manifest.Step != good):
		t.Errorf("the latest checkpoint is %+v", c)
	case good > 0:
		file, err := c.Tensors(checkpoint.ModelFile)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for _, x := range file.Tensors() {
			x, err := file.Read(x.Name, nil)
			if err != nil {
				t.Fatal(err)
			}
			scan := finiteScan{dtype: x.DType}
			if scan.Write(x.Data); scan.found {
				t.Errorf("%s: element %d is not finite", x.Name, scan.elem)
			}
		}
	}
}

// poison is a hook that spoils a weight after a step.
func poison(after int, name string) Hook {
	return Hook{
		Due: func(step int, _ time.Duration) bool { return step == after },
		Do: func(_ context.Context, t *Trainer, _ StepInfo) error {
			p, _ := t.net.Layout().Param(name)
			w := make([]float32, p.Elems)
			w[0] = float32(math.Inf(1))
			return t.net.SetWeight(name, w)
		},
	}
}

func TestNonFinite(t *testing.T) {
	objectives(t, func(t *testing.T, s setup) {
		s.steps, s.saveEvery = 6, 1
		t.Run("learning rate 1e30", func(t *testing.T) {
			s.dir, s.rate = t.TempDir(), 1e30
			failing(t, s, 1, "step 2: the loss is ", "first in micro-batch 0: program train", ": instruction ")
		})
		t.Run("learning rate beyond float32", func(t *testing.T) {
			s.dir = t.TempDir()
			s.schedule = func(step int) float64 { return math.Pow(10, float64(step*44-5)) }
			failing(t, s, 1, "step 2: ", "is not finite from element 0 on: not saved")
		})
		t.Run("poisoned weights", func(t *testing.T) {
			s.dir, s.rate, s.schedule, s.saveEvery = t.TempDir(), 0, nil, 2
			hidden, at, embedding := "transformer.h.1.mlp.c_fc.weight", "linear h.1.mlp", "transformer.wpe.weight"
			if s.memory != 0 {
				hidden, at, embedding = "transformer.layer.1.ff.layer_1.weight", "linear layer.1.ff", "transformer.word_embedding.weight"
			}
			if t := data.TaskOf(s.objective); t != nil && t.Kind.Reads == task.Texts { // a model without a head
				hidden, embedding = strings.TrimPrefix(hidden, "transformer."), strings.TrimPrefix(embedding, "transformer.")
			}
			s.hooks = []Hook{poison(3, hidden)}
			failing(t, s, 2, "step 4: ", "first in micro-batch 0: ", at)
			s.dir, s.hooks = t.TempDir(), []Hook{poison(1, embedding)}
			failing(t, s, 0, "step 2: ", "first in micro-batch 0: ", "embed ")
		})
	})
}

// TestNonFiniteGradient: the loss is finite, the gradient is not, and the weights
// must be as before, or the checked rerun would see others.
func TestNonFiniteGradient(t *testing.T) {
	tr := setup{dir: t.TempDir(), steps: 2}.trainer(t)
	l, err := data.NewLoader(tr.cfg.Data, data.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tr.loader = l
	if err := tr.trainStep(t.Context()); err != nil {
		t.Fatal(err)
	}
	weights := func() []byte {
		var all bytes.Buffer
		for _, x := range append(tr.weights(), tr.moments()...) {
			if err := tr.write(&all, x); err != nil {
				t.Fatal(err)
			}
		}
		return all.Bytes()
	}
	want := weights()
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
		g := []float32{bad}
		if err := tr.net.Memory().Upload(exec.Grad, 64, unsafe.Slice((*byte)(unsafe.Pointer(&g[0])), 4)); err != nil {
			t.Fatal(err)
		}
		_, err := tr.clipAndUpdate()
		if err == nil || !strings.Contains(err.Error(), "the gradient is not finite") || !strings.Contains(err.Error(), "every value finite") {
			t.Errorf("gradient %v: error %v", bad, err)
		}
		if !bytes.Equal(weights(), want) {
			t.Errorf("gradient %v: weights or moments have changed", bad)
		}
	}
}

// A metric that is no number is none, and the checkpoint can be written.
func TestMetricNotFinite(t *testing.T) {
	s := setup{dir: t.TempDir(), steps: 3, saveEvery: 1}
	s.hooks = []Hook{{
		Due: func(int, time.Duration) bool { return true },
		Do: func(_ context.Context, t *Trainer, i StepInfo) error {
			t.SetMetric("score", []float64{0, math.NaN(), 1, math.Inf(1)}[i.Step])
			return nil
		},
	}}
	mustRun(t, s)
	best, err := checkpoint.Best(s.dir, checkpoint.Retention{Metric: "score", HigherIsBetter: true}, nil)
	if err != nil || best == nil || best.Manifest.Step != 2 {
		t.Errorf("best %+v, %v", best, err)
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	objectives(t, func(t *testing.T, s setup) {
		// So many documents that their packing into windows, which allocates, falls outside.
		s.dir, s.steps, s.threads, s.docs = t.TempDir(), 1, 2, newDocuments(3000)
		tr := s.trainer(t)
		l, err := data.NewLoader(tr.cfg.Data, data.Cursor{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		tr.loader = l
		step := func() {
			if err := tr.trainStep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			step()
		}
		most := 0.0
		if s.memory != 0 { // the places of the rows in the corpus, before and after
			most = 2
		}
		if t := data.TaskOf(s.objective); t != nil && t.Kind.Losses != nil { // views of the arenas that vectors and their gradients lie in
			most = 2
		}
		if n := testing.AllocsPerRun(20, step); n >= most+1 {
			t.Errorf("%v allocations a step", n)
		}
	})
}

func TestEmptyCorpus(t *testing.T) {
	s := setup{dir: t.TempDir(), steps: 1, docs: documents{}}
	err := s.trainer(t).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the corpus is empty: 0 records") {
		t.Errorf("error %v", err)
	}
}

// memory is that of f, little-endian.
func memory(f []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), 4*len(f))
}
