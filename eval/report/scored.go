package report

import (
	"fmt"

	"hone/eval/metric"
)

// Words says it in a line.
func Words(s *metric.Scored) string {
	text := fmt.Sprintf("all %s documents of the %s split", count(s.Documents), s.Split)
	if s.Chosen < s.Documents {
		text = fmt.Sprintf("%s of the %s documents of the %s split, evenly spaced", count(s.Chosen), count(s.Documents), s.Split)
	}
	if none := s.Chosen - s.Scored; none > 0 {
		text += fmt.Sprintf(", but for %s without a text or label", count(none))
	}
	text += "; " + s.What
	if s.Longer == 0 {
		return text
	}
	text += fmt.Sprintf("; %s longer than the %s tokens of a row", count(s.Longer), count(int64(s.Row)))
	if s.Cut {
		return text + ": cut there"
	}
	return text + ": read in windows"
}
