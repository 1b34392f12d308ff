// Package corpus prepares corpora: it opens files as splits of records, converts and cleans
// them, counts them, and records where they come from. Errors mean that the user's corpus or
// its description is wrong (exit code 2), except those of the file system, which wrap an
// *fs.PathError or a syscall.Errno.
package corpus

import (
	"fmt"
	"unicode/utf8"

	"hone/data/source"
)

// A Record is one document of a corpus, with its label if it has one.
type Record struct {
	Text     string
	IDs      []int32 // the tokens of the text, where it comes tokenised; Text is then empty
	Label    string
	Path     string // where the document comes from, for messages: "net/http/server.go:123"
	HasLabel bool
	Null     bool // the text is null, not empty

	Messages []source.Message // of the column Spec.Messages; nil: null
	Fields   map[string]any   // of the columns Spec.Fields, those that are not null, as source.Batch.Value gives them
}

// Records is a split of a corpus with random access by record number, 0 ≤ i < Rows.
// Errors of Record name the file and the place.
type Records interface {
	Rows() int64
	Record(i int64) (Record, error)
}

// MaxDocBytes is the default of the longest document in bytes: longer ones are skipped and
// counted.
const MaxDocBytes = 10_000_000

// Place gives the origin of a record for messages: " (net/x.go:3)", or nothing.
func (r *Record) Place() string {
	if r.Path == "" {
		return ""
	}
	return " (" + r.Path + ")"
}

// Where says for messages where a record of a split is.
func Where(records Records, i int64, r *Record) string {
	if s, ok := records.(interface{ Where(i int64) string }); ok {
		return s.Where(i) + r.Place()
	}
	return fmt.Sprintf("record %d%s", i, r.Place())
}

// InvalidUTF8 gives the offset of the first byte of the text that is not valid UTF-8; -1: the
// text is valid.
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
