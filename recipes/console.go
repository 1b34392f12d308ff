package recipes

import (
	"fmt"
	"math"
)

// A Console is where long work says what it does, and how far it is.
type Console struct {
	Say func(line string)
	Bar func(title, unit string) Bar
}

// A Bar shows how far long work is, in its unit; total 0 is not known.
type Bar interface {
	Set(done, total int64, note string)
	Close()
}

// Progress is the callback that leaf packages take.
func Progress(b Bar) func(done, total int64) {
	return func(done, total int64) { b.Set(done, total, "") }
}

// Thousands writes a rate for people: 12,345.
func Thousands(v float64) string {
	n := int64(math.Round(v))
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
