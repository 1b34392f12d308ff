// Package provenance says where data came from and what allows its use, in one form for
// corpora, checkpoints and reports.
package provenance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Corpus is a set of documents that a model learns from.
type Corpus struct {
	Name    string `json:"name"`
	Source  string `json:"source"`
	Licence string `json:"licence"`
	Consent string `json:"consent"`
	// Collected is when: a year, a month or a day, as in 2024-05-31.
	Collected string  `json:"collected,omitempty"`
	SHA256    string  `json:"sha256"`                 // of its file; of several, of the lines "SHA256  FILE" in order
	Train     string  `json:"train_sha256,omitempty"` // of the training split, as it is read
	Documents int64   `json:"documents,omitempty"`
	Bytes     int64   `json:"bytes,omitempty"` // of the files
	Share     float64 `json:"share,omitempty"` // of a mixture
	// Cleaning counts the documents that were left out, by reason.
	Cleaning map[string]int64 `json:"cleaning,omitempty"`
}

// Fields is all that is known beside the name, for people: name and value.
func (c Corpus) Fields() [][2]string {
	fields := [][2]string{{"source", c.Source}, {"licence", c.Licence}, {"consent", c.Consent}, {"collected", c.Collected}, {"sha256", c.SHA256}}
	for i := range fields {
		if fields[i][1] == "" {
			fields[i][1] = "not stated"
		}
	}
	if c.Train != "" {
		fields = append(fields, [2]string{"training split", c.Train})
	}
	if c.Documents > 0 {
		fields = append(fields, [2]string{"documents", fmt.Sprint(c.Documents)})
	}
	if c.Bytes > 0 {
		fields = append(fields, [2]string{"bytes", fmt.Sprint(c.Bytes)})
	}
	if c.Share > 0 {
		fields = append(fields, [2]string{"share", fmt.Sprintf("%.3g %% of the mixture", 100*c.Share)})
	}
	var out []string
	for _, reason := range slices.Sorted(maps.Keys(c.Cleaning)) {
		out = append(out, fmt.Sprintf("%d %s", c.Cleaning[reason], reason))
	}
	if len(out) > 0 {
		fields = append(fields, [2]string{"left out", strings.Join(out, ", ")})
	}
	return fields
}
