package tokenizer

import (
	"math"
	"strconv"
	"strings"
)

// decimal writes a number with the least digits that tell it apart.
func decimal(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// readScore reads a JSON number as the tokenizers library does: its digits as an
// integer, multiplied or divided by a power of ten. The last bit may not be that of the
// nearest number, and decides between ways to cut a text that have the same tokens in
// another order.
func readScore(s string) float64 {
	s, negative := strings.CutPrefix(s, "-")
	mantissa, power, _ := strings.Cut(strings.ToLower(s), "e")
	exponent, _ := strconv.Atoi(power) // "": 0; what is too great ends in 0 or was refused
	whole, fraction, _ := strings.Cut(mantissa, ".")
	var n uint64
	fits := func(digit byte) bool {
		d := uint64(digit - '0')
		if n > (math.MaxUint64-d)/10 {
			return false
		}
		n = 10*n + d
		return true
	}
	for i := range len(whole) {
		if !fits(whole[i]) {
			exponent += len(whole) - i
			break
		}
	}
	for i := range len(fraction) {
		if !fits(fraction[i]) {
			break
		}
		exponent--
	}
	f := float64(n)
	for ; exponent < -308 && f != 0; exponent += 308 {
		f /= 1e308
	}
	if f != 0 && exponent != 0 { // f is 0 where exponent is below all
		ten, _ := strconv.ParseFloat("1e"+strconv.Itoa(max(exponent, -exponent)), 64)
		if exponent < 0 {
			f /= ten
		} else {
			f *= ten
		}
	}
	if negative {
		return -f
	}
	return f
}

// writeScore writes a score so that readScore gives it back, and so does a reader that
// rounds to the nearest, if such digits are found: for all but one in 500.
func writeScore(f float64) string {
	short := decimal(f)
	if readScore(short) == f {
		return short
	}
	for digits := 14; digits < 20; digits++ {
		s := strconv.FormatFloat(f, 'f', digits, 64)
		if near, err := strconv.ParseFloat(s, 64); err == nil && near == f && readScore(s) == f {
			return s
		}
	}
	return short
}
