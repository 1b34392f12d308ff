package pretrained

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"

	"hone/checkpoint"
	"hone/trainer/model"
)

// A Merged model is a base whose matrices hold what adapters add to them.
type Merged struct {
	Config  model.Config
	Tensors []checkpoint.Tensor // those that were changed are of float32

	weights  *checkpoint.Weights
	from     map[string]int // of the weights
	whole    map[string]whole
	adapters []*Adapter
}

// whole is a tensor of an adapter that stands in the place of the base's.
type whole struct {
	of   *Adapter
	name string
}

// Merge opens a base with adapters that were made for it. An output layer that shares its matrix with the embedding gets one
// of its own where only one of them has an adapter. The caller closes it.
func Merge(base *checkpoint.Checkpoint, dirs []string) (m *Merged, err error) {
	m = &Merged{from: map[string]int{}, whole: map[string]whole{}}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	text, err := base.File(checkpoint.ConfigFile)
	if err != nil {
		return m, err
	}
	c, err := model.ReadConfig(bytes.NewReader(text))
	if err != nil {
		return m, fmt.Errorf("checkpoint %s: %w", base.Dir, err)
	}
	h, err := c.Head()
	if err != nil {
		return m, fmt.Errorf("checkpoint %s: %w", base.Dir, err)
	}
	if m.weights, err = checkpoint.OpenWeights(base.Dir); err != nil {
		return m, err
	}
	for _, dir := range dirs {
		a, err := OpenAdapter(dir)
		if err != nil {
			return m, err
		}
		m.adapters = append(m.adapters, a)
		if sum := base.Manifest.Weights(); a.BaseSHA256 != "" && a.BaseSHA256 != sum {
			return m, fmt.Errorf("adapter %s was made for %s, whose weights have the sha256 %s, and not for %s, whose weights have %s", a.Dir, a.Base, a.BaseSHA256, base.Dir, sum)
		}
		if c, h, err = a.config(c, h); err != nil {
			return m, fmt.Errorf("adapter %s: %w", a.Dir, err)
		}
	}
	var stored []model.Stored
	for _, t := range m.weights.Tensors() {
		stored = append(stored, model.Stored{Name: t.Name, Shape: t.Shape})
	}
	untied := false
	for {
		match, fresh, err := model.MatchBase(c, h, stored, untied)
		if err != nil {
			return m, fmt.Errorf("checkpoint %s: %w", base.Dir, err)
		}
		shapes := map[string][]int{}
		for _, p := range match.Params {
			shapes[p.Name] = p.Shape
		}
		adds, err := m.adds(c, h, shapes)
		if err != nil {
			return m, err
		}
		tied, other := model.Tied(c, h)
		for name := range adds {
			if shapes[name] == nil && name != tied {
				return m, fmt.Errorf("checkpoint %s: %s is the embedding too, and a %s cannot have one of its own: an adapter of it cannot be merged", base.Dir, name, c.ModelType)
			}
		}
		_, in := adds[other]
		_, out := adds[tied]
		if !untied && tied != "" && (in || out) {
			c.TieWordEmbeddings, untied = false, true
			continue
		}
		m.Config = match.Config
		return m, m.derive(match, fresh, adds)
	}
}

// adds are the pairs by the parameters that they are added to, and finds what stands in their place.
func (m *Merged) adds(c model.Config, h model.Head, shapes map[string][]int) (map[string][]addend, error) {
	list := map[string][]addend{}
	for _, a := range m.adapters {
		p, err := a.match(c, h, shapes)
		if err != nil {
			return nil, err
		}
		for name, pair := range p.pairs {
			list[name+".weight"] = append(list[name+".weight"], addend{a, pair})
		}
		for name, tensor := range p.whole {
			if other, dup := m.whole[name]; dup && other.of != a {
				return nil, fmt.Errorf("adapters %s and %s both have %s: merge one of them alone", other.of.Dir, a.Dir, name)
			}
			m.whole[name] = whole{a, tensor}
		}
	}
	return list, nil
}

// An addend is what a pair adds to a matrix.
type addend struct {
	of *Adapter
	pairOf
}

// derive lists the merged tensors.
func (m *Merged) derive(match *model.Match, fresh []string, adds map[string][]addend) error {
	var list []checkpoint.Derived
	for _, p := range match.Params {
		if _, ok := m.whole[p.Name]; ok && len(adds[p.Name]) == 0 {
			m.Tensors = append(m.Tensors, checkpoint.Tensor{Name: p.Name, DType: "F32", Shape: p.Shape})
			continue
		}
		if slices.Contains(fresh, p.Name) {
			return fmt.Errorf("tensor %s is neither in the base nor in its adapter %s", p.Name, m.adapters[0].Dir)
		}
		d := checkpoint.Derived{Name: p.Name, Shape: p.Shape, From: match.From[p.Name]}
		pairs := adds[p.Name]
		if len(pairs) > 0 {
			var instead []float32 // an embedding that PEFT has saved beside its pair
			if w, ok := m.whole[p.Name]; ok {
				values, err := w.of.read(w.name)
				if err != nil {
					return err
				}
				instead = values
			}
			products := make([][3][]float32, len(pairs))
			for i, x := range pairs {
				if x.magnitude != "" && len(pairs) > 1 {
					return fmt.Errorf("adapter %s: the magnitudes of %s are those of its own matrix alone: merge no other beside it", x.of.Dir, x.Name)
				}
				for k, name := range []string{x.a, x.b, x.magnitude} {
					if name == "" {
						continue
					}
					values, err := x.of.read(name)
					if err != nil {
						return err
					}
					products[i][k] = values
				}
			}
			d.Make = func(w []float32) []float32 {
				if instead != nil {
					w = slices.Clone(instead)
				}
				for i, x := range pairs {
					x.add(w, products[i][0], products[i][1], products[i][2])
				}
				return w
			}
		}
		m.from[p.Name] = len(list)
		list = append(list, d)
	}
	m.weights = m.weights.Derive(list)
	m.Tensors = append(m.Tensors, m.weights.Tensors()...)
	return nil
}

// add adds s·b·a to a matrix, a (r,in) and b (out,r), and gives its rows the magnitudes, if there are any, in float64.
func (p *pairOf) add(w, a, b, magnitudes []float32) {
	var rows sync.WaitGroup
	parts := runtime.GOMAXPROCS(0)
	for part := range parts {
		rows.Go(func() {
			sum := make([]float64, p.In)
			for o := part; o < p.Out; o += parts {
				clear(sum)
				for k := range p.rank {
					f := p.scale * float64(b[o*p.rank+k])
					for i, v := range a[k*p.In : (k+1)*p.In] {
						sum[i] += float64(f * float64(v))
					}
				}
				at := func(i int) *float32 {
					if p.Kind != model.Linear {
						return &w[i*p.Out+o]
					}
					return &w[o*p.In+i]
				}
				factor, squares := 1.0, 0.0
				for i := range sum {
					sum[i] += float64(*at(i))
					squares += float64(sum[i] * sum[i])
				}
				if magnitudes != nil {
					factor = float64(magnitudes[o]) / math.Sqrt(squares)
				}
				for i, v := range sum {
					*at(i) = float32(factor * v)
				}
			}
		})
	}
	rows.Wait()
}

// Write writes a tensor's data.
func (m *Merged) Write(ctx context.Context, w io.Writer, t checkpoint.Tensor) error {
	if x, ok := m.whole[t.Name]; ok {
		if _, derived := m.from[t.Name]; !derived {
			values, err := x.of.read(x.name)
			if err != nil {
				return err
			}
			_, err = w.Write(floatBytes(values))
			return err
		}
	}
	return m.weights.Copy(ctx, w, m.from[t.Name], t.DType)
}

// Close closes the files.
func (m *Merged) Close() error {
	if m.weights != nil {
		m.weights.Close()
	}
	for _, a := range m.adapters {
		a.Close()
	}
	return nil
}
