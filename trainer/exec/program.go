// Package exec holds flat programs: what they are, how their buffers are planned,
// and how they run on a device.
//
// A program is static in shape. It is a list of instructions over values; a value
// is a buffer of a class, and each class is one arena. Parameters, gradients and
// optimiser state keep their offsets in every program of a model, so that several
// programs share one set of parameters, and clipping, saving and updating are
// loops over one slice.
package exec

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Class is the arena in which a value lies; it says how long the value lives.
type Class uint8

const (
	Param   Class = iota // weights
	Grad                 // gradients, at the same offsets as the weights
	State                // survives runs: moments, accumulated gradients
	Cache                // survives runs, for the texts at hand: keys and values, XLNet's memory
	Input                // fed by the host
	Scratch              // planned by liveness
	numClasses
)

func (c Class) String() string {
	return [...]string{"param", "grad", "state", "cache", "input", "scratch"}[c]
}

// ID is a value's index in Program.Values; None is an absent operand.
type ID int32

const None ID = -1

// A Value is a buffer of a program.
type Value struct {
	Name   string
	Shape  []int
	DType  DType
	Form   Form
	Class  Class
	Offset int // bytes, within the arena of its class
}

// Elems is the number of elements.
func (v *Value) Elems() int { return Rows.Elems(v.Shape) }

// Bytes is the size of the buffer.
func (v *Value) Bytes() int { return v.DType.Bytes(v.Form.Elems(v.Shape)) }

// An Instr is one launch of a kernel.
type Instr struct {
	Op      Op
	In, Out []ID
	Attrs   Attrs
	Layer   int    // of the model, from 1; 0: of none
	Note    string // where it comes from, for people: "h.3.attn"
	Again   bool   // it runs a second time: see Recompute
}

// A Program is what a device runs. Build one with a Builder.
type Program struct {
	Name      string
	Values    []Value
	Instrs    []Instr
	Named     map[string]ID // inputs and outputs by name
	Constants []Constant
	Bytes     [numClasses]int
}

// A Constant is an input that executors set once: []float64, for a float of either size, or []int32.
type Constant struct {
	ID     ID
	Values any
}

// Size is the bytes of an arena.
func (p *Program) Size(c Class) int { return p.Bytes[c] }

// FLOPs is the number of floating-point operations of one run; a multiply and an add count as two. As usual for
// model FLOPs, only matrix products count, those of attention included. Attention counts the full T×T square, whatever
// the rows see of it, and what is computed twice counts once.
func (p *Program) FLOPs() float64 {
	var sum float64
	for i := range p.Instrs {
		if !p.Instrs[i].Again {
			sum += p.instrFLOPs(&p.Instrs[i])
		}
	}
	return sum
}

func (p *Program) instrFLOPs(in *Instr) float64 {
	v := func(ids []ID, k int) []int { return p.Values[ids[k]].Shape }
	switch in.Op {
	case OpLinear:
		x, y := v(in.In, 0), v(in.Out, 0)
		return 2 * float64(x[0]) * float64(x[1]) * float64(y[1])
	case OpLinearGradX:
		dy, w := v(in.In, 0), v(in.In, 1)
		return 2 * float64(dy[0]) * float64(w[0]) * float64(w[1])
	case OpLinearGradW:
		x, dw := v(in.In, 0), v(in.Out, 0)
		return 2 * float64(x[0]) * float64(dw[0]) * float64(dw[1])
	case OpAddLinear:
		x, w := v(in.In, 1), v(in.In, 2)
		return 2 * float64(x[0]) * float64(w[0]) * float64(w[1])
	case OpLinearCrossEntropy:
		x, work := v(in.In, 0), v(in.Out, 5)
		products := 1
		for _, id := range in.Out[3:5] {
			if id != None {
				products++
			}
		}
		return 2 * float64(x[0]) * float64(x[1]) * float64(work[1]) * float64(products)
	case OpAttention:
		y := v(in.Out, 0)
		return 4 * float64(y[0]) * p.keyRows(in) * float64(y[1])
	case OpAttentionGrad:
		y := v(in.In, 9)
		return 8 * float64(y[0]) * p.keyRows(in) * float64(y[1])
	case OpRelativeScores, OpRelativeScoresGrad:
		q, k := v(in.In, 0), v(in.In, 1)
		products := 1
		if in.Op == OpRelativeScoresGrad {
			products = 2
		}
		return 2 * float64(q[0]) * float64(q[1]) * float64(k[0]) * float64(products)
	case OpAttentionCached:
		y := v(in.Out, 0)
		return 4 * float64(y[0]) * float64(v(in.In, 1)[1]) * float64(y[1])
	}
	return 0
}

// keyRows is the number of keys in each sequence of an attention.
func (p *Program) keyRows(in *Instr) float64 {
	if segments := in.In[5]; segments != None {
		return float64(p.Values[segments].Elems() / in.Attrs.B)
	}
	return float64(in.Attrs.T)
}

// Print writes the listing: every instruction with its operands, shapes, arena
// offsets, bytes and FLOPs, then the size of each arena.
func (p *Program) Print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(tw, "program %s\n", p.Name)
	fmt.Fprint(tw, "#\top\tout\tin\tbytes\tMFLOP\tfrom\n")
	for i := range p.Instrs {
		in := &p.Instrs[i]
		bytes := 0
		for _, ids := range [][]ID{in.In, in.Out} {
			for _, id := range ids {
				if id != None {
					bytes += p.Values[id].Bytes()
				}
			}
		}
		note := in.Note
		if in.Again {
			note += " again"
		}
		fmt.Fprintf(tw, "%d\t%s%s\t%s\t%s\t%d\t%.3g\t%s\n", i, in.Op, in.suffix(),
			p.operands(in.Out), p.operands(in.In), bytes, p.instrFLOPs(in)/1e6, note)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for c := range numClasses {
		fmt.Fprintf(w, "%-8s %12d bytes\n", c, p.Bytes[c])
	}
	_, err := fmt.Fprintf(w, "%d instructions, %.4g GFLOP a run\n", len(p.Instrs), p.FLOPs()/1e9)
	return err
}

func (in *Instr) suffix() string {
	s := in.Attrs.suffix(in.Op)
	for _, rounded := range []struct {
		name string
		is   bool
	}{{"bf16", in.Attrs.BF16}, {"int8", in.Attrs.Int8}} {
		if rounded.is {
			s = strings.Replace("["+strings.Trim(s, "[]")+" "+rounded.name+"]", "[ ", "[", 1)
		}
	}
	return s
}

func (a *Attrs) suffix(op Op) string {
	switch {
	case op == OpDropout:
		return fmt.Sprintf("[p=%g #%d]", a.P, a.Salt)
	case op == OpRoPE && a.Inverse:
		return fmt.Sprintf("[H=%d back]", a.Heads)
	case op == OpRoPE:
		return fmt.Sprintf("[H=%d]", a.Heads)
	case a.Heads > 0:
		s := fmt.Sprintf("B=%d T=%d H=%d/%d", a.B, a.T, a.Heads, a.KVHeads)
		if a.Window > 0 {
			s += fmt.Sprintf(" W=%d", a.Window)
		}
		if a.P > 0 {
			s += fmt.Sprintf(" p=%g #%d", a.P, a.Salt)
		}
		return "[" + s + "]"
	case a.Rate != 0:
		return fmt.Sprintf("[rate=%g]", a.Rate)
	case a.Smoothing > 0 && a.ZLoss > 0:
		return fmt.Sprintf("[z=%g smoothing=%g]", a.ZLoss, a.Smoothing)
	case a.Smoothing > 0:
		return fmt.Sprintf("[smoothing=%g]", a.Smoothing)
	case a.ZLoss > 0:
		return fmt.Sprintf("[z=%g]", a.ZLoss)
	case a.Transposed:
		return "[(in,out)]"
	case a.First > 0:
		return fmt.Sprintf("[from %d]", a.First)
	case a.Erf:
		return "[erf]"
	case op == OpGLU || op == OpGLUGrad || op == OpActivation || op == OpActivationGrad:
		return fmt.Sprintf("[%v]", a.Activation)
	}
	return ""
}

func (p *Program) operands(ids []ID) string {
	s := ""
	for i, id := range ids {
		if i > 0 {
			s += " "
		}
		if id == None {
			s += "-"
			continue
		}
		v := &p.Values[id]
		s += fmt.Sprintf("%s%v", v.Name, v.Shape)
		if v.DType.Stored() {
			s += ":" + v.DType.String()
		}
		if v.Form != Rows {
			s += ":" + v.Form.String()
		}
		if v.Class == Scratch {
			s += fmt.Sprintf("@%d", v.Offset)
		}
	}
	return s
}
