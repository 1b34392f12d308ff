// Package bench measures the limits of this machine and how near a training step comes to them,
// alone or in turns with other programs.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"hone/checkpoint"
	"hone/data"
	"hone/data/corpus"
	"hone/optim"
	"hone/recipes"
	"hone/trainer"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// A Result has the limits of this machine, and how near hone comes to them.
type Result struct {
	Hone      string   `json:"hone"`
	Machine   string   `json:"machine"`
	Device    string   `json:"device"` // kind and kernel set
	Threads   int      `json:"threads"`
	Precision string   `json:"precision"`
	GFLOPS    float64  `json:"peak_gflops"`                // of fused multiply-adds, all threads: the best that was seen
	BF16      float64  `json:"peak_bf16_gflops,omitempty"` // of products of bf16, all threads: the best that was seen
	Bandwidth float64  `json:"bandwidth_gb_s"`             // of reading memory, all threads: the best that was seen
	Matmuls   []Matmul `json:"matmuls,omitempty"`
	Steps     []Step   `json:"steps,omitempty"`
	Families  []Family `json:"families,omitempty"`
	Peers     []Beside `json:"peers,omitempty"`
	Decodes   []Decode `json:"decodes,omitempty"`
	Finetune  *Tuning  `json:"finetune,omitempty"`
	Faults    []string `json:"faults,omitempty"` // of the measurement: shares above 1, which are 0 in their places

	gauge *cpu.Gauge
}

// A Matmul is a matrix product of M×K by K×N, GFLOP/s by layout: NN is x·w, NT is
// x·wᵀ, TN is xᵀ·y. Shares are of the limit measured in turns with it.
type Matmul struct {
	M     int                `json:"m"`
	K     int                `json:"k"`
	N     int                `json:"n"`
	Rates map[string]float64 `json:"gflops"`
	Share map[string]float64 `json:"share_of_limit"`
}

// A Step is the training step of a config, as medians over its steps.
type Step struct {
	Config
	Parameters      int     `json:"parameters"` // N, without positions
	Steps           int     `json:"steps"`      // that were timed
	Milliseconds    float64 `json:"milliseconds"`
	TokensPerSecond float64 `json:"tokens_per_second"`
	Products        float64 `json:"gflop_of_products"` // of a step, attention's full squares included
	GFLOPS          float64 `json:"gflops"`            // by 6N + 12LCT a token, of other families than GPT-2 by their products
	Limit           float64 `json:"limit_gflops"`      // of the products' multiply-adds alone, in turns with the steps: median
	Share           float64 `json:"share_of_limit"`
	DataWait        float64 `json:"data_wait"` // share of the time that steps waited for data
	Ops             []Op    `json:"ops"`
}

// An Op is the part of a step that one kind of instruction takes.
type Op struct {
	Phase        string  `json:"phase"` // forward, backward, update
	Op           string  `json:"op"`
	From         string  `json:"from"` // where in the model, all layers together
	Count        int     `json:"count"`
	Milliseconds float64 `json:"milliseconds"`
	OfStep       float64 `json:"share_of_step"`
	GFLOP        float64 `json:"gflop"` // what cannot be left out: of attention the half that is seen
	MB           float64 `json:"mb"`    // operands, each once
	Limit        string  `json:"limit"` // which binds, in turns with the steps: flops, bytes; or cache, faster than memory
	Share        float64 `json:"share_of_limit"`
}

// Options are what to measure, and how.
type Options struct {
	Configs   []Config
	Seconds   float64 // to spend on the step of a config, about
	Matmuls   bool
	Peers     []Peer
	Threads   int    // 0: one for each core
	Precision string // of matrix products: fp32, bf16
	Say       func(line string)
}

func (o *Options) bf16() bool { return o.Precision == "bf16" }

// Run measures the machine and the training steps of o.Configs. An error is recipes.ErrInput where
// the machine lacks the precision or a peer's interpreter does not run; others are failures.
func Run(ctx context.Context, o Options) (*Result, error) {
	dev, b, err := gauged(o.Threads, o.Precision)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	first := b.turns()
	for range 10 { // what else the machine does can only hide its limits
		first.add(1)
	}
	if o.Matmuls {
		o.Say("bench: matrix products")
		if b.Matmuls, err = measureMatmuls(ctx, dev, b); err != nil {
			return nil, err
		}
	}
	sizes, families := splitFamilies(o.Configs)
	if len(o.Peers) > 0 {
		sizes, families = o.Configs, nil
		if err := b.sayPeers(sizes, o); err != nil {
			return nil, err
		}
	}
	for _, c := range sizes {
		o.Say("bench: the step of " + c.Name)
		if len(o.Peers) > 0 {
			peers, err := measurePeers(ctx, dev, c, b, o)
			if err != nil {
				return nil, err
			}
			b.Peers = append(b.Peers, peers...)
			continue
		}
		s, err := measureStep(ctx, dev, c, b, o.Seconds)
		if err != nil {
			return nil, err
		}
		b.Steps = append(b.Steps, *s)
	}
	if len(families) > 0 {
		if err := measureFamilies(ctx, dev, families, b, o); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// gauged opens the device of a benchmark, and measures what it can do. An error is recipes.ErrInput where the machine lacks
// the precision or the threads.
func gauged(threads int, precision string) (*cpu.Device, *Result, error) {
	if err := cpu.CheckPrecision(precision, ""); err != nil {
		return nil, nil, recipes.Input(fmt.Errorf("bench: precision: %w", err))
	}
	dev, err := cpu.New(cpu.Options{Threads: threads, BF16: precision == "bf16"})
	if err != nil {
		return nil, nil, recipes.Input(err)
	}
	b := newResult(dev, precision)
	if b.gauge, err = dev.Gauge(dev.Threads() * cpu.ReadShare); err != nil {
		dev.Close()
		return nil, nil, fmt.Errorf("bench: %w", err)
	}
	return dev, b, nil
}

func newResult(dev *cpu.Device, precision string) *Result {
	return &Result{Hone: recipes.Version(), Machine: cpu.Machine(), Device: dev.Name(), Threads: dev.Threads(), Precision: precision}
}

// arithmetic describes the peak of the machine.
func (b *Result) arithmetic() string {
	s := fmt.Sprintf("%.0f GFLOP/s of fused multiply-adds", b.GFLOPS)
	if b.BF16 > 0 {
		s += fmt.Sprintf(", %.0f of products of bf16", b.BF16)
	}
	return s
}

// errMeasured ends a training once enough steps are timed, before anything is saved.
var errMeasured = errors.New("measured")

// A point is a step of a training, as its hook sees it.
type point struct {
	t    *trainer.Trainer
	info trainer.StepInfo
}

// timedSteps trains a config as a stage of a recipe does, on batches of made-up text from a
// loader, step by step as they are asked for.
func timedSteps(ctx context.Context, dev *cpu.Device, c Config, bf16 bool) iter.Seq2[point, error] {
	return func(yield func(point, error) bool) {
		err := train(ctx, dev, c, bf16, func(t *trainer.Trainer, i trainer.StepInfo) error {
			if !yield(point{t, i}, nil) {
				return errMeasured
			}
			return nil
		})
		if err != nil {
			yield(point{}, err)
		}
	}
}

// endless is the training of a benchmark.
func endless(rate float64) recipes.Training {
	t := recipes.DefaultTraining()
	t.Steps, t.LearningRate = 1<<20, recipes.Rates{rate}
	return t
}

// train calls each after every step, until it returns errMeasured.
func train(ctx context.Context, dev *cpu.Device, c Config, bf16 bool, each func(t *trainer.Trainer, i trainer.StepInfo) error) error {
	runtime.GC() // the arenas of the config before, which only a collection gives back
	config, err := c.model()
	if err != nil {
		return err
	}
	stage := endless(3e-4)
	opt, err := recipes.NewOptimizer(&recipes.Stage{Training: stage}, 3e-4)
	if err != nil {
		return err
	}
	net, err := model.NewNetwork(dev, exec.F32, config, model.Options{
		EncoderLength: c.T,
		BF16:          bf16,
		State:         func(l *exec.Layout) int { return trainer.StateBytes(l, opt, 1) },
	})
	if err != nil {
		return err
	}
	if err := net.Init(1); err != nil {
		return err
	}
	read := data.Config{
		Records: &text{c}, Tokenizer: words{c}, Separator: recipes.EndOfText, Mask: recipes.Mask,
		T: c.T, BatchSize: c.B, MicroBatchSize: c.B, Seed: 1, Shuffle: true, Objective: c.objective(),
	}
	return trainOn(ctx, net, opt, stage, read, each)
}

// trainOn trains a network as a stage of a recipe does, at a constant rate.
func trainOn(ctx context.Context, net *model.Network, opt *optim.Optimizer, stage recipes.Training, read data.Config, each func(t *trainer.Trainer, i trainer.StepInfo) error) error {
	schedule, err := optim.NewSchedule(optim.ScheduleConfig{Kind: "constant", LR: stage.LearningRate[0], Steps: stage.Steps})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hone-bench-")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	t, err := trainer.New(net, opt, trainer.Config{
		Dir: dir, Steps: stage.Steps, Seed: 1, Data: read.WithDefaults(),
		Schedule: schedule, MaxGradNorm: stage.MaxGradNorm,
		SaveDue:  func(int, time.Duration) bool { return false },
		Manifest: checkpoint.Manifest{Hone: recipes.Version(), Stage: "bench"},
		Say:      func(string) {},
		Hooks: []trainer.Hook{{
			Due: func(int, time.Duration) bool { return true },
			Do: func(_ context.Context, t *trainer.Trainer, i trainer.StepInfo) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return each(t, i)
			},
		}},
	})
	if err != nil {
		return err
	}
	if err := t.Run(ctx); !errors.Is(err, errMeasured) {
		return err
	}
	return nil
}

// text is made-up text: characters drawn uniformly from the alphabet, in documents that fill four
// rows, so that every row is one sequence.
type text struct{ c Config }

func (b *text) Rows() int64 { return 1 << 16 }

func (b *text) Record(i int64) (corpus.Record, error) {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	text := make([]byte, 0, 12*b.c.T)
	for range 4*b.c.T - 1 {
		text = utf8.AppendRune(text, firstRune+rune(r.IntN(b.c.alphabet())))
	}
	return corpus.Record{Text: string(text)}, nil
}

// words is a tokenizer with a token for each character of the alphabet, and the special tokens of
// a config's objective.
type words struct{ c Config }

// firstRune is the character of token 0: those of a vocabulary of 50,257 all lie below the
// surrogates.
const firstRune = 0x100

func (t words) Encode(dst []int32, text string) []int32 {
	for _, r := range text {
		dst = append(dst, r-firstRune)
	}
	return dst
}

func (t words) Decode(ids []int32) string {
	var text []byte
	for _, id := range ids {
		text = utf8.AppendRune(text, firstRune+id)
	}
	return string(text)
}

func (t words) Special(name string) (int32, bool) {
	k := slices.Index(t.c.specials(), name)
	return int32(t.c.V - 1 - k), k >= 0
}

func (t words) Size() int { return t.c.V }

// warmUp is the number of steps that are not timed.
const warmUp = 2

// A meter times the steps of a training, and their instructions.
type meter struct {
	config        Config
	params        int
	products      float64 // FLOPs of a step's matrix products
	steps         []float64
	total, waited float64 // seconds
	ops           []*ops
}

// add notes a step, unless it is one of the first, which warm up.
func (m *meter) add(p point) {
	if p.info.Step <= warmUp {
		// Instructions are timed within the timed steps: reading the clock twice for each
		// takes no time beside them.
		if p.info.Step == warmUp {
			m.params = m.config.params(p.t.Network().Layout())
			for _, x := range p.t.Executors() {
				m.ops = append(m.ops, watchOps(x))
				m.products += x.Program().FLOPs()
			}
		}
		return
	}
	m.steps = append(m.steps, p.info.Seconds)
	m.total, m.waited = m.total+p.info.Seconds, m.waited+p.info.DataWait
}

// result gives the step that was measured, beside the limits measured in turns with it.
func (m *meter) result(b *Result, turns *turns) *Step {
	ofSteps, ofOps := turns.limits()
	took := median(m.steps)
	out := &Step{Config: m.config, Parameters: m.params, Steps: len(m.steps), Milliseconds: 1e3 * took}
	out.Products = m.products / 1e9
	out.TokensPerSecond = float64(m.config.tokens()) / took
	out.GFLOPS = m.config.flops(m.params, m.products) / 1e9 / took
	out.Limit = b.products(ofSteps)
	out.Share = b.share("the step of "+m.config.Name, out.GFLOPS, out.Limit)
	out.DataWait = m.waited / m.total
	between := slices.Clone(m.steps)
	for _, o := range m.ops {
		for _, took := range o.took {
			for k := range between { // a run of a program each step
				between[k] -= took[k]
			}
		}
		for _, line := range o.lines(m.config.Name, m.config.seen, b, ofOps) {
			line.OfStep = line.Milliseconds / out.Milliseconds
			out.Ops = append(out.Ops, line)
		}
	}
	left := median(between)
	out.Ops = append(out.Ops, Op{Phase: "between", From: "loader, feed, read-out", Milliseconds: 1e3 * left, OfStep: left / took})
	return out
}

// measureStep times the step of a config, and its instructions.
func measureStep(ctx context.Context, dev *cpu.Device, c Config, b *Result, seconds float64) (*Step, error) {
	m := meter{config: c}
	turns := b.turns()
	began := time.Now()
	for p, err := range timedSteps(ctx, dev, c, b.Precision == "bf16") {
		if err != nil {
			return nil, err
		}
		m.add(p)
		turns.add(p.info.Seconds)
		if spent := time.Since(began).Seconds(); len(m.steps) >= 5 && spent > seconds || len(m.steps) >= 3 && spent > 1.5*seconds {
			break
		}
	}
	return m.result(b, turns), nil
}

// ops has the times of each instruction of a program, run by run.
type ops struct {
	p    *exec.Program
	took [][]float64 // seconds, of each instruction
}

func watchOps(x *exec.Executor) *ops {
	o := &ops{p: x.Program(), took: make([][]float64, len(x.Program().Instrs))}
	for i := range o.took {
		o.took[i] = make([]float64, 0, 1<<10) // so that a step does not allocate
	}
	x.Profile(func(i int, took time.Duration) { o.took[i] = append(o.took[i], took.Seconds()) })
	return o
}

// lines adds up the instructions of each kind, in the order of the program. seen is the share of
// attention's square that an instruction of a scope has to compute.
func (o *ops) lines(name string, seen func(scope string) float64, b *Result, limits cpu.Limits) []Op {
	type key struct{ phase, op, from string }
	at := map[key]int{}
	var list []Op
	var least []float64 // seconds that the limits leave it
	var flops []float64 // of these, how many for arithmetic
	phase := "update"
	loss, isTraining := o.p.Named["loss"]
	if isTraining {
		phase = "forward"
	}
	for i := range o.p.Instrs {
		in := &o.p.Instrs[i]
		k := key{phase, in.Op.String(), layerNumber.ReplaceAllString(in.Note, ".*.")}
		if phase == "update" {
			k.from = ""
		}
		n, ok := at[k]
		if !ok {
			n = len(list)
			at[k] = n
			list = append(list, Op{Phase: k.phase, Op: k.op, From: k.from})
			least, flops = append(least, 0), append(flops, 0)
		}
		f, bytes := o.p.Cost(i)
		if in.Op == exec.OpAttention || in.Op == exec.OpAttentionGrad {
			f *= seen(in.Note)
		}
		l := &list[n]
		l.Count++
		l.Milliseconds += 1e3 * median(o.took[i])
		l.GFLOP += f / 1e9
		l.MB += bytes / 1e6
		rate := limits.GFLOPS
		if in.Attrs.BF16 {
			rate = limits.BF16
		}
		arithmetic, memory := f/(1e9*rate), bytes/(1e9*limits.Bandwidth)
		least[n] += max(arithmetic, memory)
		if arithmetic > memory {
			flops[n] += arithmetic
		}
		if isTraining && slices.Contains(in.Out, loss) {
			phase = "backward"
		}
	}
	for n := range list {
		l := &list[n]
		share := 1e3 * least[n] / l.Milliseconds
		switch {
		case flops[n] > least[n]/2:
			l.Limit = "flops"
			l.Share = b.share(strings.TrimSpace(fmt.Sprintf("%s of %s, %s %s", l.Op, name, l.Phase, l.From)), 1e3*l.GFLOP/l.Milliseconds, l.GFLOP/least[n])
		case share > 1:
			l.Limit = "cache"
		default:
			l.Limit, l.Share = "bytes", share
		}
	}
	return list
}

// layerNumber matches the number of a layer, in which the notes of instructions differ: "h.3.attn".
var layerNumber = regexp.MustCompile(`\.[0-9]+\.`)

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n == 0 {
		return 0
	}
	return (v[n/2] + v[(n-1)/2]) / 2
}

// matmulShapes are products of the standard configs, and a small product: M, K, N.
var matmulShapes = [][3]int{
	{256, 256, 256},
	{768, 128, 512},
	{8192, 384, 1152}, {8192, 384, 384}, {8192, 384, 1536}, {8192, 1536, 384},
	{4096, 512, 2048}, {4096, 512, 8192},
	{1024, 768, 3072}, {1024, 768, 50257},
}

// measureMatmuls times products by the instructions that training runs.
func measureMatmuls(ctx context.Context, dev *cpu.Device, of *Result) ([]Matmul, error) {
	var list []Matmul
	for _, s := range matmulShapes {
		m, k, n := s[0], s[1], s[2]
		row := Matmul{M: m, K: k, N: n, Rates: map[string]float64{}, Share: map[string]float64{}}
		for _, layout := range []string{"NN", "NT", "TN"} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			b := exec.NewBuilder(layout)
			var in, out []exec.ID
			op := exec.OpLinear
			switch layout {
			case "NN":
				in = []exec.ID{b.Input("a", exec.F32, m, k), b.Input("b", exec.F32, k, n), exec.None}
			case "NT":
				in = []exec.ID{b.Input("a", exec.F32, m, k), b.Input("b", exec.F32, n, k), exec.None}
			case "TN":
				in = []exec.ID{b.Input("a", exec.F32, k, m), b.Input("b", exec.F32, k, n)}
				op = exec.OpLinearGradW
			}
			out = []exec.ID{b.Scratch("c", exec.F32, m, n)}
			b.Emit(op, in, out, exec.Attrs{Transposed: layout != "NT", BF16: of.Precision == "bf16"}, "")
			b.Output("c", out[0])
			turns := of.turns()
			took, err := timeProgram(dev, b, turns)
			if err != nil {
				return nil, err
			}
			row.Rates[layout] = 2 * float64(m) * float64(k) * float64(n) / took / 1e9
			_, limits := turns.limits()
			row.Share[layout] = of.share(fmt.Sprintf("the product %s of %d×%d×%d", layout, m, k, n), row.Rates[layout], of.products(limits))
		}
		list = append(list, row)
	}
	return list, nil
}

// timeProgram is the median time of at least 3 runs of a program, in about 0.1 s, in turns with
// the limits.
func timeProgram(dev *cpu.Device, b *exec.Builder, turns *turns) (seconds float64, err error) {
	p, err := b.Program()
	if err != nil {
		return 0, err
	}
	mem := exec.NewMemory(dev, 0, 0, 0)
	x, err := exec.NewExecutor(mem, p)
	if err != nil {
		return 0, err
	}
	for _, name := range []string{"a", "b"} { // a page that is never written is one page of zeros
		v := make([]float32, p.Values[p.Named[name]].Elems())
		for i := range v {
			v[i] = float32(i%13) - 6
		}
		if err := exec.Feed(x, name, v); err != nil {
			return 0, err
		}
	}
	var took []float64
	for began := time.Now(); len(took) < 4 || time.Since(began) < 100*time.Millisecond && len(took) < 1<<12; {
		start := time.Now()
		if err := x.Run(); err != nil {
			return 0, err
		}
		if err := dev.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start).Seconds())
		turns.add(took[len(took)-1])
	}
	runtime.GC() // gives the arenas back
	return median(took[1:]), nil
}

// printOps writes the operations of a step as a table.
func printOps(w io.Writer, list []Op) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "phase\top\tfrom\tcount\tms\t% of step\tGFLOP\tMB\tlimit\t% of it")
	for _, o := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%.2f\t%.1f\t%.2f\t%.1f\t%s\t", o.Phase, o.Op, o.From, o.Count, o.Milliseconds, 100*o.OfStep, o.GFLOP, o.MB, o.Limit)
		if o.Limit != "" {
			fmt.Fprint(t, percent(o.Share, 0))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// Print writes the result as tables.
func (b *Result) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n%s, %d threads: %s, %.1f GB/s of reading memory\n", b.Machine, b.Device, b.Threads, b.arithmetic(), b.Bandwidth)
	fmt.Fprintln(w, "these are the best values; the shares below are of the limits measured in turns with each thing")
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	if len(b.Matmuls) > 0 {
		fmt.Fprintln(t, "\nmatmul, GFLOP/s\tM\tK\tN\tNN\t%\tNT\t%\tTN\t%\t")
		for _, m := range b.Matmuls {
			fmt.Fprintf(t, "\t%d\t%d\t%d\t", m.M, m.K, m.N)
			for _, l := range []string{"NN", "NT", "TN"} {
				fmt.Fprintf(t, "%.0f\t%s\t", m.Rates[l], percent(m.Share[l], 0))
			}
			fmt.Fprintln(t)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, s := range b.Steps {
		fmt.Fprintf(w, "\n%s: %s %d layers of %d, T=%d B=%d V=%d, %.3g M parameters without positions\n",
			s.Name, s.Family, s.Layers, s.Dim, s.T, s.B, s.V, float64(s.Parameters)/1e6)
		fmt.Fprintf(w, "%.1f ms a step (median of %d), %.0f tokens/s, %.1f GFLOP/s, %s %% of the %.0f measured in turns with the steps; %.2f %% waiting for data\n",
			s.Milliseconds, s.Steps, s.TokensPerSecond, s.GFLOPS, percent(s.Share, 1), s.Limit, 100*s.DataWait)
		if err := printOps(w, s.Ops); err != nil {
			return err
		}
	}
	if len(b.Families) > 0 {
		fmt.Fprintln(w)
		if err := b.printFamilies(w); err != nil {
			return err
		}
	}
	if len(b.Peers) > 0 {
		fmt.Fprintln(w)
		if err := b.printPeers(w); err != nil {
			return err
		}
	}
	if err := b.printDecodes(w); err != nil {
		return err
	}
	if b.Finetune != nil {
		if err := b.printFinetune(w); err != nil {
			return err
		}
	}
	return b.printFaults(w)
}
