package trainer

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/feed"
	"hone/trainer/model"
)

type fields []corpus.Record

func (f fields) Rows() int64                           { return int64(len(f)) }
func (f fields) Record(i int64) (corpus.Record, error) { return f[i], nil }

// ragged are examples of all kinds of task, whose texts have many lengths.
func ragged(n int) (list fields) {
	for i := range n {
		text := strings.Repeat("ab", 1+i%7)
		label := []string{"x", "y", "z"}[i%3]
		list = append(list, corpus.Record{Text: text, Label: label, HasLabel: true, Fields: map[string]any{
			"second": strings.Repeat("c", 1+i*i%11), "value": float64(i%5) - 1.5, "tags": []string{`[]`, `["x"]`, `["y","z"]`}[i%3],
			"words": `["ab","cab"` + strings.Repeat(`,"d"`, i%5) + `]`, "kinds": `["x","y"` + strings.Repeat(`,"z"`, i%5) + `]`,
			"a": strings.Repeat("d", 1+i%3), "b": strings.Repeat("e", 1+i%4), "right": int64(i % 2),
			"passage": strings.Repeat("cde", 1+i*i%29), "answers": []string{`{"text": [], "answer_start": []}`, `{"text": ["c"], "answer_start": [0]}`}[i%2],
		}})
	}
	return list
}

func taskOf(k *task.Kind) *task.Task {
	t := task.Of(k)
	t.Columns.Label, t.Columns.Choices, t.Columns.Answer.Column = "value", []string{"a", "b"}, "second"
	switch k {
	case task.PairClassification, task.Regression:
		t.Columns.Pair.Column = "second"
	case task.MultiLabel:
		t.Columns.Label = "tags"
	case task.TokenLabels:
		t.Columns.Words, t.Columns.Label = "words", "kinds"
	case task.MultipleChoice:
		t.Columns.Label = "right"
	case task.QuestionAnswering:
		t.Columns.Pair.Column, t.Columns.Answer.Column = "passage", "answers"
	}
	return t
}

// One batch of 32 examples, four of 8 with their gradients added, and rows that several examples
// share, have the same loss and the same gradients: the loss is divided by what the whole batch
// predicts, and examples of a row do not see each other.
func TestExactForEveryKind(t *testing.T) {
	tok, err := tokenizer.Train(slices.Values([]string{"abcde"}), tokenizer.TrainOptions{Kind: "byte", Special: []string{"<|endoftext|>", "[PAD]"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	framed, err := tok.Framed("<|endoftext|>", "<|endoftext|>", true)
	if err != nil {
		t.Fatal(err)
	}
	paired, err := tokenizer.Parse(framed)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := paired.PairFrame()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range []string{"bert", "gpt2", "t5"} {
		for _, k := range task.Kinds {
			if testing.Short() && k != task.Classification {
				continue
			}
			if k.Reads == task.Texts { // whose vectors a whole step compares: TestAccumulation
				continue
			}
			if !k.Labelled() || k == task.TextToText && family == "bert" || k == task.MultipleChoice && family != "bert" {
				continue
			}
			t.Run(family+"/"+k.String(), func(t *testing.T) {
				c, err := model.SmallConfig(family)
				if err != nil {
					t.Fatal(err)
				}
				c.VocabSize = tok.Size()
				c.Edit(func(_, f any) {
					switch f := f.(type) {
					case *model.BERT:
						f.HiddenSize, f.NumHiddenLayers, f.NumAttentionHeads, f.IntermediateSize, f.InitializerRange = 16, 2, 2, 24, 0.3
					case *model.GPT2:
						f.NEmbd, f.NLayer, f.NHead, f.InitializerRange = 16, 2, 2, 0.3
					case *model.T5:
						f.DModel, f.DKV, f.DFF, f.NumLayers, f.NumHeads = 16, 8, 24, 2, 2
					}
				})
				if err := c.SetDropout(0, 0); err != nil {
					t.Fatal(err)
				}
				switch c.ProblemType = k.Problem; {
				case k.Classes() || k == task.TokenLabels:
					c.SetLabels([]string{"x", "y", "z"})
				case k == task.Regression:
					c.SetLabels([]string{"LABEL_0"})
				}
				var head model.Head
				for _, h := range model.Heads() {
					if h.String() == k.Head {
						head = h
					}
				}
				const examples, length = 32, 64
				dev, err := cpu.New(cpu.Options{Threads: 2})
				if err != nil {
					t.Fatal(err)
				}
				defer dev.Close()
				net, err := model.NewNetwork(dev, exec.F64, c, model.Options{Head: head, EncoderLength: length})
				if err != nil {
					t.Fatal(err)
				}
				if err := net.Init(3); err != nil {
					t.Fatal(err)
				}
				var plain []float64 // without weights
				batch := examples
				if k.Reads == task.Passage { // a row for each window
					batch = 3 * examples
				}
				ways := []struct{ micro, perRow int }{{batch, 2}, {8, 2}, {batch, 12}}
				if weighs := k.Follows("class_weights") && family == "bert"; weighs {
					ways = append(ways, ways...)
				}
				var first []float64
				for way, rows := range ways {
					perRow := rows.perRow
					if perRow == 2 && k != task.MultipleChoice {
						perRow = 1
					}
					cfg := data.Config{
						Records: ragged(examples), Tokenizer: tok, Objective: data.OfTask(taskOf(k)), Labels: c.Labels(), T: length, BatchSize: batch, MicroBatchSize: rows.micro,
						MaxSeqs: perRow, Epochs: 1, Separator: "<|endoftext|>", Pad: "[PAD]", Pair: pair, Encoder: c.Traits().EncoderDecoder,
					}.WithDefaults()
					if way >= 3 {
						cfg.ClassWeights = []float32{1, 2.5, 0.25}
					}
					if way == 3 {
						plain, first = first, nil
					}
					got := gradient(t, net, cfg, head)
					if way == 3 && slices.Equal(got, plain) {
						t.Error("weights of classes change nothing")
					}
					if first == nil {
						first = got
						continue
					}
					diff, norm := 0.0, 0.0
					for i := range got {
						diff += (got[i] - first[i]) * (got[i] - first[i])
						norm += first[i] * first[i]
					}
					if !(math.Sqrt(diff) <= 1e-6*math.Sqrt(norm)) || norm == 0 {
						t.Errorf("micro-batches of %d rows, %d sequences a row: loss and gradients off by %.3g of their norm", rows.micro, perRow, math.Sqrt(diff/norm))
					}
				}
			})
		}
	}
}

// gradient is the loss of a global batch, and the gradients of all parameters.
func gradient(t *testing.T, net *model.Network, c data.Config, h model.Head) []float64 {
	t.Helper()
	length, _ := c.Lengths()
	x, err := net.Executor(model.Train, c.MicroBatchSize, length, c.Slots())
	if err != nil {
		t.Fatal(err)
	}
	l, err := data.NewLoader(c, data.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := feed.New(net, c.Slots())
	sum := make([]float64, 1+net.Layout().GradBytes()/8)
	seen := 0
	for {
		b, err := l.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen += len(b.Seqs)
		f.Batch(b)
		f.Seed = 1 / float32(b.NumTargets)
		if err := errors.Join(net.Feed(x, &f.Feed), x.Run()); err != nil {
			t.Fatal(err)
		}
		var loss [1]float64
		if err := exec.Read(x, "loss", loss[:]); err != nil {
			t.Fatal(err)
		}
		sum[0] += loss[0] / float64(b.NumTargets)
		grad := make([]byte, net.Layout().GradBytes())
		if err := net.Memory().Download(exec.Grad, 0, grad); err != nil {
			t.Fatal(err)
		}
		for i, g := range unsafe.Slice((*float64)(unsafe.Pointer(&grad[0])), len(grad)/8) {
			sum[1+i] += g
		}
	}
	want := int(c.Records.Rows())
	if windows := data.TaskOf(c.Objective).Kind.Reads == task.Passage && seen > want; !windows && seen != want && seen != 2*want {
		t.Fatalf("%d sequences of %d examples", seen, want)
	}
	return sum
}
