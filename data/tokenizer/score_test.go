package tokenizer

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// TestScore holds scores against those that tokenizers 0.23.3 reads and writes again.
func TestScore(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
	}{
		{"-1.9125075900170838", -1.912507590017084},
		{"-10.394996797193695", -10.394996797193697},
		{"-13.767799477044825", -13.767799477044823},
		{"-15.990399889688577", -15.990399889688575},
		{"-15.264248126522363", -15.264248126522364},
		{"-13.530209202420707", -13.530209202420709},
		{"-1234567890123456789012.5", -1.2345678901234568e+21},
		{"-0.000012345678901234567", -1.2345678901234568e-05},
		{"-3.14159265358979323846264338", -3.141592653589793},
		{"-1.2345678901234567e-5", -1.2345678901234568e-05},
		{"-9007199254740993", -9007199254740992.0},
		{"-18446744073709551616", -1.8446744073709552e+19},
		{"-98765432109876543219876e-20", -987.6543210987655},
		{"-6.02214076e-320", -6.022e-320},
		{"-2.5", -2.5}, {"0", 0}, {"-0.0", 0}, {"-1e-7", -1e-7}, {"-12E+1", -120}, {"-7", -7},
	} {
		if got := readScore(c.text); got != c.want {
			t.Errorf("%s is read as %v, want %v", c.text, got, c.want)
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	lost, differs := 0, 0
	const n = 20000
	for i := range n {
		f := -20 * rng.Float64()
		if i%2 == 0 {
			f = float64(float32(f))
		}
		got := readScore(writeScore(f))
		if math.Abs(got-f) > 1e-15*math.Abs(f) {
			t.Fatalf("%v is written as %s and read as %v", f, writeScore(f), got)
		}
		if got != f {
			lost++
		}
		if again := readScore(writeScore(got)); again != got {
			t.Fatalf("%v, then %v, then %v", f, got, again)
		}
		if readScore(strconv.FormatFloat(f, 'g', -1, 64)) != f {
			differs++
		}
	}
	if lost > n/200 || differs < n/20 {
		t.Errorf("%d of %d numbers are lost, %d would be with the shortest digits", lost, n, differs)
	}
}
