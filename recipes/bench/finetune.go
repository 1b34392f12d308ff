package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"hone/checkpoint"
	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/optim"
	"hone/recipes"
	"hone/trainer"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// FinetuneOptions say what fine-tuning to measure.
type FinetuneOptions struct {
	Model     string // directory of a checkpoint of an encoder
	Name      string // of the model, as it is shown
	File      string // texts with labels; "": random tokens in the lengths of SST-2
	Text      string // column of the text; "": text or sentence
	Cache     string // for conversions of File
	Against   *Peer  // transformers; nil: none
	Seconds   float64
	Threads   int
	Precision string // of matrix products: fp32, bf16
	Say       func(line string)
}

// A Tuning is how fast a classifier is fine-tuned, all of its weights, alone or in turns with a peer.
type Tuning struct {
	Model     string  `json:"model"`
	Texts     string  `json:"texts"`     // which documents
	Documents int     `json:"documents"` // of them
	Tokens    float64 `json:"tokens_per_document"`
	Length    int     `json:"sequence_length"`
	Rows      int     `json:"batch_size"`
	Programs  []Tuned `json:"programs"` // hone first
	Ops       []Op    `json:"ops"`      // of hone's step
}

// A Tuned is one program that fine-tunes.
type Tuned struct {
	Name            string    `json:"program"`
	Version         string    `json:"version"`
	Steps           int       `json:"steps"`
	Sequences       float64   `json:"sequences_per_step"`
	Milliseconds    float64   `json:"milliseconds"`             // of a step
	TokensPerSecond float64   `json:"useful_tokens_per_second"` // padding not counted: median of the turns
	Limit           float64   `json:"limit_gflops"`             // of the products' multiply-adds alone, in turns with the steps: median
	Share           float64   `json:"share_of_limit"`           // by the products of useful tokens
	Ratio           float64   `json:"hone_over_it"`
	PeakMemory      int64     `json:"peak_memory"` // of the process, in bytes
	FirstLoss       float64   `json:"first_loss"`  // before training, of the documents of hone's first step
	Loss            float64   `json:"loss"`        // mean of the timed steps
	Turns           []float64 `json:"turns"`       // useful tokens/s of each

	losses, seconds []float64
}

// sst2Lengths are the numbers of sentences of SST-2's training split by their tokens in BERT's uncased vocabulary, [CLS]
// and [SEP] counted: 12 of three, 43 of four, …
var sst2Lengths = []int{
	12, 43, 66, 86, 128, 135, 157, 173, 193, 210, 202, 205, 206, 235, 237, 259, 248, 220, 233, 245, 241, 222, 242, 230, 205, 198, 191, 163, 187, 155, 150, 143,
	132, 113, 103, 82, 86, 94, 79, 62, 50, 46, 51, 19, 28, 22, 22, 18, 19, 21, 14, 11, 9, 3, 2, 2, 5, 0, 2, 0, 0, 1, 1, 2, 1,
}

const (
	tuningSequences = 32 // of a step, about, as hone finetune has
	tuningRate      = 5e-5
	tuningWarmUp    = 8 // steps that are not timed: a compiler meets several lengths
)

// labelled are documents that are tokens already, with what stands around them.
type labelled struct {
	ids     [][]int32
	classes []int
	labels  []string
	pad     int32
	size    int // of the vocabulary
}

func (l *labelled) Rows() int64 { return int64(len(l.ids)) }
func (l *labelled) Record(i int64) (corpus.Record, error) {
	return corpus.Record{IDs: l.ids[i], Label: l.labels[l.classes[i]], HasLabel: true}, nil
}

// A labelled is the tokenizer of its documents too, which encodes nothing.
func (l *labelled) Encode(dst []int32, _ string) []int32    { return dst }
func (l *labelled) Decode([]int32) string                   { return "" }
func (l *labelled) Special(name string) (id int32, ok bool) { return l.pad, name == padding }
func (l *labelled) Size() int                               { return l.size }
func (l *labelled) add(ids []int32, class int) {
	l.ids, l.classes = append(l.ids, ids), append(l.classes, class)
}

const padding = "[PAD]"

// RunFinetune measures the fine-tuning of a classifier. An error is recipes.ErrInput where the model, the texts or the
// peer's interpreter do not do.
func RunFinetune(ctx context.Context, o FinetuneOptions) (_ *Result, err error) {
	dev, b, err := gauged(o.Threads, o.Precision)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	base, err := checkpoint.Open(pretrained.Dir(o.Model))
	if err != nil {
		return nil, recipes.Input(err)
	}
	docs, texts, err := documents(ctx, base, o)
	if err != nil {
		return nil, err
	}
	t := &Tuning{Model: o.Name, Texts: texts, Documents: len(docs.ids)}
	longest := 0
	for _, ids := range docs.ids {
		longest = max(longest, len(ids))
		t.Tokens += float64(len(ids)) / float64(len(docs.ids))
	}
	for t.Length = 32; t.Length < longest; t.Length *= 2 {
	}
	t.Rows = max(1, int(math.Round(tuningSequences*t.Tokens/float64(t.Length))))
	read := data.Config{
		Records: docs, Tokenizer: docs, Bare: true, Pad: padding, Objective: data.Labelled(task.Classification), Labels: docs.labels,
		T: t.Length, BatchSize: t.Rows, MicroBatchSize: t.Rows, Seed: 1, Shuffle: true,
	}.WithDefaults()
	begin, err := survey(ctx, read)
	if err != nil {
		return nil, err
	}
	stage := endless(tuningRate)
	stage.Precision = o.Precision
	opt, err := recipes.NewOptimizer(&recipes.Stage{Training: stage}, tuningRate)
	if err != nil {
		return nil, err
	}
	net, fresh, err := classifier(dev, base, docs.labels, model.Options{
		BF16: stage.BF16(), State: func(l *exec.Layout) int { return trainer.StateBytes(l, opt, 1) },
	})
	if err != nil {
		return nil, err
	}
	t.Programs = []Tuned{{Name: "hone", Version: "hone " + recipes.Version(), Sequences: begin.sequences}}
	var others []*process
	if o.Against != nil {
		dir, err := os.MkdirTemp("", "hone-bench-")
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		defer os.RemoveAll(dir)
		defer func() {
			for _, p := range others {
				err = errors.Join(err, p.close())
			}
		}()
		for _, compile := range []bool{false, true} {
			p := &process{name: o.Against.Name}
			if compile {
				p.name += " compiled"
			}
			o.Say("bench: starting " + p.name)
			path := filepath.Join(dir, fmt.Sprintf("%v.json", compile))
			err := writeJSON(path, map[string]any{
				"model": base.Dir, "labels": len(docs.labels), "fresh": fresh, "documents": docs.ids, "classes": docs.classes, "first": begin.first, "pad": docs.pad,
				"batch": int(math.Round(begin.sequences)), "threads": dev.Threads(), "bf16": stage.BF16(), "compile": compile, "warm": tuningWarmUp, "output": dir,
				"rate": tuningRate, "decay": stage.WeightDecay, "beta1": stage.AdamBeta1, "beta2": stage.AdamBeta2, "epsilon": stage.AdamEpsilon,
			})
			if err != nil {
				return nil, err
			}
			if err := p.start(ctx, o.Against.Python, finetuneScript, map[string]string{"path": path}); err != nil {
				return nil, err
			}
			others = append(others, p)
			t.Programs = append(t.Programs, Tuned{Name: p.name, Version: p.version, Sequences: math.Round(begin.sequences), FirstLoss: p.loss})
		}
	}
	o.Say("bench: taking turns")
	return b, b.finetune(ctx, t, net, opt, stage, read, begin, others, o)
}

func writeJSON(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// documents reads texts, or draws tokens at random.
func documents(ctx context.Context, base *checkpoint.Checkpoint, o FinetuneOptions) (docs *labelled, texts string, err error) {
	tok, err := tokenizer.Open(filepath.Join(base.Dir, checkpoint.TokenizerFile))
	if err != nil {
		return nil, "", recipes.Input(err)
	}
	docs = &labelled{size: tok.Size()}
	pad, ok := tok.Special(padding)
	if !ok {
		return nil, "", recipes.Input(fmt.Errorf("bench: %s has no token %s: --config finetune is for encoders in the manner of BERT", base.Dir, padding))
	}
	docs.pad = pad
	if o.File == "" {
		docs.labels = []string{"negative", "positive"}
		frame, err := framed(tok, "")
		if err == nil && len(frame) != 2 {
			err = fmt.Errorf("bench: the tokenizer of %s sets %d tokens around a text: want one on each side", base.Dir, len(frame))
		}
		if err != nil {
			return nil, "", recipes.Input(err)
		}
		r := rand.New(rand.NewPCG(1, 1))
		for n, count := range sst2Lengths {
			for range count {
				ids := []int32{frame[0]}
				for range n + 1 { // the shortest have three with their frame
					ids = append(ids, int32(r.IntN(docs.size)))
				}
				docs.add(append(ids, frame[1]), r.IntN(2))
			}
		}
		return docs, "random tokens in the lengths of SST-2's training split", nil
	}
	spec := corpus.Spec{From: o.File, Text: o.Text, Say: o.Say}
	c, err := corpus.Prepare(ctx, spec, o.Cache, nil)
	if err != nil {
		return nil, "", recipes.Input(err)
	}
	defer c.Close()
	docs.labels = c.Labels
	if c.Train == nil || len(c.Labels) < 2 {
		return nil, "", recipes.Input(fmt.Errorf("bench: %s has no texts with labels in a split train", o.File))
	}
	for i := range c.Train.Rows() {
		r, err := c.Train.Record(i)
		if err != nil {
			return nil, "", recipes.Input(err)
		}
		ids, err := framed(tok, r.Text)
		if err != nil {
			return nil, "", recipes.Input(err)
		}
		if class := slices.Index(docs.labels, r.Label); class >= 0 {
			docs.add(ids, class)
		}
	}
	return docs, o.File, nil
}

// framed are the tokens of a text with what stands around it, without the padding that a tokenizer may add.
func framed(tok *tokenizer.Pipeline, text string) (ids []int32, err error) {
	e, err := tok.Tokenize(text, true)
	for i, id := range e.IDs {
		if !e.Padding[i] {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// A beginning is what the first steps of hone's order read.
type beginning struct {
	first     []int64 // documents of the first step
	sequences float64 // of a step, on average
	seen      float64 // share of the squares of rows that attention has to compute
}

func survey(ctx context.Context, read data.Config) (*beginning, error) {
	l, err := data.NewLoader(read, data.Cursor{})
	if err != nil {
		return nil, recipes.Input(err)
	}
	defer l.Close()
	out := &beginning{}
	const steps = 100
	for k := range steps {
		b, err := l.Next(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range b.Seqs {
			if k == 0 {
				out.first = append(out.first, s.Doc)
			}
			n := float64(s.Last-s.First+1) / float64(read.T)
			out.seen += n * n / float64(read.BatchSize) / steps
		}
		out.sequences += float64(len(b.Seqs)) / steps
	}
	return out, nil
}

// classifier makes the network of a classifier, and gives the weights that the checkpoint lacks.
func classifier(dev exec.Device, base *checkpoint.Checkpoint, labels []string, o model.Options) (*model.Network, map[string][]float32, error) {
	text, err := base.File(checkpoint.ConfigFile)
	if err != nil {
		return nil, nil, recipes.Input(err)
	}
	c, err := model.ReadConfig(strings.NewReader(string(text)))
	if err != nil {
		return nil, nil, recipes.Input(err)
	}
	head, err := c.Head()
	if err == nil {
		err = c.SetDropout(0, 0)
	}
	if err != nil {
		return nil, nil, recipes.Input(err)
	}
	c.SetLabels(labels)
	o.Head = model.Classifier
	net, err := model.NewNetwork(dev, exec.F32, c, o)
	if err != nil {
		return nil, nil, recipes.Input(err)
	}
	if err := net.Init(1); err != nil {
		return nil, nil, err
	}
	load := pretrained.Load
	if head == model.Classifier {
		load = pretrained.LoadBody
	}
	names, err := load(net, base)
	if err != nil {
		return nil, nil, recipes.Input(err)
	}
	fresh := map[string][]float32{}
	for _, name := range names {
		p, ok := net.Layout().Param(name)
		if !ok {
			return nil, nil, fmt.Errorf("bench: no parameter %s", name)
		}
		fresh[name] = make([]float32, p.Elems)
		if err := net.Weight(name, fresh[name]); err != nil {
			return nil, nil, err
		}
	}
	return net, fresh, nil
}

// finetune takes turns with the peers.
func (b *Result) finetune(ctx context.Context, t *Tuning, net *model.Network, opt *optim.Optimizer, stage recipes.Training, read data.Config, begin *beginning, others []*process, o FinetuneOptions) error {
	b.Finetune = t
	own := &t.Programs[0]
	turns := b.turns()
	var watched []*ops
	var perToken float64 // FLOPs of products
	var before, tokens int64
	var turn int
	err := trainOn(ctx, net, opt, stage, read, func(tr *trainer.Trainer, i trainer.StepInfo) error {
		defer func() { before = i.Tokens }()
		if i.Step == 1 {
			own.FirstLoss = i.Loss
		}
		if i.Step <= tuningWarmUp {
			if i.Step == tuningWarmUp {
				turn = turnSteps(o.Seconds, i.Seconds)
				for _, x := range tr.Executors() {
					watched = append(watched, watchOps(x))
					perToken += linear(x.Program()) / float64(read.BatchSize*read.T)
				}
			}
			return nil
		}
		own.seconds, own.losses = append(own.seconds, i.Seconds), append(own.losses, i.Loss)
		tokens += i.Tokens - before
		turns.add(i.Seconds)
		if len(own.seconds)%turn != 0 {
			return nil
		}
		own.turn(turn, tokens)
		own.PeakMemory = cpu.PeakMemory()
		tokens = 0
		for k, p := range others {
			var did struct {
				Seconds, Losses []float64
				Tokens          []int64
				Peak            int64
			}
			if err := p.put(fmt.Sprint(turn), &did); err != nil {
				return err
			}
			if len(did.Seconds) != turn || len(did.Tokens) != turn || len(did.Losses) != turn {
				return fmt.Errorf("bench: %s: %d times for %d steps", p.name, len(did.Seconds), turn)
			}
			other := &t.Programs[k+1]
			other.seconds, other.losses, other.PeakMemory = append(other.seconds, did.Seconds...), append(other.losses, did.Losses...), did.Peak
			sum := int64(0)
			for j, n := range did.Tokens {
				sum += n
				turns.add(did.Seconds[j])
			}
			other.turn(turn, sum)
		}
		o.Say(fmt.Sprintf("bench: turn %d of %d", len(own.Turns), rounds))
		if len(own.Turns) == rounds {
			return errMeasured
		}
		return nil
	})
	if err != nil {
		return err
	}
	ofSteps, ofOps := turns.limits()
	for k := range t.Programs {
		p := &t.Programs[k]
		p.Steps, p.Milliseconds, p.TokensPerSecond = len(p.seconds), 1e3*median(p.seconds), median(p.Turns)
		for _, l := range p.losses {
			p.Loss += l / float64(len(p.losses))
		}
		p.Limit = b.products(ofSteps)
		p.Share = b.share("fine-tuning in "+p.Name, perToken*p.TokensPerSecond/1e9, p.Limit)
		p.Ratio = own.TokensPerSecond / p.TokensPerSecond
	}
	for _, w := range watched {
		for _, line := range w.lines("fine-tuning", func(string) float64 { return begin.seen }, b, ofOps) {
			line.OfStep = line.Milliseconds / own.Milliseconds
			t.Ops = append(t.Ops, line)
		}
	}
	return nil
}

// turn notes the rate of the last steps.
func (p *Tuned) turn(steps int, tokens int64) {
	took := 0.0
	for _, s := range p.seconds[len(p.seconds)-steps:] {
		took += s
	}
	p.Turns = append(p.Turns, float64(tokens)/took)
}

// linear is the number of FLOPs of a program's products with weights.
func linear(p *exec.Program) (flops float64) {
	for i := range p.Instrs {
		switch p.Instrs[i].Op {
		case exec.OpLinear, exec.OpLinearGradX, exec.OpLinearGradW:
			f, _ := p.Cost(i)
			flops += f
		}
	}
	return flops
}

func (b *Result) printFinetune(w io.Writer) error {
	f := b.Finetune
	fmt.Fprintf(w, "\nfine-tuning %s, all of it, in %s: %d documents of %.1f tokens on average (%s); hone packs them into %d rows of %d a step\n",
		f.Model, b.Precision, f.Documents, f.Tokens, f.Texts, f.Rows, f.Length)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "program\tsteps\tsequences a step\tms a step\tuseful tokens/s\t% of multiply-adds\thone ÷ it\tpeak memory, MB\tloss before\tin these steps\t")
	for _, p := range f.Programs {
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.0f\t%s\t%.2f\t%.0f\t%.5f\t%.3f\t\n", p.Name, p.Steps, p.Sequences, p.Milliseconds, p.TokensPerSecond, percent(p.Share, 0), p.Ratio, float64(p.PeakMemory)/1e6, p.FirstLoss, p.Loss)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "medians of %d turns; padding does not count; the share is of the products of useful tokens%s\n\n", rounds, f.beside())
	return printOps(w, f.Ops)
}

// beside names the peers' versions, with a separator.
func (t *Tuning) beside() string {
	if len(t.Programs) == 1 {
		return ""
	}
	return "; " + t.Programs[1].Version
}

// markdownFinetune writes the comparison as a table of one line for each program.
func (b *Result) markdownFinetune(w io.Writer) error {
	f := b.Finetune
	fmt.Fprintf(w, "| fine-tuning %s, %s | useful tokens/s | hone ÷ it | peak memory, MB | loss before | mean loss | share of the multiply-adds |\n|---|---:|---:|---:|---:|---:|---:|\n", f.Model, b.Precision)
	for _, p := range f.Programs {
		fmt.Fprintf(w, "| %s | %s | %.2f | %.0f | %.5f | %.3f | %s %% |\n", p.Name, recipes.Thousands(p.TokensPerSecond), p.Ratio, float64(p.PeakMemory)/1e6, p.FirstLoss, p.Loss, percent(p.Share, 0))
	}
	fmt.Fprintf(w, "\nMedians of %d turns on one machine, %.1f sequences a step, of %.1f tokens on average (%s): %s; %s, %d threads, %s%s.\n",
		rounds, f.Programs[0].Sequences, f.Tokens, f.Texts, b.Machine, b.Device, b.Threads, b.arithmetic(), f.beside())
	return b.printFaults(w)
}
