package exec

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Fuse joins instructions into one where a kernel can do both while the data is in registers or caches. It
// comes last, before Program. Results keep their bits, with two exceptions, which are rounded in another order: the
// gradient of a bias that is summed while its rows are made, and that of a table that is both an embedding and an
// output layer.
//
// A matrix product and the GELU behind it are not joined: writing the product's blocks twice costs as much as is
// gained by one reading pass less (0 to 3 % slower with AVX2 at a transformer's sizes, 20 % at 768 rows of 128).
func (b *Builder) Fuse() {
	f := &fusion{p: &b.p}
	f.index()
	for _, pass := range []func(i int) bool{
		f.concat, f.split, f.head, f.addNorm, f.normGradResidual, f.normGradSum, f.geluGradSum, f.embedGrad,
	} {
		for i := range f.p.Instrs {
			for f.p.Instrs[i].Op != OpInvalid && pass(i) { // again, on the instruction that it has become
			}
		}
	}
	f.p.Instrs = slices.DeleteFunc(f.p.Instrs, func(in Instr) bool { return in.Op == OpInvalid })
	f.rename()
}

// A fusion is a program while it is rewritten. Instructions keep their numbers; a removed one becomes OpInvalid.
// So the index of readers and writers is updated where something changes, and not built again.
type fusion struct {
	p       *Program
	writers [][]int // of each value: the instructions, in their order
	readers [][]int
	named   []bool // the host reads the value
}

func (f *fusion) index() {
	n := len(f.p.Values)
	f.writers, f.readers, f.named = make([][]int, n), make([][]int, n), make([]bool, n)
	for i := range f.p.Instrs {
		f.link(i)
	}
	for _, id := range f.p.Named {
		f.named[id] = true
	}
}

// writer is the first instruction that writes a value, -1 if none does, or the host.
func (f *fusion) writer(id ID) int {
	if len(f.writers[id]) == 0 {
		return -1
	}
	return f.writers[id][0]
}

// link notes an instruction's operands.
func (f *fusion) link(i int) {
	for list, ids := range f.operands(i) {
		for _, id := range ids {
			if id != None {
				at, _ := slices.BinarySearch(list[id], i)
				list[id] = slices.Insert(list[id], at, i)
			}
		}
	}
}

// unlink forgets them.
func (f *fusion) unlink(i int) {
	for list, ids := range f.operands(i) {
		for _, id := range ids {
			if id != None {
				list[id] = slices.DeleteFunc(list[id], func(k int) bool { return k == i })
			}
		}
	}
}

func (f *fusion) operands(i int) iter.Seq2[[][]int, []ID] {
	return func(yield func([][]int, []ID) bool) {
		_ = yield(f.readers, f.p.Instrs[i].In) && yield(f.writers, f.p.Instrs[i].Out)
	}
}

// set puts another instruction in the place of instruction i.
func (f *fusion) set(i int, in Instr) {
	f.unlink(i)
	f.p.Instrs[i] = in
	f.link(i)
}

// value adds a scratch value.
func (f *fusion) value(v Value) ID {
	f.p.Values = append(f.p.Values, v)
	f.writers, f.readers, f.named = append(f.writers, nil), append(f.readers, nil), append(f.named, false)
	return ID(len(f.p.Values) - 1)
}

// concat makes a view of parameters that lie side by side.
func (f *fusion) concat(i int) bool {
	in := &f.p.Instrs[i]
	return in.Op == OpConcat && f.view(i, in.Out[0], in.In, Param)
}

// split makes the instruction that writes its operand write to the parts instead.
func (f *fusion) split(i int) bool {
	in := &f.p.Instrs[i]
	if in.Op != OpSplit || !f.only(in.In[0], i) || f.writer(in.In[0]) < 0 {
		return false
	}
	for _, part := range in.Out {
		if part != None && f.writer(part) != i {
			return false
		}
	}
	return f.unread(i, in.Out...) && f.view(i, in.In[0], in.Out, Grad)
}

// view puts a scratch value where parts of a class lie side by side, in place of instruction i.
func (f *fusion) view(i int, whole ID, parts []ID, c Class) bool {
	v := &f.p.Values[whole]
	if !f.p.joined(c, parts) || v.Class != Scratch || f.named[whole] {
		return false
	}
	first := &f.p.Values[parts[0]]
	v.Class, v.Offset, v.DType, v.Form = c, first.Offset, first.DType, first.Form
	v.Name = fmt.Sprintf("%s+%d", first.Name, len(parts)-1)
	f.set(i, Instr{})
	return true
}

// at is operand k, or None.
func at(ids []ID, k int) ID {
	if k < len(ids) {
		return ids[k]
	}
	return None
}

// reader is the only instruction of a kind that reads a value; ok says that there is one.
func (f *fusion) reader(id ID, op Op) (i int, ok bool) {
	for _, r := range f.readers[id] {
		if f.p.Instrs[r].Op == op {
			if ok {
				return 0, false
			}
			i, ok = r, true
		}
	}
	return i, ok
}

// only reports whether a value is scratch that exactly these instructions read.
func (f *fusion) only(id ID, readers ...int) bool {
	slices.Sort(readers)
	return f.p.Values[id].Class == Scratch && !f.named[id] && slices.Equal(f.readers[id], readers)
}

// ready reports whether all operands are there before instruction i, and none changes
// between i and until.
func (f *fusion) ready(i, until int, ids ...ID) bool {
	for _, id := range ids {
		if id == None || f.p.Values[id].Class == Param || f.p.Values[id].Class == Input {
			continue
		}
		if f.p.Values[id].Class != Scratch || f.writer(id) >= i {
			return false
		}
	}
	return i <= until
}

// unread reports whether no instruction before i reads any of the values.
func (f *fusion) unread(i int, ids ...ID) bool {
	for _, id := range ids {
		if id != None && slices.ContainsFunc(f.readers[id], func(r int) bool { return r < i }) {
			return false
		}
	}
	return true
}

// replace puts an instruction in the place of instruction i, and takes others out.
func (f *fusion) replace(i int, in Instr, gone ...int) {
	for _, k := range gone {
		f.set(k, Instr{})
	}
	f.set(i, in)
}

// Rows of logits that the head computes at a time: enough that reading the weight and its gradient twice for each
// part costs little, and few enough to stay in a cache. For a large vocabulary there are fewer, to save memory.
const (
	workRows  = 1024
	workBytes = 128 << 20
)

// head joins the output layer, its loss and their gradients into one instruction, which never holds the
// logits of all rows.
func (f *fusion) head(i int) bool {
	lin := f.p.Instrs[i]
	if lin.Op != OpLinear {
		return false
	}
	x, w, bias, logits := lin.In[0], lin.In[1], at(lin.In, 2), lin.Out[0]
	ce, ok := f.reader(logits, OpCrossEntropy)
	if !ok || f.p.Instrs[ce].In[0] != logits {
		return false
	}
	loss := f.p.Instrs[ce]
	targets, weights, lse := loss.In[1], loss.In[2], loss.Out[2]
	if !f.ready(i, ce, targets, weights) {
		return false
	}
	dloss, dx, dw, dbias := None, None, None, None
	gone := []int{ce}
	if g, ok := f.reader(logits, OpCrossEntropyGrad); ok {
		grad := f.p.Instrs[g]
		if !slices.Equal(grad.In[:4], []ID{logits, targets, weights, lse}) {
			return false
		}
		dloss = grad.In[4]
		dlogits := grad.Out[0]
		if !f.ready(i, g, dloss) || !f.only(logits, ce, g) || !f.only(lse, g) {
			return false
		}
		gone = append(gone, g)
		readers := f.readers[dlogits]
		if !f.only(dlogits, slices.Clone(readers)...) {
			return false
		}
		for _, r := range readers {
			in := f.p.Instrs[r]
			switch {
			case in.Op == OpLinearGradX && dx == None && in.In[0] == dlogits && in.In[1] == w:
				dx = in.Out[0]
			case in.Op == OpLinearGradW && dw == None && in.In[0] == x && in.In[1] == dlogits:
				dw = in.Out[0]
			case in.Op == OpColSum && bias != None && dbias == None:
				dbias = in.Out[0]
			default:
				return false
			}
			gone = append(gone, r)
		}
	} else if !f.only(logits, ce) {
		return false
	}
	attrs := lin.Attrs
	attrs.ZLoss, attrs.Smoothing = loss.Attrs.ZLoss, loss.Attrs.Smoothing
	rows, v := f.p.Values[logits].Shape[0], f.p.Values[logits].Shape[1]
	dt := f.p.Values[logits].DType
	limit := min(workRows, max(64, workBytes/(v*dt.Size())))
	parts := (rows + limit - 1) / limit
	p := min(rows, ((rows+parts-1)/parts+63)&^63)
	work := f.value(Value{Name: "%.logits", Shape: []int{p, v}, DType: dt, Class: Scratch, Offset: -1})
	f.name(dx, "dx")
	f.name(dw, "dw")
	in := Instr{
		Op: OpLinearCrossEntropy, In: []ID{x, w, targets, weights, dloss},
		Out: []ID{loss.Out[0], loss.Out[1], lse, dx, dw, work}, Attrs: attrs, Note: lin.Note,
	}
	if bias != None {
		f.name(dbias, "dbias")
		in.In, in.Out = append(in.In, bias), append(in.Out, dbias)
	}
	f.replace(i, in, gone...)
	return true
}

// addNorm joins a residual sum and its norm into one instruction.
func (f *fusion) addNorm(i int) bool {
	add := f.p.Instrs[i]
	if add.Op != OpAdd {
		return false
	}
	sum := add.Out[0]
	if f.p.Values[sum].Class != Scratch || len(f.p.Values[sum].Shape) != 2 {
		return false
	}
	for _, op := range [][2]Op{{OpLayerNorm, OpAddLayerNorm}, {OpRMSNorm, OpAddRMSNorm}} {
		// The first norm: it may run again for its gradient.
		k := slices.IndexFunc(f.readers[sum], func(r int) bool { return f.p.Instrs[r].Op == op[0] })
		if k < 0 {
			continue
		}
		n := f.readers[sum][k]
		norm := f.p.Instrs[n]
		if norm.In[0] != sum || !f.ready(i, n, norm.In[1:]...) {
			continue
		}
		f.name(norm.Out[0], "y")
		f.replace(i, Instr{
			Op: op[1], In: slices.Concat(add.In, norm.In[1:]), Out: slices.Concat([]ID{sum}, norm.Out),
			Attrs: norm.Attrs, Layer: norm.Layer, Note: norm.Note, Again: add.Again,
		}, n)
		return true
	}
	return false
}

// normGrad says where a norm's gradient has its operands.
func normGrad(op Op) (dres, dsum int, ok bool) {
	switch op {
	case OpLayerNormGrad:
		return 5, 3, true
	case OpRMSNormGrad:
		return 4, 2, true
	}
	return 0, 0, false
}

// normGradResidual lets a norm's gradient add what reaches its input past the norm.
func (f *fusion) normGradResidual(i int) bool {
	add := f.p.Instrs[i]
	if add.Op != OpAdd || add.In[0] == add.In[1] {
		return false
	}
	for k, dx := range add.In {
		n := f.writer(dx)
		if n < 0 || n > i {
			continue
		}
		grad := f.p.Instrs[n]
		dres, _, ok := normGrad(grad.Op)
		if !ok || grad.Out[0] != dx || at(grad.In, dres) != None || !f.only(dx, i) {
			continue
		}
		// It moves to where the sum was, since the other term may not be there before.
		if !f.ready(n, i, grad.In...) || !f.unread(i, grad.Out[1:]...) || f.p.Values[add.In[1-k]].Class != Scratch {
			continue
		}
		grad.In = append(slices.Clone(grad.In), slices.Repeat([]ID{None}, dres+1)...)[:dres+1]
		grad.In[dres] = add.In[1-k]
		grad.Out = slices.Clone(grad.Out)
		grad.Out[0] = add.Out[0]
		f.replace(i, grad, n)
		return true
	}
	return false
}

// normGradSum lets a norm's gradient sum its rows: the gradient of a bias before it.
func (f *fusion) normGradSum(i int) bool {
	in := f.p.Instrs[i]
	_, dsum, ok := normGrad(in.Op)
	if ok && f.p.Values[in.In[2]].Elems() != f.p.Values[in.In[1]].Shape[1] {
		return false // a norm of each head
	}
	return ok && f.sumRows(i, dsum)
}

// geluGradSum does the same for the bias before a GELU.
func (f *fusion) geluGradSum(i int) bool {
	return f.p.Instrs[i].Op == OpGELUGrad && f.sumRows(i, 1)
}

// sumRows makes the sum of the rows of instruction i's first result its result k.
func (f *fusion) sumRows(i, k int) bool {
	in := f.p.Instrs[i]
	if in.Out[0] == None || at(in.Out, k) != None || len(f.p.Values[in.Out[0]].Shape) != 2 {
		return false
	}
	c, ok := f.reader(in.Out[0], OpColSum)
	if !ok {
		return false
	}
	db := f.p.Instrs[c].Out[0]
	if f.writer(db) != c || !f.unread(c, db) {
		return false
	}
	in.Out = append(slices.Clone(in.Out), slices.Repeat([]ID{None}, k+1)...)[:max(k+1, len(in.Out))]
	in.Out[k] = db
	f.replace(i, in, c)
	return true
}

// embedGrad adds the rows of an embedding's gradient to the rest of its table's, where
// that is the gradient of a parameter.
func (f *fusion) embedGrad(i int) bool {
	add := f.p.Instrs[i]
	if add.Op != OpAdd || add.In[0] == add.In[1] || f.p.Values[add.Out[0]].Class != Grad || f.writer(add.Out[0]) != i {
		return false
	}
	home := add.Out[0]
	for k, rows := range add.In {
		e, base := f.writer(rows), add.In[1-k]
		if e < 0 || f.p.Instrs[e].Op != OpEmbedGrad || at(f.p.Instrs[e].In, 2) != None || !f.only(rows, i) {
			continue
		}
		g := f.p.Instrs[e]
		if !f.only(base, i) || f.writer(base) < 0 || !f.ready(e, i, g.In...) || !f.unread(i, home) {
			continue
		}
		// The term of the sum is written in the place of the sum.
		at := f.writer(base)
		w := f.p.Instrs[at]
		w.Out = slices.Clone(w.Out)
		w.Out[slices.Index(w.Out, base)] = home
		f.set(at, w)
		g.In = []ID{g.In[0], g.In[1], home}
		g.Out = []ID{home}
		f.replace(i, g, e)
		return true
	}
	return false
}

// name tells a result of an instruction from its first; rename adds the number.
func (f *fusion) name(id ID, result string) {
	if id != None && f.p.Values[id].Class == Scratch {
		f.p.Values[id].Name = "%." + result
	}
}

// rename numbers what is named after its instruction anew: %12, %12.lse.
func (f *fusion) rename() {
	for i := range f.p.Instrs {
		for _, id := range f.p.Instrs[i].Out {
			if id == None || f.p.Values[id].Class != Scratch {
				continue
			}
			v := &f.p.Values[id]
			if number, result, ok := strings.Cut(v.Name, "."); strings.HasPrefix(number, "%") {
				v.Name = fmt.Sprintf("%%%d", i)
				if ok {
					v.Name += "." + result
				}
			}
		}
	}
}
