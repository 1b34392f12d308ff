package exec

import (
	"fmt"
	"math"
	"time"
	"unsafe"
)

// Memory is what the programs of one model share: one arena each for parameters, gradients, state and
// caches. An arena is allocated when it is first used: a model that is only evaluated has no gradients.
type Memory struct {
	dev    Device
	arenas [Input]*arena
}

type arena struct {
	bytes int
	buf   Buffer // nil: not used yet
}

// NewMemory gives a memory with arenas of these sizes, in bytes, and no caches.
func NewMemory(dev Device, param, grad, state int) *Memory {
	return &Memory{dev, [Input]*arena{Param: {bytes: param}, Grad: {bytes: grad}, State: {bytes: state}, Cache: {}}}
}

// WithCache is the same memory with caches of its own, zero at first.
func (m *Memory) WithCache(bytes int) *Memory {
	own := *m
	own.arenas[Cache] = &arena{bytes: bytes}
	return &own
}

// Device is where the memory lies.
func (m *Memory) Device() Device { return m.dev }

// Bytes is what has been allocated.
func (m *Memory) Bytes() int {
	n := 0
	for _, a := range m.arenas {
		if a.buf != nil {
			n += a.buf.Len()
		}
	}
	return n
}

// arena is that of a shared class, nil where it has no bytes.
func (m *Memory) arena(c Class) (Buffer, error) {
	a := m.arenas[c]
	if a.buf == nil && a.bytes > 0 {
		buf, err := m.dev.Alloc(alignUp(a.bytes))
		if err != nil {
			return nil, fmt.Errorf("exec: %v arena of %d bytes: %w", c, a.bytes, err)
		}
		a.buf = buf
	}
	return a.buf, nil
}

func (m *Memory) part(c Class, offset, n int) (Buffer, error) {
	buf, err := m.arena(c)
	if err != nil {
		return nil, err
	}
	if buf == nil || offset < 0 || offset+n > buf.Len() {
		return nil, fmt.Errorf("exec: the %v arena of %d bytes has no %d from %d on", c, m.arenas[c].bytes, n, offset)
	}
	return buf.Slice(offset, n), nil
}

// Upload copies host data to an offset of a shared arena.
func (m *Memory) Upload(c Class, offset int, data []byte) error {
	part, err := m.part(c, offset, len(data))
	if err != nil {
		return err
	}
	return m.dev.Upload(part, data)
}

// Set is Upload of numbers.
func Set[N Number](m *Memory, c Class, offset int, data []N) error {
	return m.Upload(c, offset, bytesOf(data))
}

// Download copies from an offset of a shared arena into data.
func (m *Memory) Download(c Class, offset int, data []byte) error {
	part, err := m.part(c, offset, len(data))
	if err != nil {
		return err
	}
	return m.dev.Download(data, part)
}

// An Executor is a program bound to memory on a device.
type Executor struct {
	prog  *Program
	dev   Device
	mem   *Memory
	vals  []Arg
	args  [][]Arg // of each instruction: In, then Out
	timed func(instr int, took time.Duration)
}

// NewExecutor allocates the program's own arenas (inputs and scratch) and binds
// its operands, so that a run allocates nothing.
func NewExecutor(mem *Memory, p *Program) (*Executor, error) {
	e := &Executor{prog: p, dev: mem.dev, mem: mem}
	var arenas [numClasses]Buffer
	for c := range Input {
		if p.Bytes[c] == 0 {
			continue
		}
		buf, err := mem.arena(c)
		if err != nil {
			return nil, err
		}
		arenas[c] = buf
	}
	for _, c := range []Class{Input, Scratch} {
		if p.Bytes[c] == 0 {
			continue
		}
		buf, err := mem.dev.Alloc(p.Bytes[c])
		if err != nil {
			return nil, fmt.Errorf("exec: program %s: %v arena of %d bytes: %w", p.Name, c, p.Bytes[c], err)
		}
		arenas[c] = buf
	}
	e.vals = make([]Arg, len(p.Values))
	for i := range p.Values {
		v := &p.Values[i]
		if v.Class == Scratch && v.Offset < 0 {
			continue // never written, so never read
		}
		arena := arenas[v.Class]
		if arena == nil || v.Offset+v.Bytes() > arena.Len() {
			return nil, fmt.Errorf("exec: program %s: %s does not fit the %v arena", p.Name, v.Name, v.Class)
		}
		e.vals[i] = Arg{Buffer: arena.Slice(v.Offset, v.Bytes()), Shape: v.Shape, DType: v.DType, Form: v.Form}
	}
	for _, c := range p.Constants {
		if err := e.set(&p.Values[c.ID], c); err != nil {
			return nil, err
		}
	}
	e.args = make([][]Arg, len(p.Instrs))
	for i := range p.Instrs {
		for _, ids := range [][]ID{p.Instrs[i].In, p.Instrs[i].Out} {
			for _, id := range ids {
				if id == None {
					e.args[i] = append(e.args[i], Arg{})
				} else {
					e.args[i] = append(e.args[i], e.vals[id])
				}
			}
		}
	}
	return e, nil
}

// set uploads a constant.
func (e *Executor) set(v *Value, c Constant) error {
	var data []byte
	switch values := c.Values.(type) {
	case []int32:
		data = bytesOf(values)
	case []float64:
		data = bytesOf(values)
		if v.DType == F32 {
			narrow := make([]float32, len(values))
			for i, x := range values {
				narrow[i] = float32(x)
			}
			data = bytesOf(narrow)
		}
	}
	if len(data) != v.Bytes() {
		return fmt.Errorf("exec: program %s: constant %s has %d bytes, want %d", e.prog.Name, v.Name, len(data), v.Bytes())
	}
	return e.dev.Upload(e.vals[c.ID].Buffer, data)
}

// Program is what the executor runs.
func (e *Executor) Program() *Program { return e.prog }

// Memory is what the program shares with others.
func (e *Executor) Memory() *Memory { return e.mem }

// Number is an element type that the host can feed or read.
type Number interface{ float32 | float64 | int32 }

func bytesOf[N Number](s []N) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}

func dtypeOf[N Number]() DType {
	var n N
	switch any(n).(type) {
	case float32:
		return F32
	case float64:
		return F64
	}
	return I32
}

func (e *Executor) named(name string, dt DType, n int) (Arg, error) {
	id, ok := e.prog.Named[name]
	if !ok {
		return Arg{}, fmt.Errorf("exec: program %s has no input or output %q", e.prog.Name, name)
	}
	v := &e.prog.Values[id]
	if v.DType != dt || v.Elems() != n {
		return Arg{}, fmt.Errorf("exec: program %s: %s is %v%v, not %v[%d]", e.prog.Name, name, v.DType, v.Shape, dt, n)
	}
	return e.vals[id], nil
}

// Feed copies data, of the exact size and type, into an input.
func Feed[N Number](e *Executor, name string, data []N) error {
	a, err := e.named(name, dtypeOf[N](), len(data))
	if err != nil || len(data) == 0 {
		return err
	}
	return e.dev.Upload(a.Buffer, bytesOf(data))
}

// Read waits for the run to end and copies a named value into dst.
func Read[N Number](e *Executor, name string, dst []N) error {
	a, err := e.named(name, dtypeOf[N](), len(dst))
	if err != nil || len(dst) == 0 {
		return err
	}
	return e.dev.Download(bytesOf(dst), a.Buffer)
}

// Profile makes each Run wait for every instruction and tell how long it took; nil
// ends that.
func (e *Executor) Profile(timed func(instr int, took time.Duration)) { e.timed = timed }

// Run launches every instruction. It does not wait: Read does.
func (e *Executor) Run() error {
	if e.timed != nil {
		return e.runTimed()
	}
	for i := range e.prog.Instrs {
		if err := e.dev.Launch(&e.prog.Instrs[i], e.args[i]); err != nil {
			return e.at(i, err)
		}
	}
	return nil
}

func (e *Executor) runTimed() error {
	if err := e.dev.Sync(); err != nil {
		return err
	}
	for i := range e.prog.Instrs {
		start := time.Now()
		err := e.dev.Launch(&e.prog.Instrs[i], e.args[i])
		if err == nil {
			err = e.dev.Sync()
		}
		if err != nil {
			return e.at(i, err)
		}
		e.timed(i, time.Since(start))
	}
	return nil
}

func (e *Executor) at(i int, err error) error {
	in := &e.prog.Instrs[i]
	return fmt.Errorf("exec: program %s: instruction %d (%v %s): %w", e.prog.Name, i, in.Op, in.Note, err)
}

// NonFiniteError names the first instruction that wrote a NaN or an infinity.
type NonFiniteError struct {
	Program string
	Instr   int
	Op      Op
	Note    string
	Value   string
	Index   int
}

func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("program %s: instruction %d: %v %s: %s is not finite from element %d on",
		e.Program, e.Instr, e.Op, e.Note, e.Value, e.Index)
}

// RunChecked is Run, but checks the floating-point outputs of each instruction, and stops at the first
// that is not finite with a *NonFiniteError. It is slow, and meant for finding out why a loss is not finite.
func (e *Executor) RunChecked() error {
	var host []byte
	for i := range e.prog.Instrs {
		in := &e.prog.Instrs[i]
		if err := e.dev.Launch(in, e.args[i]); err != nil {
			return e.at(i, err)
		}
		for _, id := range in.Out {
			if id == None || e.prog.Values[id].DType == I32 {
				continue
			}
			v := &e.prog.Values[id]
			if cap(host) < v.Bytes() {
				host = make([]byte, v.Bytes())
			}
			host = host[:v.Bytes()]
			if err := e.dev.Download(host, e.vals[id].Buffer); err != nil {
				return e.at(i, err)
			}
			if k := firstNonFinite(host, v.DType); k >= 0 {
				return &NonFiniteError{e.prog.Name, i, in.Op, in.Note, v.Name, k}
			}
		}
	}
	return nil
}

func firstNonFinite(b []byte, dt DType) int {
	n := len(b) / dt.Size()
	for i := range n {
		var x float64
		if dt == F64 {
			x = *(*float64)(unsafe.Pointer(&b[i*8]))
		} else {
			x = float64(*(*float32)(unsafe.Pointer(&b[i*4])))
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return i
		}
	}
	return -1
}
