package recipes

import "hone/data"

// Packing are the keys of stages that give each sequence of a row something of its own to
// learn: its label, or whether two texts follow one another.
type Packing struct {
	MaxSequences int `toml:"max_sequences,omitzero" unit:"documents" doc:"documents in a row, at most; with next_sentence pairs of them; 0: an eighth of sequence_length, and 8 at least"`
}

func (s *Stage) fillPacking() {
	if s.MaxSequences == 0 {
		s.MaxSequences = data.Config{T: s.SequenceLength}.WithDefaults().MaxSeqs
	}
}

func (d *decoder) packing(s *Stage, at string) {
	switch {
	case !s.Learns().OfText() || s.NextSentence:
		d.positive(at+"max_sequences", s.MaxSequences, 1)
	case !d.absent(at + "max_sequences"):
		d.fault(at+"max_sequences", "only next_sentence = true has it: other rows take as many documents as they hold")
	}
}
