package cpu

import (
	"math"
	"testing"

	"hone/trainer/exec"
)

// The known answers of Random123 1.14, tests/kat_vectors, philox4x32 10.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct{ ctr, key, want []uint32 }{
		{[]uint32{0, 0, 0, 0}, []uint32{0, 0}, []uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, []uint32{0xffffffff, 0xffffffff}, []uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, []uint32{0xa4093822, 0x299f31d0}, []uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		key := newPhiloxKey(c.key[0], c.key[1])
		a, b, x, y := key.words(c.ctr[0], c.ctr[1], c.ctr[2], c.ctr[3])
		if got := [4]uint32{a, b, x, y}; got != [4]uint32(c.want) {
			t.Errorf("counter %x key %x: %x, want %x", c.ctr, c.key, got, c.want)
		}
	}
}

func dropped(t *testing.T, n int, p float64, salt uint64, rng ...int32) []float64 {
	d := testDevice(t, 2, "")
	x := make([]float64, n)
	for i := range x {
		x[i] = 1
	}
	in := &exec.Instr{Op: exec.OpDropout, Attrs: exec.Attrs{P: p, Salt: salt}}
	return launchOn[float32](t, d, in, []tensor{floats(x, n), ints(rng...)}, outputs([]int{n}))[0]
}

func TestDropoutMask(t *testing.T) {
	const n, p = 200003, 0.1
	base := dropped(t, n, p, 3, 1, 2, 3, 4)
	zeros := 0
	for _, v := range base {
		switch v {
		case 0:
			zeros++
		case float64(float32(65536. / (65536 - 6554))): // 0.1 in 65536ths
		default:
			t.Fatalf("element %v", v)
		}
	}
	if sd := math.Sqrt(n * p * (1 - p)); math.Abs(float64(zeros)-n*p) > 4*sd {
		t.Errorf("%d of %d dropped at %g", zeros, n, p)
	}
	sameBits(t, "a shorter tensor", dropped(t, 20001, p, 3, 1, 2, 3, 4), base[:20001])
	sameBits(t, "p = 0", dropped(t, 10, 0, 3, 1, 2, 3, 4), []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
	sameBits(t, "p = 1", dropped(t, 3, 1, 3, 1, 2, 3, 4), []float64{0, 0, 0})
	// Each part of the key gives a mask of its own: two agree on 0.82 of the elements.
	for name, other := range map[string][]float64{
		"salt": dropped(t, n, p, 4, 1, 2, 3, 4), "salt, upper half": dropped(t, n, p, 3+1<<32, 1, 2, 3, 4),
		"seed": dropped(t, n, p, 3, 0, 2, 3, 4), "seed, upper half": dropped(t, n, p, 3, 1, 0, 3, 4),
		"step": dropped(t, n, p, 3, 1, 2, 4, 4), "micro-batch": dropped(t, n, p, 3, 1, 2, 3, 5),
	} {
		same := 0
		for i := range base {
			if base[i] == other[i] {
				same++
			}
		}
		if got := float64(same) / n; math.Abs(got-0.82) > 0.01 {
			t.Errorf("another %s: %.3f of the elements agree", name, got)
		}
	}
}
