package exec

import (
	"errors"
	"fmt"
)

const align = 64

func alignUp(n int) int { return (n + align - 1) &^ (align - 1) }

// A Builder writes a program. It keeps the first error, which Program returns.
type Builder struct {
	p     Program
	layer int
	err   error
}

// NewBuilder starts a program of the given name.
func NewBuilder(name string) *Builder {
	return &Builder{p: Program{Name: name, Named: map[string]ID{}}}
}

func (b *Builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

// At adds a value at a fixed offset of a param, grad or state arena.
func (b *Builder) At(name string, class Class, offset int, dt DType, shape ...int) ID {
	return b.at(Value{Name: name, Shape: shape, DType: dt, Class: class, Offset: offset})
}

// Param adds a parameter where its layout has it. Its shape has as many elements as in the layout.
func (b *Builder) Param(p ParamInfo, shape ...int) ID {
	return b.at(Value{Name: p.Name, Shape: shape, DType: p.DType, Form: p.Form, Class: Param, Offset: p.Offset})
}

func (b *Builder) at(v Value) ID {
	if v.Class >= Cache {
		b.fail("value %s: class %v has no fixed offsets", v.Name, v.Class)
	}
	if v.Offset%align != 0 {
		b.fail("value %s: offset %d is not a multiple of %d", v.Name, v.Offset, align)
	}
	id := b.add(v)
	b.p.Bytes[v.Class] = max(b.p.Bytes[v.Class], alignUp(v.Offset+v.Bytes()))
	return id
}

// Cache adds a value of the cache arena. Programs that share caches declare the same ones in
// the same order.
func (b *Builder) Cache(name string, dt DType, shape ...int) ID {
	return b.next(Cache, name, dt, shape)
}

// Input adds a value that the host feeds by name.
func (b *Builder) Input(name string, dt DType, shape ...int) ID {
	return b.next(Input, name, dt, shape)
}

// next adds a named value behind the others of its class.
func (b *Builder) next(class Class, name string, dt DType, shape []int) ID {
	if _, dup := b.p.Named[name]; dup {
		b.fail("%v %s is declared twice", class, name)
	}
	id := b.add(Value{Name: name, Shape: shape, DType: dt, Class: class, Offset: b.p.Bytes[class]})
	b.p.Bytes[class] += alignUp(b.p.Values[id].Bytes())
	b.p.Named[name] = id
	return id
}

// Joined says that parameters follow one another in their arena as if they were one matrix, so that Fuse makes a
// view of their concatenation.
func (b *Builder) Joined(ids ...ID) bool { return b.p.joined(Param, ids) }

// joined says that of values of a class, whose first dimensions are put one after another.
func (p *Program) joined(c Class, ids []ID) bool {
	for k, id := range ids {
		if id == None || p.Values[id].Class != c {
			return false
		}
		if k == 0 {
			continue
		}
		v, before := &p.Values[id], &p.Values[ids[k-1]]
		if v.Offset != before.Offset+before.Bytes() || v.DType != before.DType || v.Form != before.Form || !before.Form.joins(before.Shape) {
			return false
		}
	}
	return true
}

// Constant gives an input values, []float64 or []int32, that executors set once.
func (b *Builder) Constant(id ID, values any) {
	b.p.Constants = append(b.p.Constants, Constant{id, values})
}

// Scratch adds a value that lives from the instruction that writes it to the last that reads it.
func (b *Builder) Scratch(name string, dt DType, shape ...int) ID {
	return b.add(Value{Name: name, Shape: shape, DType: dt, Class: Scratch, Offset: -1})
}

func (b *Builder) add(v Value) ID {
	for _, d := range v.Shape {
		if d < 0 {
			b.fail("value %s: negative dimension in shape %v", v.Name, v.Shape)
		}
	}
	b.p.Values = append(b.p.Values, v)
	return ID(len(b.p.Values) - 1)
}

// Layer says that the following instructions belong to layer n of the model, counted from 1; 0: to none.
func (b *Builder) Layer(n int) { b.layer = n }

// Emit appends an instruction.
func (b *Builder) Emit(op Op, in, out []ID, a Attrs, note string) {
	b.p.Instrs = append(b.p.Instrs, Instr{Op: op, In: in, Out: out, Attrs: a, Layer: b.layer, Note: note})
}

// Output names a value for the host to read after a run. It stays alive to the end.
func (b *Builder) Output(name string, id ID) {
	if _, dup := b.p.Named[name]; dup {
		b.fail("output %s is declared twice", name)
	}
	b.p.Named[name] = id
}

// Program checks that every value is written before it is read, plans the scratch
// arena and returns the program.
func (b *Builder) Program() (*Program, error) {
	if b.err != nil {
		return nil, fmt.Errorf("exec: program %s: %w", b.p.Name, b.err)
	}
	if err := b.p.plan(); err != nil {
		return nil, fmt.Errorf("exec: program %s: %w", b.p.Name, err)
	}
	p := b.p
	b.err = errors.New("builder used after Program")
	return &p, nil
}
