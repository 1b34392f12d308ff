package metric

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
