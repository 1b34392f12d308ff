package cpu

import (
	"fmt"
	"unsafe"

	"hone/trainer/exec"
)

// Products of rows with a weight in panels (exec.Panels), which are read in place: nothing is packed. A panel's 32 columns
// stay in the accumulators while k goes along it, so that a decoding step streams its weights from memory once, several
// panels side by side. Stored types are widened exactly in registers; where there are many rows, a block of them first.
//
// An element is one chain of fused multiply-adds over k in order, as in gemm: its bits depend neither on the number of
// rows, nor on how the product is cut.

// panelKernels are the assembly of these products.
type panelKernels struct {
	f32  []panelKernel
	bf16 []panelKernel
	f16  []panelKernel
	// These give the values of n elements, a multiple of 32.
	bf16Wide, f16Wide func(n int, src *byte, dst *float32)
}

// A panelKernel computes rows of n ≥ 1 panels, for 1, 2, … rows: c = (or +=) a·b over kc ≥ 1 steps. Row i of a is at
// a + i·lda, of c at c + i·ldc; the panels are bstep bytes apart. Strides are in bytes.
type panelKernel func(kc, n int, a *float32, lda int, b *byte, bstep int, c *float32, ldc int, accumulate bool)

// of gives the kernels that read a type; nil: there are none.
func (k *panelKernels) of(dt exec.DType) []panelKernel {
	switch dt {
	case exec.F32, exec.Q8_0, exec.Q4_0, exec.Q4_1: // these as floats, see panelJob.wide
		return k.f32
	case exec.BF16:
		return k.bf16
	case exec.F16:
		return k.f16
	}
	return nil
}

// linearPanels runs a product whose second operand is in panels.
func (d *Device) linearPanels(in *exec.Instr, args []exec.Arg, j panelJob) error {
	w := args[1]
	if args[0].DType != exec.F32 || in.Attrs.BF16 || in.Attrs.Transposed != (w.Form == exec.PanelsT) {
		return fmt.Errorf("cpu: %v %s: %v in %v does not fit here", in.Op, in.Note, w.DType, w.Form)
	}
	b, err := bufferOf(w.Buffer)
	if err != nil {
		return err
	}
	j.b, j.dt, j.int8 = b.bytes, w.DType, in.Attrs.Int8
	if w.DType.Quantized() && (j.k%w.DType.Block() != 0 || w.Form != exec.Panels) || j.int8 && !w.DType.Quantized() ||
		len(j.b) != w.DType.Bytes(w.Form.Elems(w.Shape)) || len(j.a) != j.m*j.k || len(j.c) != j.m*j.n {
		return mismatch(in, args)
	}
	d.panels = j
	d.panels.start(d)
	return nil
}

// A panelJob is a product x·wᵀ + bias, cut into blocks of rows and panels, each over the whole of k.
type panelJob struct {
	d          *Device
	m, n, k    int
	a, c, bias []float32 // (m,k), (m,n), (n) or nil
	b          []byte    // n·k elements of dt, in panels
	dt         exec.DType
	int8       bool   // rows are rounded to 8 bits
	rounded    []byte // the rows then
	rounding   bool   // the region that does it
	rows       int    // of a block
	across     int    // blocks side by side, of as many panels or one more
}

const panelSide = exec.PanelWidth

// panelBlock is the steps and panels that many rows take in together: as in gemm, they stay in the second-level cache.
const panelSteps, panelBlock = 384, 12

// panelsOf is how many panels hold n outputs.
func panelsOf(n int) int { return (n + panelSide - 1) / panelSide }

// start runs the product on all workers.
func (j *panelJob) start(d *Device) {
	if j.m == 0 || j.n == 0 {
		return
	}
	j.d = d
	all := panelsOf(j.n)
	tile := max(1, len(d.kern.panels.of(j.dt)))
	j.rows, j.across = j.m, 1
	if threads := d.pool.threads; threads > 1 && j.m*j.n*j.k >= 32*32*32 {
		// As many blocks of panels for each thread, so that all end together, and several, so that one that is held up
		// delays the others little. Few rows take four panels at once; many read all rows again for each block.
		most := 4 * threads
		switch {
		case j.m > tile:
			most = 2 * threads
		case !j.dt.Quantized():
			most = max(1, min(4, all/(4*threads))) * threads
		}
		j.across = min(all, most)
		if j.across < most && j.m > 2*tile { // too few: of rows too
			parts := (most + j.across - 1) / j.across
			j.rows = (j.m + parts*tile - 1) / (parts * tile) * tile
		}
	}
	for _, w := range d.scratch { // see gemmJob.start
		lend[float32](w, slotRows, panelSide*tile)
		if j.wide() {
			lend[float32](w, slotPanels, panelBlock*panelSteps*panelSide)
		} else if j.dt.Quantized() {
			j.reserve(w)
		}
	}
	if j.int8 {
		j.round()
	}
	d.pool.run((j.m+j.rows-1)/j.rows*j.across, j)
	*j = panelJob{}
}

// wide reports whether stored values are written as floats first: where so many rows read them that it pays.
func (j *panelJob) wide() bool {
	k := j.d.kern
	switch {
	case j.dt == exec.BF16:
		return k.panels.bf16Wide != nil && j.m > 2*len(k.panels.bf16)
	case j.dt == exec.F16:
		return k.panels.f16Wide != nil && j.m > 2*len(k.panels.f16)
	case j.dt.Quantized():
		t := blockType(j.dt)
		return k.expand[t] != nil && !j.int8 && j.m > 2*len(k.exact[t])
	}
	return false
}

// widen writes kc steps of a panel, from k0 on, as floats.
func (j *panelJob) widen(panel, k0, kc int, dst []float32) {
	k, src := j.d.kern, &j.b[j.dt.Bytes((panel*j.k+k0)*panelSide)]
	switch j.dt {
	case exec.BF16:
		k.panels.bf16Wide(len(dst), src, &dst[0])
	case exec.F16:
		k.panels.f16Wide(len(dst), src, &dst[0])
	default:
		k.expand[blockType(j.dt)](kc/j.dt.Block(), src, &dst[0])
	}
}

func (j *panelJob) chunk(i, worker int) {
	if j.rounding {
		j.roundRows(i)
		return
	}
	row, all := i/j.across*j.rows, panelsOf(j.n)
	panel, end := i%j.across*all/j.across, (i%j.across+1)*all/j.across
	rows, panels := min(j.rows, j.m-row), end-panel
	w, k := j.d.scratch[worker], j.d.kern
	switch {
	case j.k == 0:
		for i := row; i < row+rows; i++ {
			clear(j.c[i*j.n+panel*panelSide:][:min(panels*panelSide, j.n-panel*panelSide)])
		}
	case j.dt.Quantized() && k.expand[blockType(j.dt)] == nil:
		j.quantisedGeneric(w, row, rows, panel, panels)
	case j.dt.Quantized() && !j.wide():
		j.quantised(w, row, rows, panel, panels)
	case k.panels.of(j.dt) == nil:
		j.generic(row, rows, panel, panels)
	default:
		j.multiply(w, row, rows, panel, panels)
	}
	if j.bias != nil {
		from := panel * panelSide
		addBias(j.d.kern, j.bias, j.c, j.n, row, rows, from, min(panels*panelSide, j.n-from))
	}
}

// multiply computes a block by assembly.
func (j *panelJob) multiply(w *scratch, row, rows, panel, panels int) {
	kernel, wide := j.d.kern.panels.of(j.dt), j.wide()
	steps := j.k
	if wide || rows > len(kernel) {
		steps = panelSteps
	}
	for k0 := 0; k0 < j.k; k0 += steps {
		kc := min(steps, j.k-k0)
		for p := panel; p < panel+panels; p += panelBlock {
			n := min(panelBlock, panel+panels-p)
			if !wide {
				size := j.dt.Bytes(panelSide) // of a step of a panel
				j.tiles(w, kernel, row, rows, p, n, k0, kc, j.b[(p*j.k+k0)*size:], j.k*size)
				continue
			}
			floats := lend[float32](w, slotPanels, panelBlock*panelSteps*panelSide)
			for q := range n {
				j.widen(p+q, k0, kc, floats[q*kc*panelSide:][:kc*panelSide])
			}
			j.tiles(w, j.d.kern.panels.f32, row, rows, p, n, k0, kc, bytesOf(floats), 4*kc*panelSide)
		}
	}
}

// tiles adds kc steps from k0 on to rows of n panels from panel p on, which lie in b, bstep bytes apart.
func (j *panelJob) tiles(w *scratch, kernel []panelKernel, row, rows, p, n, k0, kc int, b []byte, bstep int) {
	whole := min(n, j.n/panelSide-p) // panels that C has all columns of
	parts := (rows + len(kernel) - 1) / len(kernel)
	tile := (rows + parts - 1) / parts // 16 rows are twice eight, not twelve and four
	for i := row; i < row+rows; i += tile {
		m := min(tile, row+rows-i)
		a := &j.a[i*j.k+k0]
		if whole > 0 {
			kernel[m-1](kc, whole, a, 4*j.k, &b[0], bstep, &j.c[i*j.n+p*panelSide], 4*j.n, k0 > 0)
		}
		if whole < n { // the last
			c, from := lend[float32](w, slotRows, m*panelSide), (p+whole)*panelSide
			if k0 > 0 {
				for r := range m {
					copy(c[r*panelSide:], j.c[(i+r)*j.n+from:][:j.n-from])
				}
			}
			kernel[m-1](kc, 1, a, 4*j.k, &b[whole*bstep], bstep, &c[0], 4*panelSide, k0 > 0)
			for r := range m {
				copy(j.c[(i+r)*j.n+from:][:j.n-from], c[r*panelSide:])
			}
		}
	}
}

func bytesOf(s []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), 4*len(s))
}

// generic computes a block in portable code. As in microGeneric, products are rounded before the sum.
func (j *panelJob) generic(row, rows, panel, panels int) {
	size := j.dt.Bytes(panelSide)
	for p := panel; p < panel+panels; p++ {
		cols := min(panelSide, j.n-p*panelSide)
		for i := row; i < row+rows; i++ {
			var sum, w [panelSide]float32
			for k, x := range j.a[i*j.k : (i+1)*j.k] {
				widen(j.dt, w[:], j.b[(p*j.k+k)*size:][:size])
				for q := range sum {
					sum[q] += float32(x * w[q])
				}
			}
			copy(j.c[i*j.n+p*panelSide:][:cols], sum[:])
		}
	}
}

// widen gives the values of stored elements.
func widen(dt exec.DType, dst []float32, src []byte) {
	if dt == exec.F32 {
		copy(dst, unsafe.Slice((*float32)(unsafe.Pointer(&src[0])), len(src)/4))
		return
	}
	exec.Dequantize(dt, dst, src)
}

// panelRow gives row r of a matrix (N,K) in panels.
func panelRow(dt exec.DType, dst []float32, b []byte, r int) {
	if dt.Quantized() {
		exec.DequantizeRow(dt, dst, b, r)
		return
	}
	size := dt.Bytes(1)
	at := (r/panelSide*len(dst)*panelSide + r%panelSide) * size
	for k := range dst {
		widen(dt, dst[k:k+1], b[at+k*panelSide*size:][:size])
	}
}
