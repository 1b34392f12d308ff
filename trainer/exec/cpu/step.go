package cpu

import (
	"math"

	"hone/trainer/exec"
)

// A step has the numbers that an update is fed.
type step struct {
	lr, update float64
	clip       float64 // the gradient's factor
	finite     bool    // else nothing may be written
}

// stepOf reads scalars(3) = {lr, step, clip} and norm2(1), both float64. lr is multiplied by Attrs.Rate, if that is not 0.
func stepOf(in *exec.Instr, scalars, norm2 exec.Arg) (s step, ok bool) {
	v, n := view[float64](scalars), view[float64](norm2)
	if len(v) != 3 || len(n) != 1 || scalars.DType != exec.F64 || norm2.DType != exec.F64 {
		return s, false
	}
	s = step{lr: v[0], update: v[1], clip: 1, finite: !math.IsNaN(n[0]) && !math.IsInf(n[0], 0)}
	if r := in.Attrs.Rate; r != 0 {
		s.lr *= r
	}
	if v[2] > 0 {
		if c := v[2] / math.Sqrt(n[0]); c < 1 {
			s.clip = c
		}
	}
	return s, true
}
