package model

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"hone/checkpoint/float"
	"hone/trainer/exec"
	"hone/trainer/graph"
)

// A Network is one set of parameters on a device, with the programs over them, which are built when
// they are first asked for. It is for one goroutine.
type Network struct {
	config Config
	traits Traits
	opts   Options
	layout *exec.Layout
	inits  map[string]graph.Init
	mem    *exec.Memory
	progs  map[bucket]*exec.Program
	execs  map[bucket]*exec.Executor

	wide             []float64 // what is fed to a float64 program
	shifted, untyped []int32   // what is fed for positions, and for types that are not given
	keys             []int32   // what is fed for keys behind a memory
	behind           []int32   // what is fed to a decoder for a text that the encoder reads too
	pool             []int32   // what is fed for pooled rows
	narrow           []float32 // initial values of a float32 network
	seed             [1]float32
}

type bucket struct {
	kind    Kind
	b, t, s int
}

// NewNetwork has arenas for parameters, gradients and state, each allocated when it is first
// used. The parameters are zero until Init or Load.
func NewNetwork(dev exec.Device, dt exec.DType, c Config, o Options) (*Network, error) {
	b, err := parameters(c, dt, o)
	if err == nil && o.Adapter != nil {
		err = o.Adapter.check(b.modules)
	}
	if err != nil {
		return nil, err
	}
	c.Architectures = []string{c.class(o.Head)}
	if o.Head == Classifier {
		c.ProblemType = c.Problem()
	}
	n := &Network{
		config: c, traits: c.Traits(), opts: o, layout: exec.NewLayout(dt, b.Params()), inits: map[string]graph.Init{},
		progs: map[bucket]*exec.Program{}, execs: map[bucket]*exec.Executor{},
	}
	for i, p := range b.Params() {
		n.inits[p.Name] = b.Inits()[i]
	}
	state := 0
	if o.State != nil {
		state = o.State(n.layout)
	}
	n.mem = exec.NewMemory(dev, n.layout.Bytes, n.layout.GradBytes(), state)
	return n, nil
}

// Config is the configuration, with the architecture of the network's head.
func (n *Network) Config() Config { return n.config }

// PoolsFirst says that a classifier reads the first token of a sequence, [CLS], not its last.
func (n *Network) PoolsFirst() bool { return n.traits.FirstToken }

// Layout is where the parameters lie.
func (n *Network) Layout() *exec.Layout { return n.layout }

// Memory holds the parameters, gradients and state.
func (n *Network) Memory() *exec.Memory { return n.mem }

// Program is the program of a kind and size; see Program.
func (n *Network) Program(k Kind, b, t, s int) (*exec.Program, error) {
	key := bucket{k, b, t, s}
	if p := n.progs[key]; p != nil {
		return p, nil
	}
	p, err := Program(n.config, n.layout, n.opts, k, b, t, s)
	if err != nil {
		return nil, err
	}
	n.progs[key] = p
	return p, nil
}

// Executor is the program of a kind and size, bound to the network's memory. It shares its caches,
// if it has any, with no other program; see Session.
func (n *Network) Executor(k Kind, b, t, s int) (*exec.Executor, error) {
	key := bucket{k, b, t, s}
	if x := n.execs[key]; x != nil {
		return x, nil
	}
	p, err := n.Program(k, b, t, s)
	if err != nil {
		return nil, err
	}
	x, err := exec.NewExecutor(n.mem.WithCache(p.Size(exec.Cache)), p)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	n.execs[key] = x
	return x, nil
}

// Init draws the parameters at random. A value depends only on the seed, the parameter's name and the
// element's index, not on what else the model has. Quantised parameters stay zero: they come from a checkpoint.
func (n *Network) Init(seed uint64) error {
	values := make([]float64, initChunk) // a matrix may be too large to be held twice
	for _, p := range n.layout.Params {
		if p.DType.Quantized() {
			continue
		}
		init := n.inits[p.Name]
		var whole []float32 // of one that is not laid out as its elements are numbered
		for first := 0; first < p.Elems; first += initChunk {
			v := values[:min(initChunk, p.Elems-first)]
			switch {
			case init.Ones:
				for i := range v {
					v[i] = 1
				}
			case init.Positions:
				waves(v, first, p.Shape[1], init.Std)
			case init.Std > 0:
				draw(v, first, seed, p.Name, init.Std)
			case init.Uniform > 0:
				uniform(v, first, seed, p.Name, init.Uniform)
			default:
				clear(v)
			}
			if p.DType.Stored() || p.Form != exec.Rows {
				for _, x := range v {
					y := float32(x)
					if p.DType == exec.BF16 {
						y = float.FromBF16(float.ToBF16(y))
					}
					whole = append(whole, y)
				}
				continue
			}
			if err := n.upload(p, first, v); err != nil {
				return err
			}
		}
		if whole != nil {
			if err := n.SetWeight(p.Name, whole); err != nil {
				return err
			}
		}
	}
	return nil
}

// initChunk is how many values are drawn at a time, drawPart how many by one goroutine. Both are even.
const (
	initChunk = 1 << 17
	drawPart  = 1 << 14
)

// draw is normal, on all processors.
func draw(dst []float64, first int, seed uint64, name string, std float64) {
	var parts sync.WaitGroup
	for i := 0; i < len(dst); i += drawPart {
		parts.Go(func() { normal(dst[i:min(i+drawPart, len(dst))], first+i, seed, name, std) })
	}
	parts.Wait()
}

// normal fills dst with elements first, first+1, … (first is even) of normal numbers of
// mean 0: elements 2j and 2j+1 are the pair that Box & Muller (1958) make of two uniform
// ones, and those are the SplitMix64 hashes (Steele et al. 2014) of seed, name and index.
func normal(dst []float64, first int, seed uint64, name string, std float64) {
	h := fnv.New64a()
	h.Write([]byte(name))
	key := mix(seed) ^ h.Sum64()
	for i := 0; i < len(dst); i += 2 {
		j := uint64(first + i)
		u := float64(mix(key+golden*(j+1))>>11+1) * 0x1p-53 // (0,1]
		v := float64(mix(key+golden*(j+2))>>11) * 0x1p-53   // [0,1)
		r := std * math.Sqrt(-2*math.Log(u))
		dst[i] = r * math.Cos(2*math.Pi*v)
		if i+1 < len(dst) {
			dst[i+1] = r * math.Sin(2*math.Pi*v)
		}
	}
}

// uniform fills dst with elements first, first+1, … of numbers from -bound to bound, of the same hashes.
func uniform(dst []float64, first int, seed uint64, name string, bound float64) {
	h := fnv.New64a()
	h.Write([]byte(name))
	key := mix(seed) ^ h.Sum64()
	for i := range dst {
		dst[i] = bound * (float64(mix(key+golden*uint64(first+i+1))>>11)*0x1p-52 - 1)
	}
}

// golden is 2^64 divided by the golden ratio.
const golden = 0x9e3779b97f4a7c15

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Weight copies a parameter into dst, which has its size.
func (n *Network) Weight(name string, dst []float32) error {
	p, err := n.param(name, len(dst))
	if err != nil {
		return err
	}
	if p.DType == exec.F32 && p.Form == exec.Rows {
		return n.mem.Download(exec.Param, p.Offset, bytesOf(dst))
	}
	data := make([]byte, p.Bytes())
	if err := n.mem.Download(exec.Param, p.Offset, data); err != nil {
		return err
	}
	switch {
	case p.DType == exec.F64:
		for i, v := range elementsOf[float64](data) {
			dst[i] = float32(v)
		}
		return nil
	case p.Form == exec.Rows:
		return exec.Dequantize(p.DType, dst, data)
	case p.DType.Quantized():
		blocks := make([]byte, p.DType.Bytes(p.Elems))
		exec.UnpackBlocks(p.DType, p.Shape[0], p.Shape[1], blocks, data)
		return exec.Dequantize(p.DType, dst, blocks)
	case p.DType == exec.BF16, p.DType == exec.F16:
		rows := make([]uint16, len(dst))
		exec.Unpack(p.Form, p.Shape, rows, elementsOf[uint16](data))
		return exec.Dequantize(p.DType, dst, bytesOf(rows))
	}
	exec.Unpack(p.Form, p.Shape, dst, elementsOf[float32](data))
	return nil
}

// SetBlocks sets a quantised parameter from its blocks, row by row.
func (n *Network) SetBlocks(name string, blocks []byte) error {
	p, ok := n.layout.Param(name)
	if !ok {
		return fmt.Errorf("model: no parameter %s", name)
	}
	if !p.DType.Quantized() || len(blocks) != p.DType.Bytes(p.Elems) {
		return fmt.Errorf("model: parameter %s is %v of %d bytes, not blocks of %d bytes", name, p.DType, p.DType.Bytes(p.Elems), len(blocks))
	}
	if p.Form != exec.Rows {
		packed := make([]byte, p.Bytes())
		exec.PackBlocks(p.DType, p.Shape[0], p.Shape[1], packed, blocks)
		blocks = packed
	}
	return n.mem.Upload(exec.Param, p.Offset, blocks)
}

// SetWeight sets a parameter. One that is kept in a type that cannot hold the values is an error: losing precision is up
// to the caller.
func (n *Network) SetWeight(name string, src []float32) error {
	p, err := n.param(name, len(src))
	if err != nil {
		return err
	}
	to16, from16 := float.ToBF16, float.FromBF16
	if p.DType == exec.F16 {
		to16, from16 = float.ToF16, float.FromF16
	}
	var data []byte
	switch p.DType {
	case exec.F32:
		data = packed(p, src)
	case exec.F64:
		wide := make([]float64, len(src))
		for i, v := range src {
			wide[i] = float64(v)
		}
		data = packed(p, wide)
	case exec.BF16, exec.F16:
		half := make([]uint16, len(src))
		for i, v := range src {
			half[i] = to16(v)
			if from16(half[i]) != v && v == v {
				return fmt.Errorf("model: parameter %s is kept as %v, which cannot hold its element %d, %g", name, p.DType, i, v)
			}
		}
		data = packed(p, half)
	default:
		return fmt.Errorf("model: parameter %s is kept as %v: it takes blocks, not floats", name, p.DType)
	}
	return n.mem.Upload(exec.Param, p.Offset, data)
}

// packed are the bytes of a parameter as the arena has them.
func packed[E element](p exec.ParamInfo, rows []E) []byte {
	if p.Form == exec.Rows {
		return bytesOf(rows)
	}
	all := make([]E, p.Form.Elems(p.Shape))
	exec.Pack(p.Form, p.Shape, all, rows)
	return bytesOf(all)
}

func (n *Network) param(name string, elems int) (exec.ParamInfo, error) {
	p, ok := n.layout.Param(name)
	if !ok {
		return p, fmt.Errorf("model: no parameter %s", name)
	}
	if p.Elems != elems {
		return p, fmt.Errorf("model: parameter %s has %d elements, not %d", name, p.Elems, elems)
	}
	return p, nil
}

// upload sets values of a parameter, from element first on, rounded to the network's type.
func (n *Network) upload(p exec.ParamInfo, first int, values []float64) error {
	if p.DType == exec.F64 {
		return n.mem.Upload(exec.Param, p.Offset+8*first, bytesOf(values))
	}
	n.narrow = n.narrow[:0]
	for _, v := range values {
		n.narrow = append(n.narrow, float32(v))
	}
	return n.mem.Upload(exec.Param, p.Offset+4*first, bytesOf(n.narrow))
}

type element interface{ uint16 | float32 | float64 }

func bytesOf[E element](s []E) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}

// elementsOf is the reverse, of bytes that make allocated.
func elementsOf[E element](b []byte) []E {
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(*new(E))))
}

// Load sets the parameters from a checkpoint; read copies tensor i into dst. If a tensor is missing,
// unexpected or of the wrong shape, the error lists all of them, and nothing is loaded. Quantised parameters are left to
// SetBlocks.
//
// The checkpoint may have another head, or none. Parameters of the network's head that it lacks keep their
// values, and are returned as fresh; a language model's head must be there whole or not at all. Names may lack
// the family's prefix ("transformer."), as in models without a head. Parameters of other heads, copies of
// tied ones, and buffers of older versions of transformers are skipped: MatchTensors has looked at them.
func (n *Network) Load(tensors []Stored, read func(i int, dst []float32) error) (fresh []string, err error) {
	m := match(n.config, n.opts.Head, n.layout, tensors, false)
	if err := errors.Join(m.faults...); err != nil {
		return nil, err
	}
	var buf []float32
	for _, p := range n.layout.Params {
		i, ok := m.From[p.Name]
		if !ok || p.DType.Quantized() {
			continue
		}
		buf = slices.Grow(buf[:0], p.Elems)[:p.Elems]
		if err := read(i, buf); err != nil {
			return nil, fmt.Errorf("model: tensor %s: %w", p.Name, err)
		}
		if err := n.SetWeight(p.Name, buf); err != nil {
			return nil, err
		}
	}
	return m.fresh, nil
}

// LoadBody is Load without the tensors of the head, for a head with other labels. The pooler is loaded.
func (n *Network) LoadBody(tensors []Stored, read func(i int, dst []float32) error) (fresh []string, err error) {
	var body []Stored
	var at []int
	names := n.config.Family.tensors(n.opts.Head)
	for i, t := range tensors {
		if hasPrefix(t.Name, names.heads) && !strings.Contains(t.Name, "pooler.") {
			continue
		}
		body, at = append(body, t), append(at, i)
	}
	return n.Load(body, func(i int, dst []float32) error { return read(at[i], dst) })
}
