// Package corpus makes splits of records of files: converted, cleaned, counted, and of known
// origin.
package corpus

import (
	"unicode/utf8"

	"hone/data/source"
)

// A Record is one document of a corpus, with its label where it has one.
type Record struct {
	Text     string
	IDs      []int32 // the tokens of the text, where it comes tokenised; Text is then empty
	Label    string
	Path     string // where the document comes from, for messages: "net/http/server.go:123"
	HasLabel bool
	Null     bool // the text is null, not empty

	Messages []source.Message  // of the column Spec.Messages; nil: null
	Fields   map[string]string // of the columns Spec.Fields, those that are not null
}

// Records is a split of a corpus with random access by record number, 0 ≤ i < Rows.
// Record's errors name the file and the place, since a Loader stops with them as they are.
type Records interface {
	Rows() int64
	Record(i int64) (Record, error)
}

// MaxDocBytes is the longest document that is read, where nobody says otherwise: longer ones
// are passed over and counted.
const MaxDocBytes = 10_000_000

// Place says in messages where a record is from: " (net/x.go:3)", or nothing.
func (r *Record) Place() string {
	if r.Path == "" {
		return ""
	}
	return " (" + r.Path + ")"
}

// InvalidUTF8 is the first byte of the text that is not valid UTF-8; -1: all are.
func (r *Record) InvalidUTF8() int {
	for i, c := range r.Text {
		if c == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(r.Text[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}
