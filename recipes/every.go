package recipes

import (
	"strconv"
	"time"
)

// Every is an interval: a number of steps, or of time ("90s", "5m").
type Every struct {
	Steps int
	Time  time.Duration
}

func (e Every) String() string {
	if e.Time > 0 {
		return e.Time.String()
	}
	return strconv.Itoa(e.Steps)
}

// MarshalTOML writes an interval of time as people do; steps are plain integers.
func (e Every) MarshalTOML() ([]byte, error) {
	if e.Time > 0 {
		return []byte(strconv.Quote(e.Time.String())), nil
	}
	return []byte(strconv.Itoa(e.Steps)), nil
}

// Due reports whether the interval ends at a step, or has passed since the last time.
func (e Every) Due(step int, since time.Duration) bool {
	if e.Time > 0 {
		return since >= e.Time
	}
	return e.Steps > 0 && step%e.Steps == 0
}
