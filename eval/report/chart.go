package report

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"hone/eval/metric"
)

// A chart is a plot. Its lines are an SVG that stretches to a box of any size; its text is
// HTML positioned over it in percent, so that it stays legible on a phone. It needs no script.
type chart struct {
	Title  string
	Unit   string // of the y axis
	XTicks []tick
	YTicks []tick
	Lines  []line
	Marks  []tick // vertical lines
	Curve  int    // index of its hover table in the page
	MaxX   float64
	XName  string   // of the x axis
	Shows  []string // columns of the hover table
	Label  string   // text alternative for screen readers
}

type tick struct{ At, Text string } // At in percent of the box, from the left or the bottom

type line struct {
	Class string // style
	Color int    // of the palette
	Path  string // in units of a thousandth of the box
	Name  string // in the legend; "": not in it
}

type point struct{ x, y float64 }

// axis is a range whose ends are round numbers.
type axis struct{ lo, hi, step float64 }

// newAxis covers [lo, hi] with at most n or so steps of 1, 2 or 5 times a power of ten.
func newAxis(lo, hi float64, n int) axis {
	lo, hi = max(lo, -1e300), min(hi, 1e300) // their difference must not overflow
	if !(hi-lo > 1e-300) {
		d := max(math.Abs(lo)*0.1, 1e-9)
		lo, hi = lo-d, hi+d
	}
	raw := (hi - lo) / float64(n)
	p := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * p
	for _, m := range []float64{1, 2, 5} {
		if m*p >= raw*0.999 {
			step = m * p
			break
		}
	}
	return axis{math.Floor(lo/step+1e-9) * step, math.Ceil(hi/step-1e-9) * step, step}
}

func (a axis) at(v float64) float64 { return (v - a.lo) / (a.hi - a.lo) }

// ticks are the round values of the axis up to hi; scale divides what is shown.
func (a axis) ticks(hi, scale float64) []tick {
	var out []tick
	for k := 0; ; k++ {
		v := a.lo + float64(k)*a.step
		if v > hi+a.step*1e-6 || k > 100 {
			return out
		}
		out = append(out, tick{percentAt(a.at(v)), tickText(v/scale, a.step/scale)})
	}
}

func percentAt(share float64) string { return strconv.FormatFloat(100*share, 'f', 2, 64) }

func tickText(v, step float64) string {
	if math.Abs(v) < step*1e-6 {
		return "0"
	}
	if step >= 1000 {
		// No trailing zeros after the decimal point.
		number, prefix, _ := strings.Cut(short(v), " ")
		if strings.Contains(number, ".") {
			number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
		}
		return number + " " + prefix
	}
	decimals := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	if decimals == 0 {
		return count(int64(math.Round(v)))
	}
	return minus(strconv.FormatFloat(v, 'f', decimals, 64))
}

// path draws points; a point that is not finite breaks the line.
func path(points []point, x, y axis) string {
	var b strings.Builder
	pen := false
	for _, p := range points {
		if !metric.Number(p.y).Known() {
			pen = false
			continue
		}
		if pen {
			b.WriteByte('L')
		} else {
			b.WriteByte('M')
		}
		pen = true
		b.WriteString(strconv.FormatFloat(1000*x.at(p.x), 'f', 1, 64))
		b.WriteByte(' ')
		b.WriteString(strconv.FormatFloat(1000*(1-y.at(p.y)), 'f', 1, 64))
	}
	return b.String()
}

// dots draws each point as a line of length zero with a round cap: a dot that stretching
// the box does not distort.
func dots(points []point, x, y axis) string {
	var b strings.Builder
	for _, p := range points {
		if s := path([]point{p}, x, y); s != "" {
			b.WriteString(s + "h0")
		}
	}
	return b.String()
}

// thin reduces the points to the lowest and the highest of each of n groups of
// neighbours, so that no spike is lost.
func thin(points []point, n int) []point {
	if len(points) <= 2*n {
		return points
	}
	var out []point
	for g := range n {
		group := points[g*len(points)/n : (g+1)*len(points)/n]
		lo, hi, gap := -1, -1, -1
		for i, p := range group {
			if !metric.Number(p.y).Known() {
				gap = i
				continue
			}
			if lo < 0 || p.y < group[lo].y {
				lo = i
			}
			if hi < 0 || p.y > group[hi].y {
				hi = i
			}
		}
		keep := slices.DeleteFunc([]int{lo, hi, gap}, func(i int) bool { return i < 0 })
		slices.Sort(keep)
		for _, i := range slices.Compact(keep) {
			out = append(out, group[i])
		}
	}
	return out
}

// smooth replaces each point by the value there of a straight line fitted to the point and
// up to half neighbours on either side. In the interior that is the running mean; at the
// ends it does not lag behind a trend, as a mean would. Points that are not finite are left
// out and remain gaps.
func smooth(points []point, half int) []point {
	out := slices.Clone(points)
	if half == 0 {
		return out
	}
	// Sums over the points before: number, i, i², y, i·y, with i counted from the
	// middle to keep the squares small.
	type sums struct{ n, i, ii, y, iy float64 }
	before := make([]sums, len(points)+1)
	mid := float64(len(points)) / 2
	for k, p := range points {
		s := before[k]
		if metric.Number(p.y).Known() {
			i := float64(k) - mid
			s = sums{s.n + 1, s.i + i, s.ii + i*i, s.y + p.y, s.iy + i*p.y}
		}
		before[k+1] = s
	}
	for k, p := range points {
		if !metric.Number(p.y).Known() {
			continue
		}
		a, b := before[max(0, k-half)], before[min(len(points), k+half+1)]
		n, i, ii, y, iy := b.n-a.n, b.i-a.i, b.ii-a.ii, b.y-a.y, b.iy-a.iy
		v := y / n
		if d := n*ii - i*i; d > 0 && n > 2 {
			v += (n*iy - i*y) / d * (float64(k) - mid - i/n)
		}
		out[k].y = v
	}
	return out
}

// bounds is the range of the finite values; ok is false when there are none.
func bounds(series ...[]point) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, s := range series {
		for _, p := range s {
			if metric.Number(p.y).Known() {
				lo, hi, ok = min(lo, p.y), max(hi, p.y), true
			}
		}
	}
	return lo, hi, ok
}
