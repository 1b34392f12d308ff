package optim

import (
	"fmt"
	"math"
	"slices"

	"hone/trainer/exec"
)

// muon is Muon (Jordan et al. 2024) for the weights of hidden layers, as
// torch.optim.Muon with adjust_lr_fn="match_rms_adamw" (Liu et al. 2025: the update
// has AdamW's size, so that both take one learning rate and one weight decay), and
// AdamW for all other parameters. The whole gradient is clipped first.
//
// In the state arena, momentum_buffer lies at the offset that its parameter has in the
// gradient arena, as AdamW's exp_avg does.
type muon struct {
	cfg  Config
	rest adamW
}

const (
	muonMomentum   = 0.95
	muonIterations = 5
	muonEps        = 1e-7 // the least norm that an update is divided by
	muonRMS        = 0.2  // root mean square of an update, about that of AdamW's
)

// muonPolynomial has the coefficients of Jordan's Newton–Schulz iteration,
// X ← (c0·I + c1·XXᵀ + c2·(XXᵀ)²)·X. They are steep at zero, and bring the singular values
// close to one, not to one.
var muonPolynomial = [3]float64{3.4445, -4.7750, 2.0315}

func newMuon(cfg Config) *muon {
	return &muon{cfg, adamW{cfg, func(p *exec.ParamInfo) bool { return p.Trainable && !hidden(p) }}}
}

// hidden reports whether Muon, not AdamW, updates a parameter.
func hidden(p *exec.ParamInfo) bool { return p.Trainable && p.Maps > 0 && p.Elems > 0 }

func (o *muon) bytes(l *exec.Layout) int { return o.rest.bytes(l) }

func (o *muon) state(l *exec.Layout) []Tensor {
	ts := o.rest.state(l)
	for i := range l.Params {
		if p := &l.Params[i]; hidden(p) {
			ts = append(ts, Tensor{Name: "momentum_buffer." + p.Name, DType: l.DType, Shape: p.Shape, Offset: p.Offset})
		}
	}
	slices.SortFunc(ts, func(a, b Tensor) int { return a.Offset - b.Offset })
	return ts
}

func (o *muon) emit(b *exec.Builder, l *exec.Layout, in inputs) {
	o.rest.emit(b, l, in)
	for i := range l.Params {
		if p := &l.Params[i]; hidden(p) {
			o.matrix(b, l, p, in)
		}
	}
}

// matrix emits the update of one weight of shape (R, K·N), which holds K maps of shape (R, N).
func (o *muon) matrix(b *exec.Builder, l *exec.Layout, p *exec.ParamInfo, in inputs) {
	rows, cols := p.Shape[0], p.Shape[1]/p.Maps
	at := func(name string, c exec.Class) exec.ID {
		return b.At(name+"."+p.Name, c, p.Offset, l.DType, p.Shape...)
	}
	w, g, m := at("param", exec.Param), at("grad", exec.Grad), at("momentum_buffer", exec.State)
	maps := make([]exec.ID, p.Maps)
	for k := range maps {
		maps[k] = b.Scratch(fmt.Sprintf("nesterov.%d", k), l.DType, rows, cols)
	}
	b.Emit(exec.OpMuonMomentum, []exec.ID{g, m, in.scalars, in.norm2}, append([]exec.ID{m}, maps...),
		exec.Attrs{Beta1: muonMomentum}, p.Name)
	for k, u := range maps {
		maps[k] = orthogonal(b, l.DType, u, rows, cols, p.Name)
	}
	a := exec.Attrs{Scale: muonRMS * math.Sqrt(float64(max(rows, cols))), WeightDecay: decayOf(p, o.cfg.WeightDecay), Rate: o.cfg.rate(p)}
	b.Emit(exec.OpMuonUpdate, append([]exec.ID{w, in.scalars, in.norm2}, maps...), []exec.ID{w}, a, p.Name)
}

// orthogonal emits an approximation of UVᵀ, where x = USVᵀ has shape (R, N). The square
// matrices have the smaller of the two sizes: a tall x is multiplied by XᵀX from the right.
func orthogonal(b *exec.Builder, dt exec.DType, x exec.ID, rows, cols int, note string) exec.ID {
	side := min(rows, cols)
	right := exec.Attrs{Transposed: true} // linear then is x·w
	square := func(name string) exec.ID { return b.Scratch(name, dt, side, side) }
	norm2 := b.Scratch("norm2.nesterov", exec.F64, 1)
	b.Emit(exec.OpSumSquares, []exec.ID{x}, []exec.ID{norm2}, exec.Attrs{}, note)
	unit := b.Scratch("x", dt, rows, cols)
	b.Emit(exec.OpNormalize, []exec.ID{x, norm2}, []exec.ID{unit}, exec.Attrs{Eps: muonEps}, note)
	x = unit
	for range muonIterations {
		gram := square("gram")
		if rows <= cols {
			b.Emit(exec.OpLinear, []exec.ID{x, x, exec.None}, []exec.ID{gram}, exec.Attrs{}, note)
		} else {
			b.Emit(exec.OpLinearGradW, []exec.ID{x, x}, []exec.ID{gram}, exec.Attrs{}, note)
		}
		gram2 := square("gram²")
		b.Emit(exec.OpLinear, []exec.ID{gram, gram, exec.None}, []exec.ID{gram2}, right, note)
		poly := square("polynomial")
		b.Emit(exec.OpMatrixPolynomial, []exec.ID{gram, gram2}, []exec.ID{poly}, exec.Attrs{Coefficients: muonPolynomial}, note)
		next := b.Scratch("x", dt, rows, cols)
		if rows <= cols {
			b.Emit(exec.OpLinear, []exec.ID{poly, x, exec.None}, []exec.ID{next}, right, note)
		} else {
			b.Emit(exec.OpLinear, []exec.ID{x, poly, exec.None}, []exec.ID{next}, right, note)
		}
		x = next
	}
	return x
}
