package bench

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"hone/checkpoint/float"
	"hone/checkpoint/gguf"
	"hone/recipes"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// DecodeTypes are the types of weights that decoding is measured with. With +int8 behind it, products with quantised
// weights round their rows to 8 bits.
var DecodeTypes = []string{"f32", "bf16", "f16", "q8_0", "q4_0", "q8_0+int8", "q4_0+int8"}

// DecodeOptions say what decoding to measure.
type DecodeOptions struct {
	Model   string   // directory of a checkpoint; "": random weights in the shape of SmolLM2-135M
	Types   []string // of weights: some of DecodeTypes
	Against *Peer    // llama; nil: none
	// Export writes the model to a GGUF file of a type, for the peer, and gives its path.
	Export  func(dtype string) (path string, err error)
	Threads int
	Say     func(line string)
}

// A Decode is how fast a model reads and writes with one type of weights.
type Decode struct {
	Model string `json:"model"`
	Type  string `json:"type"`
	Bytes int    `json:"bytes"` // of the weights
	// Bandwidth is that of reading as many bytes, measured in turns: where processors share a large cache, a small model
	// comes faster.
	Bandwidth float64   `json:"bandwidth_gb_s"`
	Reads     []Reading `json:"reads"`
	Version   string    `json:"peer_version,omitempty"`
	Ops       []Op      `json:"ops"` // of a token of one sequence
}

// A Reading is one program at work, alone or in turns with a peer.
type Reading struct {
	Name      string  `json:"name"`
	Sequences int     `json:"sequences"`
	Tokens    int     `json:"tokens"`   // of each, read at a time
	Position  int     `json:"position"` // of the first
	Rate      float64 `json:"tokens_per_second"`
	Limit     float64 `json:"limit"` // in tokens/s, of what binds, measured in turns
	Binds     string  `json:"binds"` // bytes or flops
	Share     float64 `json:"share_of_limit"`
	Peer      float64 `json:"peer_tokens_per_second,omitempty"`
	Ratio     float64 `json:"hone_over_peer,omitempty"`
}

// readings are what is measured. Each token of a decoding sequence is a step of its own.
var readings = []Reading{
	{Name: "1 sequence", Sequences: 1, Tokens: 1, Position: 128},
	{Name: "1 sequence, behind 1,000", Sequences: 1, Tokens: 1, Position: 1000},
	{Name: "8 sequences", Sequences: 8, Tokens: 1, Position: 128},
	{Name: "a prompt of 512", Sequences: 1, Tokens: 512},
}

const (
	decodeContext = 1024 // tokens that the caches hold
	decodeSteps   = 16   // of a turn
	decodeTurns   = 3
)

// RunDecode measures how fast a model reads and writes.
func RunDecode(ctx context.Context, o DecodeOptions) (*Result, error) {
	for _, t := range o.Types {
		if !slices.Contains(DecodeTypes, t) {
			return nil, recipes.Input(fmt.Errorf("bench: weights of type %q are not known; known are %s", t, strings.Join(DecodeTypes, ", ")))
		}
	}
	dev, err := cpu.New(cpu.Options{Threads: o.Threads})
	if err != nil {
		return nil, recipes.Input(err)
	}
	defer dev.Close()
	b := newResult(dev, "fp32")
	source, err := weightsOf(dev, o.Model)
	if err != nil {
		return nil, err
	}
	for _, t := range o.Types {
		o.Say("bench: decoding with weights of " + t)
		d, err := b.decode(ctx, dev, source, t, o)
		if err != nil {
			return nil, err
		}
		b.Decodes = append(b.Decodes, *d)
		runtime.GC() // gives the arenas back
	}
	return b, nil
}

// weights are where a measured network has its own from.
type weights struct {
	name   string
	config model.Config
	from   *model.Network // nil: random
}

func weightsOf(dev exec.Device, dir string) (*weights, error) {
	if dir == "" {
		c, err := FindConfig("smollm2-135m")
		if err != nil {
			return nil, err
		}
		c.T = 8192
		m, err := c.model()
		return &weights{name: "random weights in the shape of SmolLM2-135M", config: m}, err
	}
	m, err := pretrained.Open(dev, dir, 0)
	if err != nil {
		return nil, recipes.Input(err)
	}
	if m.Head != model.LanguageModel || m.Config.Writing() != model.Cached {
		return nil, recipes.Input(fmt.Errorf("bench: %s does not decode with caches", dir))
	}
	if n := m.Config.MaxLength(); n > 0 && n < decodeContext {
		return nil, recipes.Input(fmt.Errorf("bench: %s reads at most %d tokens, and %d are measured", dir, n, decodeContext))
	}
	return &weights{name: dir, config: m.Config, from: m.Net}, nil
}

// network is one whose matrices are of a type.
func (w *weights) network(dev exec.Device, name string) (*model.Network, error) {
	name, round := strings.CutSuffix(name, "+int8")
	dt, _ := exec.DTypeNamed(name)
	plain, err := model.NewLayout(w.config, exec.F32, model.Options{})
	if err != nil {
		return nil, err
	}
	kept := map[string]exec.DType{}
	for _, p := range plain.Params {
		if len(p.Shape) == 2 && p.Shape[1]%dt.Block() == 0 {
			kept[p.Name] = dt
		}
	}
	net, err := model.NewNetwork(dev, exec.F32, w.config, model.Options{Inference: true, Int8: round, Stored: func(name string) exec.DType { return kept[name] }})
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 1))
	for _, p := range net.Layout().Params {
		values := make([]float32, p.Elems)
		if w.from != nil {
			if err := w.from.Weight(p.Name, values); err != nil {
				return nil, err
			}
		} else if len(p.Shape) == 1 {
			for i := range values {
				values[i] = 1
			}
		} else {
			for i := range values {
				values[i] = float32(r.Float64()-0.5) / 8
			}
		}
		if err := setWeight(net, p, values); err != nil {
			return nil, err
		}
	}
	return net, nil
}

// setWeight sets a parameter to values, rounded to its type.
func setWeight(net *model.Network, p exec.ParamInfo, values []float32) error {
	switch {
	case p.DType.Quantized():
		t, err := gguf.TypeNamed(strings.ToUpper(p.DType.String()))
		if err != nil {
			return err
		}
		blocks := make([]byte, p.DType.Bytes(p.Elems))
		if err := gguf.Quantize(t, blocks, values); err != nil {
			return fmt.Errorf("bench: %s: %w", p.Name, err)
		}
		return net.SetBlocks(p.Name, blocks)
	case p.DType == exec.BF16:
		for i, v := range values {
			values[i] = float.FromBF16(float.ToBF16(v))
		}
	case p.DType == exec.F16:
		for i, v := range values {
			values[i] = float.FromF16(float.ToF16(v))
		}
	}
	return net.SetWeight(p.Name, values)
}

// A stepper runs a reading, a step at a time.
type stepper struct {
	Reading
	net    *model.Network
	x      *exec.Executor
	feed   model.Feed
	logits []float32
	took   float64 // seconds of a step: the median of the fastest turn, as other work of the machine only hides what it can do
	theirs float64 // of the peer's; 0: none yet
}

// newStepper fills the caches up to the reading's position, and runs a step that warms up.
func newStepper(net *model.Network, r Reading) (*stepper, error) {
	s, err := net.NewSession(r.Sequences, decodeContext)
	if err != nil {
		return nil, err
	}
	v := net.Config().VocabSize
	token := func(i int) int32 { return int32(1 + i*7919%(v-1)) }
	fill := func(x *exec.Executor, from, count int) (*model.Feed, error) {
		f := &model.Feed{}
		for q := range r.Sequences {
			for i := range count {
				f.Tokens, f.Positions, f.Sequences = append(f.Tokens, token(from+i)), append(f.Positions, int32(from+i)), append(f.Sequences, int32(q))
			}
			f.Pool = append(f.Pool, int32(len(f.Tokens)-1))
		}
		return f, net.Feed(x, f)
	}
	for from := 0; from < r.Position; {
		count := min(128, r.Position-from)
		x, err := s.Executor(model.Decode, r.Sequences*count)
		if err != nil {
			return nil, err
		}
		if _, err = fill(x, from, count); err != nil {
			return nil, err
		}
		if err := x.Run(); err != nil {
			return nil, err
		}
		from += count
	}
	x, err := s.Executor(model.Decode, r.Sequences*r.Tokens)
	if err != nil {
		return nil, err
	}
	f, err := fill(x, r.Position, r.Tokens)
	if err != nil {
		return nil, err
	}
	t := &stepper{Reading: r, net: net, x: x, feed: *f, logits: make([]float32, r.Sequences*v)}
	return t, t.step(0)
}

// step reads the next tokens: those of a prompt again, or of each sequence the likeliest, i behind the first position.
func (t *stepper) step(i int) error {
	for q := range t.feed.Positions {
		if t.Tokens == 1 {
			t.feed.Positions[q] = int32(t.Position + i)
		}
	}
	if err := t.net.Feed(t.x, &t.feed); err != nil {
		return err
	}
	if err := t.x.Run(); err != nil {
		return err
	}
	if err := exec.Read(t.x, "logits", t.logits); err != nil {
		return err
	}
	v := t.net.Config().VocabSize
	for q := range t.Sequences {
		best, row := 0, t.logits[q*v:(q+1)*v]
		for k, x := range row {
			if x > row[best] {
				best = k
			}
		}
		if t.Tokens == 1 {
			t.feed.Tokens[q] = int32(best)
		}
	}
	return nil
}

// steps is the number of steps of a turn.
func (t *stepper) steps() int {
	if t.Tokens > 1 {
		return 1
	}
	return decodeSteps
}

// turn times some steps.
func (t *stepper) turn() error {
	var seconds []float64
	for i := range t.steps() {
		start := time.Now()
		if err := t.step(i); err != nil {
			return err
		}
		seconds = append(seconds, time.Since(start).Seconds())
	}
	t.took = faster(t.took, seconds)
	return nil
}

// faster is the median of a turn, if it is less than that of those before, which is 0 at first.
func faster(before float64, turn []float64) float64 {
	if m := median(turn); before == 0 || m < before {
		return m
	}
	return before
}

// work is what a step has to do at least: the multiply-adds of products and of attention to what is seen, and the bytes
// of weights, keys and values.
func (t *stepper) work() (flops, bytes float64) {
	p := t.x.Program()
	for i := range p.Instrs {
		in := &p.Instrs[i]
		switch in.Op {
		case exec.OpLinear:
			f, _ := p.Cost(i)
			flops += f
			bytes += float64(p.Values[in.In[1]].Bytes())
		case exec.OpAttentionCached:
			keys := p.Values[in.In[1]].Shape
			seen := float64(t.Position) + float64(t.Tokens+1)/2 // by a row, on average
			flops += 4 * float64(t.Sequences*t.Tokens) * seen * float64(p.Values[in.Out[0]].Shape[1])
			bytes += 2 * 4 * float64(t.Sequences*(t.Position+t.Tokens)*keys[2])
		}
	}
	return flops, bytes
}

// result compares a reading with the limits of the machine.
func (t *stepper) result(b *Result, l cpu.Limits) Reading {
	r := t.Reading
	tokens := float64(r.Sequences * r.Tokens)
	r.Rate = tokens / t.took
	flops, bytes := t.work()
	arithmetic, memory := flops/(1e9*l.GFLOPS), bytes/(1e9*l.Bandwidth)
	r.Limit, r.Binds = tokens/max(arithmetic, memory), "bytes"
	if arithmetic > memory {
		r.Binds = "flops"
	}
	r.Share = r.Rate / r.Limit
	if t.theirs > 0 {
		r.Peer = tokens / t.theirs
		r.Ratio = r.Rate / r.Peer
	}
	return r
}

// decode measures one type of weights.
func (b *Result) decode(ctx context.Context, dev *cpu.Device, source *weights, name string, o DecodeOptions) (out *Decode, err error) {
	net, err := source.network(dev, name)
	if err != nil {
		return nil, err
	}
	out = &Decode{Model: source.name, Type: name, Bytes: net.Layout().Bytes}
	var peer *llamaProcess
	if o.Against != nil {
		path, err := o.Export(strings.ToUpper(strings.TrimSuffix(name, "+int8")))
		if err != nil {
			return nil, err
		}
		if peer, err = startLlama(ctx, *o.Against, path, dev.Threads()); err != nil {
			return nil, err
		}
		defer func() {
			if e := peer.close(); err == nil {
				err = e
			}
		}()
		out.Version = peer.version
	}
	if b.gauge, err = dev.Gauge(out.Bytes); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	turns := b.turns()
	var all []*stepper
	for _, r := range readings {
		s, err := newStepper(net, r)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	for range decodeTurns {
		for _, s := range all {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := s.turn(); err != nil {
				return nil, err
			}
			turns.take(0.05)
			if peer == nil {
				continue
			}
			theirs, err := peer.turn(s.Reading, s.steps())
			if err != nil {
				return nil, err
			}
			s.theirs = faster(s.theirs, theirs)
		}
	}
	_, limits := turns.limits()
	out.Bandwidth = limits.Bandwidth
	for _, s := range all {
		out.Reads = append(out.Reads, s.result(b, limits))
	}
	one := all[0]
	watched := watchOps(one.x)
	if err := one.turn(); err != nil {
		return nil, err
	}
	one.x.Profile(nil)
	// Of an attention to caches, not all is read: a share of its limit would be wrong.
	out.Ops = watched.lines("decode", Config{}.seen, &Result{}, limits)
	for i := range out.Ops {
		out.Ops[i].OfStep = out.Ops[i].Milliseconds / 1e3 * out.Reads[0].Rate
	}
	return out, nil
}

func (b *Result) printDecodes(w io.Writer) error {
	for _, d := range b.Decodes {
		fmt.Fprintf(w, "\n%s, %s: %.0f MB of weights; as many bytes are read at %.1f GB/s\n", d.Model, d.Type, float64(d.Bytes)/1e6, d.Bandwidth)
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
		head := "reading\ttokens/s\tlimit\tof\t% of it\t"
		if d.Version != "" {
			head += "llama.cpp\thone ÷ it\t"
		}
		fmt.Fprintln(t, head)
		for _, r := range d.Reads {
			fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%s\t%.0f\t", r.Name, r.Rate, r.Limit, r.Binds, 100*r.Share)
			if d.Version != "" {
				fmt.Fprintf(t, "%.1f\t%.2f\t", r.Peer, r.Ratio)
			}
			fmt.Fprintln(t)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(w, "8 sequences write %.1f times as much as one\n", d.Reads[2].Rate/d.Reads[0].Rate)
		t = tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "op of a token\tfrom\tcount\tms\t% of it\tMB\tGB/s")
		for _, o := range d.Ops {
			fmt.Fprintf(t, "%s\t%s\t%d\t%.3f\t%.1f\t%.1f\t%.1f\n", o.Op, o.From, o.Count, o.Milliseconds, 100*o.OfStep, o.MB, o.MB/o.Milliseconds)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if len(b.Decodes) > 0 && b.Decodes[0].Version != "" {
		fmt.Fprintf(w, "\nmedians of the fastest of %d turns; %s\n", decodeTurns, b.Decodes[0].Version)
	}
	return nil
}

// markdownDecodes writes the comparison as a table of one line for each type of weights and reading.
func (b *Result) markdownDecodes(w io.Writer) error {
	fmt.Fprintln(w, "| weights | reading | hone, tokens/s | llama.cpp | hone ÷ llama.cpp | hone's share of the limit |\n|---|---|---:|---:|---:|---:|")
	for _, d := range b.Decodes {
		for _, r := range d.Reads {
			fmt.Fprintf(w, "| %s, %.0f MB | %s | %s | %s | %.2f | %.0f %% of %s |\n", d.Type, float64(d.Bytes)/1e6, r.Name, recipes.Thousands(r.Rate), recipes.Thousands(r.Peer), r.Ratio, 100*r.Share, map[string]string{"bytes": "the bandwidth", "flops": "the FMA rate"}[r.Binds])
		}
	}
	_, err := fmt.Fprintf(w, "\nMedians of the fastest of %d turns on one machine: %s; %s, %d threads, %s, %.1f GB/s; %s.\n", decodeTurns, b.Machine, b.Device, b.Threads, b.arithmetic(), b.Bandwidth, b.Decodes[0].Version)
	return err
}
