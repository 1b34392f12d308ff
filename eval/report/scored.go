package report

import "fmt"

// Scored says which documents a figure is of, and how they were scored.
type Scored struct {
	Split     string `json:"split"`
	Documents int64  `json:"documents"` // of the split
	Chosen    int64  `json:"chosen"`    // of these: all, or so many evenly spaced
	Scored    int64  `json:"scored"`    // of these: those that have a text, and a label where one is wanted
	What      string `json:"what"`      // of each: "each token of a text and its end"
	Row       int    `json:"row"`       // tokens that are read at a time
	Longer    int64  `json:"longer"`    // documents scored that have more
	Cut       bool   `json:"cut"`       // and of which no more was read
}

// Words says it in a line.
func (s *Scored) Words() string {
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
