package metric

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// A Number is a figure that may be missing. NaN, and an infinity too, is null in
// JSON, which has neither; null is read back as NaN. Set what was not measured
// to [Missing]: the zero value says 0.
type Number float64

// Missing is the figure that was not measured.
var Missing = Number(math.NaN())

// Known reports whether the figure is there and finite.
func (x Number) Known() bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

func (x Number) MarshalJSON() ([]byte, error) {
	if !x.Known() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(x))
}

func (x *Number) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		*x = Missing
		return nil
	}
	// The decoder has seen that text is JSON: what ParseFloat takes of that is a number.
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("%s is not a number", text)
	}
	*x = Number(v)
	return nil
}
