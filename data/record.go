// Package data turns corpora into batches: splits of records, their order, the
// packing of token sequences into rows, and the objectives that say what is learned.
package data

import "hone/data/source"

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
