package model

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

func network(t testing.TB, o cpu.Options, dt exec.DType, c Config, opts Options) *Network {
	t.Helper()
	dev, err := cpu.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	n, err := NewNetwork(dev, dt, c, opts)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func run(t testing.TB, n *Network, x *exec.Executor, f *Feed) {
	t.Helper()
	if err := n.Feed(x, f); err != nil {
		t.Fatal(err)
	}
	if err := x.Run(); err != nil {
		t.Fatal(err)
	}
}

func executor(t testing.TB, n *Network, k Kind, b, tt, s int) *exec.Executor {
	t.Helper()
	x, err := n.Executor(k, b, tt, s)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// read gives a named float value as float64, whatever the program's type.
func read(t testing.TB, x *exec.Executor, name string) []float64 {
	t.Helper()
	v := &x.Program().Values[x.Program().Named[name]]
	out := make([]float64, v.Elems())
	if v.DType == exec.F64 {
		if err := exec.Read(x, name, out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	narrow := make([]float32, v.Elems())
	if err := exec.Read(x, name, narrow); err != nil {
		t.Fatal(err)
	}
	for i, f := range narrow {
		out[i] = float64(f)
	}
	return out
}

// gradients reads those of all parameters.
func gradients(t testing.TB, n *Network) (list [][]float64) {
	t.Helper()
	for _, p := range n.Layout().Params {
		list = append(list, arena(t, n, exec.Grad, p))
	}
	return list
}

// arena reads a parameter or its gradient.
func arena(t testing.TB, n *Network, c exec.Class, p exec.ParamInfo) []float64 {
	t.Helper()
	size := n.layout.DType.Size()
	b := make([]byte, p.Elems*size)
	if err := n.mem.Download(c, p.Offset, b); err != nil {
		t.Fatal(err)
	}
	v := make([]float64, p.Elems)
	for i := range v {
		if size == 8 {
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		} else {
			v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		}
	}
	return v
}

// A fixture is testdata/gpt2.json and gpt2.bin, or another family's; see gpt2.py.
type fixture struct {
	Config  Config
	IDs     [][]int32
	Padded  [][]int32
	Labels  []int32
	Tensors []struct {
		Name  string
		Shape []int
	}
	values map[string][]float64
}

func readFixture(t *testing.T, family string) *fixture {
	t.Helper()
	f := &fixture{values: map[string][]float64{}}
	text, err := os.ReadFile("testdata/" + family + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, f); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/" + family + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range f.Tensors {
		n := 1
		for _, d := range x.Shape {
			n *= d
		}
		v := make([]float64, n)
		for i := range v {
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
		}
		data = data[8*n:]
		f.values[x.Name] = v
	}
	if len(data) != 0 {
		t.Fatalf("%s.bin has %d bytes too many", family, len(data))
	}
	return f
}

// load sets the network's parameters to the fixture's weights.
func (f *fixture) load(t *testing.T, n *Network) {
	t.Helper()
	var stored []Stored
	for _, x := range f.Tensors {
		if name, ok := strings.CutPrefix(x.Name, "weight/"); ok {
			if name == "score.weight" && n.opts.Head == LanguageModel {
				continue
			}
			stored = append(stored, Stored{name, x.Shape})
		}
	}
	fresh, err := n.Load(stored, func(i int, dst []float32) error {
		for k, v := range f.values["weight/"+stored[i].Name] {
			dst[k] = float32(v)
		}
		return nil
	})
	if err != nil || len(fresh) > 0 {
		t.Fatalf("load: fresh %v, error %v", fresh, err)
	}
}

// rows are B rows of T tokens, each one document.
func rows(ids [][]int32) *Feed {
	f := &Feed{Rng: [4]int32{1, 2, 3, 4}}
	for _, row := range ids {
		for i, id := range row {
			f.Tokens = append(f.Tokens, id)
			f.Segments = append(f.Segments, 0)
			f.Positions = append(f.Positions, int32(i))
			f.Order = append(f.Order, int32(i))
		}
	}
	return f
}

// predict adds the next tokens as targets.
func (f *Feed) predict(t int) *Feed {
	n := float32(0)
	for i := range f.Tokens {
		target, weight := int32(-1), float32(0)
		if (i+1)%t != 0 && f.Segments[i] == f.Segments[i+1] && f.Segments[i] >= 0 {
			target, weight = f.Tokens[i+1], 1
			n++
		}
		f.Targets = append(f.Targets, target)
		f.Weights = append(f.Weights, weight)
	}
	f.Seed = 1 / n
	return f
}

func compare(t *testing.T, what string, got, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	var diff, norm float64
	for i := range got {
		diff = max(diff, math.Abs(got[i]-want[i]))
		if math.IsNaN(got[i]) {
			diff = math.Inf(1)
		}
		norm = max(norm, math.Abs(want[i]))
	}
	if diff > bound*norm {
		t.Errorf("%s: off by %.3g, which is %.3g of the greatest value", what, diff, diff/norm)
	}
}

// kernelSets are those that this processor has.
func kernelSets(t *testing.T) []string {
	sets := []string{"generic"}
	for _, k := range []string{"avx2", "avx512"} {
		if d, err := cpu.New(cpu.Options{Threads: 1, Kernels: k}); err == nil {
			d.Close()
			sets = append(sets, k)
		} else {
			t.Logf("not tested: %v", err)
		}
	}
	return sets
}

var parity = map[exec.DType]float64{exec.F32: 1e-5, exec.F64: 1e-12}

// fixtures are the families that have one.
var fixtures = []string{"gpt2", "llama", "qwen3", "palm"}

// Logits, loss and every gradient of a tiny model of each family are PyTorch's.
func TestParityWithPyTorch(t *testing.T) {
	for _, family := range fixtures {
		t.Run(family, func(t *testing.T) { checkParity(t, readFixture(t, family)) })
	}
}

func checkParity(t *testing.T, f *fixture) {
	const b, tt = 2, 12
	for _, kernels := range kernelSets(t) {
		for dt, bound := range parity {
			if dt == exec.F64 && kernels != "generic" {
				continue
			}
			name := kernels + " " + dt.String() + ": "
			o := cpu.Options{Threads: 2, Kernels: kernels}
			lm := network(t, o, dt, f.Config, Options{})
			f.load(t, lm)
			feed := rows(f.IDs).predict(tt)
			x := executor(t, lm, Train, b, tt, 0)
			const targets = b * (tt - 1)
			run(t, lm, x, feed)
			if dt == exec.F64 { // 1/22 is fed as a float32
				if err := exec.Feed(x, "seed", []float64{1. / targets}); err != nil {
					t.Fatal(err)
				}
				if err := x.Run(); err != nil {
					t.Fatal(err)
				}
			}
			compare(t, name+"loss", []float64{read(t, x, "loss")[0] / targets}, f.values["lm/loss"], bound)
			for _, p := range lm.Layout().Params {
				compare(t, name+p.Name, arena(t, lm, exec.Grad, p), f.values["lm/grad/"+p.Name], bound)
			}
			all := rows(f.IDs)
			for i := range int32(b * tt) {
				all.Pool = append(all.Pool, i)
			}
			x = executor(t, lm, Evaluate, b, tt, b*tt)
			run(t, lm, x, all)
			compare(t, name+"logits", read(t, x, "logits"), f.values["lm/logits"], bound)

			cl := network(t, o, dt, f.Config, Options{Head: Classifier})
			f.load(t, cl)
			feed = f.classify()
			x = executor(t, cl, Train, b, tt, 3)
			run(t, cl, x, feed)
			compare(t, name+"classifier loss", []float64{read(t, x, "loss")[0] / 2}, f.values["classifier/loss"], bound)
			compare(t, name+"classifier logits", read(t, x, "logits")[:6], f.values["classifier/logits"], bound)
			for _, p := range cl.Layout().Params {
				compare(t, name+p.Name, arena(t, cl, exec.Grad, p), f.values["classifier/grad/"+p.Name], bound)
			}
			x = executor(t, cl, Evaluate, b, tt, 3)
			run(t, cl, x, feed)
			compare(t, name+"classifier logits of evaluate", read(t, x, "logits")[:6], f.values["classifier/logits"], bound)
		}
	}
}

// classify is what a classifier takes.
func (f *fixture) classify() *Feed {
	feed := rows(f.Padded)
	for i, id := range feed.Tokens {
		if id == 28 {
			feed.Segments[i] = -1
		}
	}
	feed.Pool, feed.Labels, feed.LabelWeights = []int32{11, 12 + 8, -1}, append(f.Labels[:2:2], -1), []float32{1, 1, 0}
	feed.Seed = 0.5
	return feed
}

// Decoding gives the logits of the whole sequence, and the same bits however it is cut: a prompt
// at once, in pieces, or token by token, of sequences side by side or alone.
func TestDecode(t *testing.T) {
	for _, family := range fixtures {
		t.Run(family, func(t *testing.T) { checkDecode(t, readFixture(t, family)) })
	}
}

func checkDecode(t *testing.T, f *fixture) {
	for _, kernels := range kernelSets(t) {
		n := network(t, cpu.Options{Threads: 2, Kernels: kernels}, exec.F32, f.Config, Options{})
		f.load(t, n)
		const b, tt, v = 2, 12, 29
		want := f.values["lm/logits"]
		exact := map[[2]int][]float64{} // of a sequence and position
		for _, cuts := range [][]int{slices.Repeat([]int{1}, tt), {12}, {5, 7}, {8, 1, 3}} {
			for _, together := range []bool{true, false} {
				s, err := n.NewSession(b, 16)
				if err != nil {
					t.Fatal(err)
				}
				read1 := func(feed *Feed) []float64 {
					rows := len(feed.Tokens)
					for len(feed.Tokens) < (rows+3)/4*4 { // up to a size that there is a program of
						feed.Tokens, feed.Positions, feed.Sequences = append(feed.Tokens, -1), append(feed.Positions, -1), append(feed.Sequences, 0)
					}
					x, err := s.Executor(Decode, len(feed.Tokens))
					if err != nil {
						t.Fatal(err)
					}
					run(t, n, x, feed)
					return read(t, x, "logits")
				}
				check := func(k, i int, got []float64) {
					at := [2]int{k, i}
					compare(t, kernels+" decoded logits", got, want[(k*tt+i)*v:(k*tt+i+1)*v], 1e-5)
					if exact[at] == nil {
						exact[at] = got
					} else if !slices.Equal(exact[at], got) {
						t.Errorf("%s: sequence %d, position %d, in pieces of %v, together %v: other bits", kernels, k, i, cuts, together)
					}
				}
				lay := func(feed *Feed, k, from, count int) {
					for i := from; i < from+count; i++ {
						feed.Tokens, feed.Positions, feed.Sequences = append(feed.Tokens, f.IDs[k][i]), append(feed.Positions, int32(i)), append(feed.Sequences, int32(k))
					}
				}
				if together {
					at := 0
					for _, count := range cuts {
						feed := &Feed{Pool: []int32{int32(count - 1), int32(2*count - 1)}}
						lay(feed, 0, at, count)
						lay(feed, 1, at, count)
						at += count
						got := read1(feed)
						check(0, at-1, got[:v])
						check(1, at-1, got[v:])
					}
					continue
				}
				for k := range b { // one after the other: the first stays in its place meanwhile
					at := 0
					for _, count := range cuts {
						feed := &Feed{Pool: []int32{-1, -1}}
						feed.Pool[k] = int32(count - 1)
						lay(feed, k, at, count)
						at += count
						check(k, at-1, read1(feed)[k*v:][:v])
					}
				}
			}
		}
	}
}

// Two documents in a row are as two alone, bit for bit in their logits.
func TestPackedDocumentsAreApart(t *testing.T) {
	for _, c := range families(8, 16) {
		t.Run(c.ModelType, func(t *testing.T) { checkPacked(t, c) })
	}
}

func checkPacked(t *testing.T, c Config) {
	n := network(t, cpu.Options{Threads: 2}, exec.F32, c, Options{})
	if err := n.Init(3); err != nil {
		t.Fatal(err)
	}
	docs := [][]int32{{1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 0, 1}}
	packed := &Feed{}
	for i, d := range docs {
		for k, id := range d {
			packed.Tokens = append(packed.Tokens, id)
			packed.Segments = append(packed.Segments, int32(i))
			packed.Positions = append(packed.Positions, int32(k))
			packed.Order = append(packed.Order, int32(k))
		}
	}
	for range 4 { // padding
		packed.Tokens, packed.Segments = append(packed.Tokens, 0), append(packed.Segments, -1)
		packed.Positions, packed.Order = append(packed.Positions, 0), append(packed.Order, 0)
	}
	packed.predict(16)
	packed.Seed = 1
	eval := executor(t, n, Evaluate, 1, 16, 0)
	run(t, n, eval, packed)
	nll := read(t, eval, "nll")
	at, total := 0, 0.0
	for _, d := range docs {
		f := rows([][]int32{d}).predict(len(d))
		y := executor(t, n, Evaluate, 1, len(d), 0)
		run(t, n, y, f)
		if got := read(t, y, "nll"); !slices.Equal(got, nll[at:at+len(d)]) {
			t.Errorf("nll %v, packed %v", got, nll[at:at+len(d)])
		}
		at += len(d)
		total += read(t, y, "loss")[0]
	}
	compare(t, "loss", read(t, eval, "loss"), []float64{total}, 1e-6)

	// The gradients add up too, without dropout.
	if err := c.SetDropout(0, 0); err != nil {
		t.Fatal(err)
	}
	n = network(t, cpu.Options{Threads: 2}, exec.F64, c, Options{})
	if err := n.Init(3); err != nil {
		t.Fatal(err)
	}
	sums := map[string][]float64{}
	for _, d := range docs {
		f := rows([][]int32{d}).predict(len(d))
		f.Seed = 1
		run(t, n, executor(t, n, Train, 1, len(d), 0), f)
		for _, p := range n.Layout().Params {
			g := arena(t, n, exec.Grad, p)
			for i, v := range sums[p.Name] {
				g[i] += v
			}
			sums[p.Name] = g
		}
	}
	run(t, n, executor(t, n, Train, 1, 16, 0), packed)
	for _, p := range n.Layout().Params {
		compare(t, p.Name, arena(t, n, exec.Grad, p), sums[p.Name], 1e-12)
	}
}

// random is a batch of packed rows with targets.
func random(c Config, b, t int, seed uint64) *Feed {
	r := rand.New(rand.NewPCG(seed, 0))
	f := &Feed{Rng: [4]int32{5, 6, 7, 8}}
	for range b {
		segment, position := int32(0), int32(0)
		for range t {
			if r.IntN(5) == 0 {
				segment, position = segment+1, 0
			}
			f.Tokens = append(f.Tokens, int32(r.IntN(c.VocabSize)))
			f.Segments = append(f.Segments, segment)
			f.Positions = append(f.Positions, position)
			f.Order = append(f.Order, position)
			position++
		}
	}
	return f.predict(t)
}

// Gradients of the whole model, with dropout, agree with central differences.
func TestGradients(t *testing.T) {
	againstReference(t)
	for _, c := range families(8, 8) {
		t.Run(c.ModelType+" language model", func(t *testing.T) { checkGradients(t, c, Options{}, 0, random(c, 2, 8, 2)) })
		t.Run(c.ModelType+" classifier that learns the language too", func(t *testing.T) {
			c.SetLabels([]string{"a", "b", "c"})
			f := random(c, 2, 8, 2)
			f.Pool, f.Labels, f.LabelWeights = []int32{3, 9, -1}, []int32{2, 0, -1}, []float32{1, 0.5, 0}
			checkGradients(t, c, Options{Head: Classifier, AuxiliaryLM: true}, 3, f)
		})
	}
}

func checkGradients(t *testing.T, c Config, o Options, s int, f *Feed) {
	n := network(t, cpu.Options{Threads: 2, Kernels: "generic"}, exec.F64, c, o)
	if err := n.Init(1); err != nil {
		t.Fatal(err)
	}
	// Biases and gains other than 0 and 1, so that a lost one shows.
	r := rand.New(rand.NewPCG(1, 1))
	for _, p := range n.Layout().Params {
		v := arena(t, n, exec.Param, p)
		for i := range v {
			v[i] += 0.1 * r.NormFloat64()
		}
		if err := n.upload(p, 0, v); err != nil {
			t.Fatal(err)
		}
	}
	f.Seed = 0.125
	x := executor(t, n, Train, 2, 8, s)
	run(t, n, x, f)
	const h = 1e-5
	for _, p := range n.Layout().Params {
		run(t, n, x, f)
		grad := arena(t, n, exec.Grad, p)
		v := arena(t, n, exec.Param, p)
		var diff, norm float64
		for i, was := range v {
			var l [2]float64
			for k, step := range []float64{h, -h} {
				v[i] = was + step
				if err := n.upload(p, 0, v); err != nil {
					t.Fatal(err)
				}
				if err := x.Run(); err != nil {
					t.Fatal(err)
				}
				l[k] = read(t, x, "loss")[0]
			}
			v[i] = was
			want := float64(f.Seed) * (l[0] - l[1]) / (2 * h)
			diff += (grad[i] - want) * (grad[i] - want)
			norm += want * want
		}
		if err := n.upload(p, 0, v); err != nil {
			t.Fatal(err)
		}
		if e := math.Sqrt(diff / norm); !(e < 1e-8) {
			t.Errorf("%s: gradient differs from central differences by %.2g of its norm", p.Name, e)
		}
	}
}

// What a classifier learns beside its labels is what the language model with its weights
// would, and evaluation does not change.
func TestAuxiliaryLanguageModel(t *testing.T) {
	c := tiny(func(f *GPT2) { f.ResidPDrop, f.EmbdPDrop = 0, 0 })
	lm := network(t, cpu.Options{Threads: 1}, exec.F64, c, Options{})
	c.SetLabels([]string{"a", "b", "c"})
	plain := network(t, cpu.Options{Threads: 1}, exec.F64, c, Options{Head: Classifier})
	both := network(t, cpu.Options{Threads: 1}, exec.F64, c, Options{Head: Classifier, AuxiliaryLM: true})
	for _, n := range []*Network{lm, plain, both} {
		if err := n.Init(1); err != nil {
			t.Fatal(err)
		}
	}
	words := random(c, 2, 8, 2)
	labels := *words
	labels.Targets, labels.Weights = nil, nil
	labels.Pool, labels.Labels, labels.LabelWeights = []int32{3, 9, -1}, []int32{2, 0, -1}, []float32{1, 0.5, 0}
	all := labels
	all.Targets, all.Weights = words.Targets, words.Weights
	loss := func(n *Network, k Kind, s int, f *Feed) float64 {
		x := executor(t, n, k, 2, 8, s)
		run(t, n, x, f)
		return read(t, x, "loss")[0]
	}
	want := loss(lm, Train, 0, words) + loss(plain, Train, 3, &labels)
	if got := loss(both, Train, 3, &all); math.Abs(got-want) > 1e-12*want {
		t.Errorf("both losses: %g, want %g", got, want)
	}
	if got, want := loss(both, Evaluate, 3, &labels), loss(plain, Evaluate, 3, &labels); got != want {
		t.Errorf("evaluated: %g, want %g", got, want)
	}
}

// A step gives the same bits for any number of threads.
func TestThreadsGiveTheSameBits(t *testing.T) {
	for _, c := range families(48, 70) {
		c.VocabSize = 211
		t.Run(c.ModelType, func(t *testing.T) { checkThreads(t, c) })
	}
}

func checkThreads(t *testing.T, c Config) {
	for _, kernels := range kernelSets(t) {
		var want map[string][]float64
		for threads := 1; threads <= 3; threads++ {
			n := network(t, cpu.Options{Threads: threads, Kernels: kernels}, exec.F32, c, Options{})
			if err := n.Init(9); err != nil {
				t.Fatal(err)
			}
			x := executor(t, n, Train, 5, 70, 0)
			run(t, n, x, random(c, 5, 70, 4))
			got := map[string][]float64{"loss": read(t, x, "loss"), "nll": read(t, x, "nll")}
			for _, p := range n.Layout().Params {
				got[p.Name] = arena(t, n, exec.Grad, p)
			}
			if want == nil {
				want = got
			}
			for name := range got {
				if !slices.Equal(got[name], want[name]) {
					t.Errorf("%s: %s with %d threads is not what it is with one", kernels, name, threads)
				}
			}
		}
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	for _, c := range families(8, 8) {
		t.Run(c.ModelType, func(t *testing.T) { checkAllocations(t, c) })
	}
}

func checkAllocations(t *testing.T, c Config) {
	c.SetLabels([]string{"a", "b", "c"})
	for _, dt := range []exec.DType{exec.F32, exec.F64} {
		n := network(t, cpu.Options{Threads: 2}, dt, c, Options{})
		cl := network(t, cpu.Options{Threads: 2}, dt, c, Options{Head: Classifier})
		x, y := executor(t, n, Train, 2, 8, 0), executor(t, cl, Train, 2, 8, 2)
		f := random(c, 2, 8, 1)
		g := random(c, 2, 8, 1)
		g.Targets, g.Weights = nil, nil
		g.Pool, g.Labels, g.LabelWeights = []int32{7, 15}, []int32{0, 2}, []float32{1, 1}
		run(t, n, x, f)
		run(t, cl, y, g)
		if got := testing.AllocsPerRun(10, func() { run(t, n, x, f); run(t, cl, y, g) }); got != 0 {
			t.Errorf("%v: a step of each head makes %g allocations", dt, got)
		}
	}
}

// A parameter starts as a function of seed, name and index alone, normally distributed.
// What two positions have in common depends on how far apart they are alone.
func TestWaves(t *testing.T) {
	const n, c, std = 40, 24, 0.07
	table := make([]float64, n*c)
	waves(table[:7*c+5], 0, c, std)
	waves(table[7*c+5:], 7*c+5, c, std)
	dot := func(i, j int) (sum float64) {
		for k := range c {
			sum += table[i*c+k] * table[j*c+k]
		}
		return sum
	}
	for distance := range n {
		want := dot(0, distance)
		for i := 0; i+distance < n; i++ {
			if got := dot(i, i+distance); math.Abs(got-want) > 1e-12 {
				t.Errorf("positions %d and %d: %g, want %g", i, i+distance, got, want)
			}
		}
	}
	if got := dot(5, 5) / c; math.Abs(got-std*std) > 1e-12 || dot(0, 1) >= dot(0, 0) {
		t.Errorf("mean square %g, want %g", got, std*std)
	}
}

func TestInit(t *testing.T) {
	c := tiny(func(f *GPT2) { f.NEmbd, f.NLayer = 64, 2 })
	c.VocabSize = 500
	c.SetLabels([]string{"a", "b"})
	lm := network(t, cpu.Options{Threads: 1}, exec.F32, c, Options{})
	cl := network(t, cpu.Options{Threads: 1}, exec.F32, c, Options{Head: Classifier, Trainable: func(string) bool { return false }})
	for _, n := range []*Network{lm, cl} {
		if err := n.Init(42); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range lm.Layout().Params {
		v := arena(t, lm, exec.Param, p)
		q, _ := cl.Layout().Param(p.Name)
		if !slices.Equal(v, arena(t, cl, exec.Param, q)) {
			t.Errorf("%s starts otherwise in a classifier", p.Name)
		}
		var mean, square float64
		for _, x := range v {
			mean += x / float64(len(v))
			square += x * x / float64(len(v))
		}
		std, near := 0.0, func(a, b, tol float64) bool { return math.Abs(a-b) <= tol }
		switch {
		case strings.HasSuffix(p.Name, ".bias"):
		case len(p.Shape) == 1:
			if mean != 1 || square != 1 {
				t.Errorf("%s is not all one", p.Name)
			}
			continue
		case strings.HasSuffix(p.Name, "c_proj.weight"):
			std = 0.02 / 2 // two blocks
		default:
			std = 0.02
		}
		tol := 4 / math.Sqrt(float64(len(v)))
		if !near(mean, 0, tol*std) || !near(math.Sqrt(square), std, tol*std) {
			t.Errorf("%s: mean %g, deviation %g, want 0 and %g", p.Name, mean, math.Sqrt(square), std)
		}
	}
	a, b := arena(t, lm, exec.Param, lm.Layout().Params[0]), []float64(nil)
	if err := lm.Init(43); err != nil {
		t.Fatal(err)
	}
	if b = arena(t, lm, exec.Param, lm.Layout().Params[0]); slices.Equal(a, b) {
		t.Error("seeds 42 and 43 give the same parameters")
	}
	// Known values: they must never change, or runs would not repeat.
	v := make([]float64, 3)
	normal(v, 0, 42, "transformer.wte.weight", 1)
	compare(t, "normal numbers", v, []float64{-0.6463504795749839, -0.6914852014936711, -1.381102374546519}, 1e-15)
	// Parts that are drawn apart are parts of one sequence.
	all, drawn := make([]float64, 3*drawPart/2+1), make([]float64, 3*drawPart/2+1)
	normal(all, 0, 42, "w", 1)
	draw(drawn[:drawPart+2], 0, 42, "w", 1)
	draw(drawn[drawPart+2:], drawPart+2, 42, "w", 1)
	if !slices.Equal(all, drawn) {
		t.Error("numbers drawn in parts differ")
	}
}

func TestLoadNames(t *testing.T) {
	c := tiny()
	c.SetLabels([]string{"a", "b"})
	lm := network(t, cpu.Options{Threads: 1}, exec.F32, c, Options{})
	cl := network(t, cpu.Options{Threads: 1}, exec.F32, c, Options{Head: Classifier})
	if err := lm.Init(1); err != nil {
		t.Fatal(err)
	}
	if err := cl.Init(2); err != nil {
		t.Fatal(err)
	}
	var stored []Stored
	for _, p := range lm.Layout().Params {
		stored = append(stored, Stored{p.Name, p.Shape})
	}
	stored = append(stored, Stored{"lm_head.weight", []int{11, 8}}, Stored{"transformer.h.0.attn.bias", []int{1, 1, 8, 8}})
	read := func(i int, dst []float32) error { return lm.Weight(stored[i].Name, dst) }
	was := make([]float32, 16)
	if err := cl.Weight("score.weight", was); err != nil {
		t.Fatal(err)
	}
	fresh, err := cl.Load(stored, read)
	if err != nil || !slices.Equal(fresh, []string{"score.weight"}) {
		t.Fatalf("fresh %v, error %v", fresh, err)
	}
	now := make([]float32, 16)
	if err := cl.Weight("score.weight", now); err != nil || !slices.Equal(was, now) {
		t.Errorf("score.weight changed, error %v", err)
	}
	for _, p := range lm.Layout().Params {
		a, b := make([]float32, p.Elems), make([]float32, p.Elems)
		if err := lm.Weight(p.Name, a); err != nil {
			t.Fatal(err)
		}
		if err := cl.Weight(p.Name, b); err != nil || !slices.Equal(a, b) {
			t.Errorf("%s is not loaded, error %v", p.Name, err)
		}
	}
	bare := slices.Clone(stored)
	for i := range bare {
		bare[i].Name = strings.TrimPrefix(bare[i].Name, "transformer.")
	}
	if fresh, err := lm.Load(bare, read); err != nil || fresh != nil {
		t.Errorf("names without prefix: fresh %v, error %v", fresh, err)
	}
	last := len(lm.Layout().Params)
	if _, err := lm.Load(stored[1:last], read); err == nil || !strings.Contains(err.Error(), "tensor "+stored[0].Name+" is missing") {
		t.Errorf("no embedding: error %v", err)
	}
	if _, err := lm.Load(stored[1:], func(i int, dst []float32) error {
		if name := stored[1+i].Name; name != "lm_head.weight" {
			return lm.Weight(name, dst)
		}
		return lm.Weight(stored[0].Name, dst)
	}); err != nil {
		t.Errorf("an embedding that is stored as the output matrix alone: error %v", err)
	}
	bad := slices.Clone(stored[1:last])
	bad[0].Shape = []int{3}
	bad = append(bad, Stored{"transformer.h.7.mlp.c_fc.weight", []int{8, 32}}, Stored{"score.weight", []int{2, 8}}, bad[1])
	_, err = lm.Load(bad, nil)
	for _, want := range []string{
		"tensor " + stored[0].Name + " is missing", "unexpected tensor transformer.h.7.mlp.c_fc.weight",
		"unexpected tensor score.weight", "has shape [3], want", "tensor " + bad[1].Name + " comes twice",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := lm.SetWeight("x", nil); err == nil {
		t.Error("an unknown parameter is set")
	}
	if err := lm.SetWeight("transformer.wte.weight", make([]float32, 3)); err == nil {
		t.Error("a parameter is set with too few elements")
	}
}

func TestFeedErrors(t *testing.T) {
	n := network(t, cpu.Options{Threads: 1}, exec.F32, tiny(), Options{})
	x := executor(t, n, Evaluate, 2, 4, 0)
	f := rows([][]int32{{1, 2, 3, 4}, {1, 2, 3, 4}})
	if err := n.Feed(x, f); err == nil || !strings.Contains(err.Error(), "targets is not fed") {
		t.Errorf("error %v", err)
	}
	f.predict(4)
	f.Pool = []int32{1}
	if err := n.Feed(x, f); err == nil || !strings.Contains(err.Error(), "pool is fed, but there is no such input") {
		t.Errorf("error %v", err)
	}
	f.Pool, f.Tokens = nil, f.Tokens[1:]
	if err := n.Feed(x, f); err == nil || !strings.Contains(err.Error(), "tokens is i32[8], not i32[7]") {
		t.Errorf("error %v", err)
	}
}

// A step of 2048 tokens of a GPT with 4 layers of 256 channels.
func BenchmarkTrain(b *testing.B) {
	c := tiny(func(f *GPT2) { f.NPositions, f.NEmbd, f.NLayer, f.NHead = 128, 256, 4, 4 })
	c.VocabSize = 4096
	n := network(b, cpu.Options{}, exec.F32, c, Options{})
	if err := n.Init(1); err != nil {
		b.Fatal(err)
	}
	x := executor(b, n, Train, 16, 128, 0)
	f := random(c, 16, 128, 1)
	run(b, n, x, f)
	for b.Loop() {
		run(b, n, x, f)
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(x.Program().FLOPs()/seconds/1e9, "GFLOP/s")
	b.ReportMetric(16*128/seconds, "tokens/s")
}

// An output matrix of its own, with the embedding's values, gives the tied model's loss,
// and the two gradients add up to the tied one. An inner width of its own goes with it.
func TestUntiedHead(t *testing.T) {
	c := tiny(func(f *GPT2) { f.ResidPDrop, f.EmbdPDrop, f.NInner = 0, 0, 20 })
	tied := network(t, cpu.Options{Threads: 1}, exec.F64, c, Options{})
	c.TieWordEmbeddings = false
	untied := network(t, cpu.Options{Threads: 1}, exec.F64, c, Options{})
	f := random(c, 2, 8, 3)
	var loss [2]float64
	for i, n := range []*Network{tied, untied} {
		if err := n.Init(5); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			wte, _ := n.Layout().Param("transformer.wte.weight")
			head, ok := n.Layout().Param("lm_head.weight")
			if !ok {
				t.Fatal("no lm_head.weight")
			}
			if err := n.upload(head, 0, arena(t, n, exec.Param, wte)); err != nil {
				t.Fatal(err)
			}
		}
		x := executor(t, n, Train, 2, 8, 0)
		run(t, n, x, f)
		loss[i] = read(t, x, "loss")[0]
	}
	if loss[0] != loss[1] {
		t.Errorf("loss %v tied, %v untied", loss[0], loss[1])
	}
	for _, p := range tied.Layout().Params {
		q, _ := untied.Layout().Param(p.Name)
		g := arena(t, untied, exec.Grad, q)
		if p.Name == "transformer.wte.weight" {
			head, _ := untied.Layout().Param("lm_head.weight")
			for i, v := range arena(t, untied, exec.Grad, head) {
				g[i] += v
			}
		}
		compare(t, p.Name, g, arena(t, tied, exec.Grad, p), 1e-14)
	}
	if p, _ := tied.Layout().Param("transformer.h.0.mlp.c_fc.weight"); !slices.Equal(p.Shape, []int{8, 20}) {
		t.Errorf("c_fc has shape %v", p.Shape)
	}
}

// A network that only reads has no gradients, one that trains has them.
func TestGradientsAreAllocatedForTraining(t *testing.T) {
	c := tiny()
	n := network(t, cpu.Options{Threads: 1}, exec.F32, c, Options{State: func(*exec.Layout) int { return 1 << 20 }})
	if err := n.Init(1); err != nil {
		t.Fatal(err)
	}
	f := random(c, 1, 4, 1)
	run(t, n, executor(t, n, Evaluate, 1, 4, 0), f)
	executor(t, n, Decode, 1, 4, 1)
	if got, want := n.Memory().Bytes(), n.Layout().Bytes; got != want {
		t.Errorf("%d bytes after reading, want %d, of the parameters", got, want)
	}
	run(t, n, executor(t, n, Train, 1, 4, 0), f)
	if got, want := n.Memory().Bytes(), n.Layout().Bytes+n.Layout().GradBytes(); got != want {
		t.Errorf("%d bytes after training, want %d, of parameters and gradients", got, want)
	}
}

// T5's decoder gives the logits of the reference from caches: the encoder has read both texts in one run, and the
// decoder reads its own in pieces, side by side.
func TestDecodeBehindEncoder(t *testing.T) {
	for _, name := range []string{"t5", "t5v1_1"} {
		r := readReference(t, name)
		for _, kernels := range kernelSets(t) {
			n := network(t, cpu.Options{Threads: 2, Kernels: kernels}, exec.F32, r.Config, r.options(LanguageModel))
			r.load(t, n)
			var first []float64
			for _, cuts := range [][]int{{7}, {1, 1, 1, 1, 1, 1, 1}, {3, 4}} {
				s, err := n.NewSession(2, 16)
				if err != nil {
					t.Fatal(err)
				}
				x, err := s.Executor(Encode, 32)
				if err != nil {
					t.Fatal(err)
				}
				f := &Feed{}
				put := func(token, position, sequence int32) {
					f.Tokens, f.Positions, f.Sequences = append(f.Tokens, token), append(f.Positions, position), append(f.Sequences, sequence)
				}
				for b, row := range r.Encoder {
					for i, id := range row[:r.EncoderLengths[b]] {
						put(id, int32(i), int32(b))
						f.Segments = append(f.Segments, int32(b))
					}
				}
				for len(f.Tokens) < 32 {
					put(-1, -1, 0)
					f.Segments = append(f.Segments, -1)
				}
				run(t, n, x, f)
				var got, want []float64
				from := 0
				for _, count := range cuts {
					f = &Feed{}
					for b, row := range r.IDs {
						for i := from; i < from+count; i++ {
							put(row[i], int32(i), int32(b))
							f.EncoderLast = append(f.EncoderLast, int32(r.EncoderLengths[b]-1))
						}
						f.Pool = append(f.Pool, int32(len(f.Tokens)-1))
					}
					from += count
					if x, err = s.Executor(Decode, len(f.Tokens)); err != nil {
						t.Fatal(err)
					}
					run(t, n, x, f)
					got = append(got, read(t, x, "logits")...)
					for b := range r.IDs {
						at := (b*len(r.IDs[0]) + from - 1) * r.Config.VocabSize
						want = append(want, r.values["T5ForConditionalGeneration/logits"][at:at+r.Config.VocabSize]...)
					}
				}
				compare(t, name+" "+kernels+" decoded logits", got, want, parity[exec.F32])
				last := got[len(got)-2*r.Config.VocabSize:]
				if first == nil {
					first = last
				} else if !slices.Equal(first, last) {
					t.Errorf("%s %s: pieces of %v give other bits", name, kernels, cuts)
				}
			}
		}
	}
}

// againstReference skips, in short mode, a test that compares a family's numbers with outside ones: what computes them
// side by side is the same in all families, and the race detector takes minutes.
func againstReference(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("compares numbers of families with a reference: not in short mode")
	}
}
