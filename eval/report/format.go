package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"hone/eval/metric"
)

// missing stands for a value that was not measured.
const missing = "–"

// figure shows a metric's value.
func figure(v float64) string {
	if !metric.Number(v).Known() {
		return missing
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// signed shows a difference, with a true minus sign.
func signed(v float64) string {
	if !metric.Number(v).Known() {
		return missing
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', 3, 64)
	switch {
	case strings.Trim(s, "0.") == "":
		return s // no sign where the value rounds to zero
	case v < 0:
		return "−" + s
	}
	return "+" + s
}

func interval(e metric.Estimate) string {
	if !metric.Number(e.Lo).Known() || !metric.Number(e.Hi).Known() || e.N == 1 { // one document has no interval
		return missing
	}
	return "[" + minus(figure(e.Lo)) + ", " + minus(figure(e.Hi)) + "]"
}

func withInterval(e metric.Estimate) string {
	if s := interval(e); s != missing {
		return minus(figure(e.Value)) + " " + s
	}
	return minus(figure(e.Value))
}

func minus(s string) string { return strings.Replace(s, "-", "−", 1) }

// count shows an integer with its thousands separated.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:] // narrow no-break space
	}
	return sign + s
}

// short shows a quantity to about three digits with an SI prefix.
func short(v float64) string {
	if !metric.Number(v).Known() {
		return missing
	}
	if math.Abs(v) >= 999.5e15 {
		return minus(strconv.FormatFloat(v, 'g', 3, 64))
	}
	prefix := ""
	for _, p := range []string{"k", "M", "G", "T", "P"} {
		if math.Abs(v) < 999.5 {
			break
		}
		v, prefix = v/1000, p
	}
	if prefix == "" {
		return minus(strconv.FormatFloat(v, 'g', 3, 64))
	}
	decimals := 2
	for limit := 9.995; decimals > 0 && math.Abs(v) >= limit; limit *= 10 {
		decimals--
	}
	return minus(strconv.FormatFloat(v, 'f', decimals, 64)) + " " + prefix
}

func bytesShort(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	return short(float64(n)) + "B"
}

func percent(v metric.Number) string {
	if !v.Known() {
		return missing
	}
	return strconv.FormatFloat(float64(v)*100, 'f', 1, 64) + " %"
}

func duration(seconds metric.Number) string {
	if !seconds.Known() || seconds < 0 {
		return missing
	}
	if seconds < 10 {
		return strconv.FormatFloat(float64(seconds), 'f', 1, 64) + " s"
	}
	s := int64(math.Round(float64(seconds)))
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %02d min", s/3600, s/60%60)
}

// positive shows a count; 0 means that it does not apply.
func positive(n int64) string {
	if n <= 0 {
		return missing
	}
	return count(n)
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return count(n) + " " + what + "s"
}
