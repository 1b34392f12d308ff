package exec

// Form says how the elements of a parameter lie in its arena.
type Form uint8

const (
	// Rows is row-major, as the shape says.
	Rows Form = iota
	// Panels is how matrix products read a weight, so that it need not be packed at each product. A matrix of N
	// outputs and K inputs is cut into panels of PanelWidth outputs, one after the other. In a panel k ascends, and of
	// each k the panel's outputs lie side by side: element (n,k) is number (n/32·K + k)·32 + n%32. The last panel is
	// filled up with zeros. The matrix is (N,K), as in OpLinear.
	Panels
	// PanelsT is the same for a weight whose shape is (K,N), as OpLinear has it with Attrs.Transposed.
	PanelsT
)

// PanelWidth is the number of outputs in a panel.
const PanelWidth = 32

func (f Form) String() string { return [...]string{"rows", "panels", "panelsT"}[f] }

// Sizes are the outputs and inputs of a matrix of this form.
func (f Form) Sizes(shape []int) (n, k int) {
	if f == PanelsT {
		return shape[1], shape[0]
	}
	return shape[0], shape[1]
}

// Elems is the number of elements that a value of a shape takes, with those that fill up the last panel.
func (f Form) Elems(shape []int) int {
	if f != Rows {
		n, k := f.Sizes(shape)
		return (n + PanelWidth - 1) / PanelWidth * PanelWidth * k
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// joins says that other rows may follow those of a matrix, as if both were one: panels must be full.
func (f Form) joins(shape []int) bool {
	return f == Rows || f == Panels && shape[0]%PanelWidth == 0
}

// Pack lays the elements of a row-major matrix out in panels; dst has Elems elements.
func Pack[E any](f Form, shape []int, dst, src []E) {
	n, _ := f.Sizes(shape)
	if n%PanelWidth != 0 {
		clear(dst)
	}
	f.runs(shape, func(at, step, row, col, cols int) {
		for i, x := range src[row+col : row+col+cols] {
			dst[at+i*step] = x
		}
	})
}

// Unpack is the reverse of Pack: dst is row-major.
func Unpack[E any](f Form, shape []int, dst, src []E) {
	f.runs(shape, func(at, step, row, col, cols int) {
		for i := range dst[row+col : row+col+cols] {
			dst[row+col+i] = src[at+i*step]
		}
	})
}

// runs gives each stretch of a matrix's rows: from element row+col on so many columns, which lie in the panels at element
// at and every step from there. Stretches are short, since those of 32 rows that follow one another fill the same lines.
func (f Form) runs(shape []int, each func(at, step, row, col, cols int)) {
	const stretch = 32
	_, k := f.Sizes(shape)
	rows, cols := shape[0], shape[1]
	for r0 := 0; r0 < rows; r0 += stretch {
		for c := 0; c < cols; c += stretch {
			for r := r0; r < min(rows, r0+stretch); r++ {
				at, step := (r/PanelWidth*k+c)*PanelWidth+r%PanelWidth, PanelWidth
				if f == PanelsT {
					at, step = (c/PanelWidth*k+r)*PanelWidth, 1
				}
				each(at, step, r*cols, c, min(stretch, cols-c))
			}
		}
	}
}
