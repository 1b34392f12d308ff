package pretrained

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hone/checkpoint"
)

// SentenceFile is the file of a checkpoint that says how it makes vectors of texts.
const SentenceFile = "sentence.json"

// A Sentence says how a model makes a vector of a text, as sentence-transformers has it.
type Sentence struct {
	// Pooling are the ways in which the hidden states of a text's tokens become one vector: cls,
	// lasttoken, max, mean, mean_sqrt_len_tokens, weightedmean; of several the vectors stand end
	// to end.
	Pooling       []string          `json:"pooling"`
	IncludePrompt bool              `json:"include_prompt"`           // tokens of the prompt are pooled too
	Normalize     bool              `json:"normalize"`                // to length 1
	MaxLength     int               `json:"max_seq_length,omitempty"` // tokens of a text, special ones included; 0: what the model reads
	Prompts       map[string]string `json:"prompts,omitempty"`        // that stand before a text, by name
	DefaultPrompt string            `json:"default_prompt_name,omitempty"`
	Similarity    string            `json:"similarity_fn_name,omitempty"` // of vectors: cosine, dot, euclidean, manhattan; "": cosine
}

// String says it in words.
func (s *Sentence) String() string {
	text := "vectors of texts: " + strings.Join(s.Pooling, " and ") + " pooling"
	if s.Normalize {
		text += ", normalised to length 1"
	}
	if s.MaxLength > 0 {
		text += fmt.Sprintf(", of %d tokens at most", s.MaxLength)
	}
	if len(s.Prompts) > 0 {
		text += ", with the prompts " + strings.Join(slices.Sorted(maps.Keys(s.Prompts)), ", ")
	}
	return text
}

// JSON is its file.
func (s *Sentence) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

// ReadSentence is that of a checkpoint; nil: it does not say.
func ReadSentence(c *checkpoint.Checkpoint) (*Sentence, error) {
	if _, ok := c.Manifest.Files[SentenceFile]; !ok {
		return nil, nil
	}
	text, err := c.File(SentenceFile)
	if err != nil {
		return nil, err
	}
	s := new(Sentence)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %s: %w", c.Dir, SentenceFile, err)
	}
	return s, nil
}
