package data

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"hone/data/tokenizer"
)

// Preview shows the targets of a batch, sequence by sequence. Each token that the loss
// counts is in [brackets], or in one of two alternating colours, with its weight if that is
// not 1; tokens that are only read are plain, or dim. A label follows its text. A token with
// a line end is written as \n and ends the line.
//
// For hidden tokens, [<|mask|>→the] shows the input and the target; in a permutation,
// [the@3] is predicted third. For an encoder-decoder, the input of the encoder is above the
// output of the decoder. A bar, ┃, ends a prefix. A word that has a label is shown as [word→label], and of
// a question's context the answer is in brackets; if it has none there, the first token is.
func Preview(w io.Writer, b *Batch, tok tokenizer.Tokenizer, colour bool) error {
	p := previewer{bufio.NewWriter(w), b, tok, colour}
	size, filled := len(b.Dec.Segments)+len(b.Enc.Segments), int64(len(b.Dec.Segments)+len(b.Enc.Segments))-b.Dec.padding()-b.Enc.padding()
	fmt.Fprintf(p.out, "%d rows of %d tokens", b.B, max(b.Enc.T, b.Dec.T))
	if b.Enc.T > 0 {
		fmt.Fprintf(p.out, " to read and %d to write", b.Dec.T)
	}
	fmt.Fprintf(p.out, ", %.1f %% filled, %d sequences; the global batch has %d targets\n", 100*float64(filled)/float64(max(1, size)), len(b.Seqs), b.NumTargets)
	for k, s := range b.Seqs {
		at := int(s.Row) * b.Dec.T
		first, last := at+int(s.First), at+int(s.Last)
		fmt.Fprintf(p.out, "── row %d, segment %d, positions %d–%d, record %d\n", s.Row, b.Dec.Segments[first], s.First, s.Last, s.Doc)
		switch {
		case b.Enc.T > 0:
			p.read(int(s.Row), b.Dec.Segments[first])
			for i := first; i <= last; i++ {
				p.show(p.piece(b.Targets[i]), b.Weights[i], i%2 == 0)
			}
		case b.Words != nil:
			p.labelled(first, last)
		case s.Window.Tokens > 0:
			p.answered(first, last, at+int(s.Window.Start), at+int(s.Window.End))
		case b.Objective.layout().shifted:
			p.shifted(first, last)
		default:
			p.inPlace(first, last)
		}
		if s.Label >= 0 {
			fmt.Fprint(p.out, " → ")
			name := fmt.Sprintf("label %d", s.Label)
			if int(s.Label) < len(b.LabelNames) {
				name = printable(b.LabelNames[s.Label])
			}
			p.show(name, 1, false)
		}
		if goals := p.b.goals(k); goals != "" {
			fmt.Fprint(p.out, " → ")
			p.show(printable(goals), 1, false)
		}
		fmt.Fprintln(p.out)
	}
	return p.out.Flush()
}

// goals says what belongs to sequence k beside its label: the labels that apply, a number, whether
// a choice is right; "": nothing.
func (b *Batch) goals(k int) string {
	for _, q := range b.Questions {
		switch {
		case int32(k) == q.Right:
			return "right"
		case int32(k) >= q.First && int32(k) < q.End:
			return "wrong"
		}
	}
	if len(b.Seqs) == 0 || len(b.Goals) == 0 || len(b.Goals)%len(b.Seqs) != 0 {
		return ""
	}
	width := len(b.Goals) / len(b.Seqs)
	goals := b.Goals[k*width : (k+1)*width]
	if len(b.LabelNames) != width {
		return fmt.Sprint(goals[0])
	}
	var names []string
	for i, v := range goals {
		if v == 1 {
			names = append(names, b.LabelNames[i])
		}
	}
	if len(names) == 0 {
		return "no label"
	}
	return strings.Join(names, ", ")
}

type previewer struct {
	out    *bufio.Writer
	b      *Batch
	tok    tokenizer.Tokenizer
	colour bool
}

// shifted shows a sequence whose targets are the next inputs: the first input is not a
// target; each other input is the target of the position before it, unless it is masked;
// the last target may not be an input.
func (p *previewer) shifted(first, last int) {
	b := p.b
	p.show(p.piece(b.Dec.Tokens[first]), 0, false)
	for i := first; i <= last; i++ {
		target, weight := b.Targets != nil && b.Targets[i] >= 0, float32(0)
		if target {
			weight = b.Weights[i]
		}
		if b.Objective.layout().prefixed && target && (i == first || b.Targets[i-1] < 0) {
			fmt.Fprint(p.out, "┃")
		}
		if i < last {
			p.show(p.piece(b.Dec.Tokens[i+1]), weight, i%2 == 0)
		} else if target {
			p.show(p.piece(b.Targets[i]), weight, i%2 == 0)
		}
	}
}

// inPlace shows a sequence whose targets are at the places of the tokens.
func (p *previewer) inPlace(first, last int) {
	b := p.b
	for i := first; i <= last; i++ {
		text, weight := p.piece(b.Dec.Tokens[i]), float32(0)
		if b.Targets[i] >= 0 {
			weight = b.Weights[i]
			if b.Dec.Tokens[i] != b.Targets[i] {
				text += "→" + p.piece(b.Targets[i])
			}
			if b.Objective.layout().ordered {
				text += fmt.Sprintf("@%d", b.Dec.Order[i])
			}
		}
		p.show(text, weight, i%2 == 0)
	}
}

// labelled shows a sequence of words, each of which has a label at its first token.
func (p *previewer) labelled(first, last int) {
	b := p.b
	for i := first; i <= last; i++ {
		text, weight := p.piece(b.Dec.Tokens[i]), float32(0)
		if k := b.Targets[i]; k >= 0 {
			text, weight = text+"→"+printable(b.LabelNames[k]), b.Weights[i]
		}
		p.show(text, weight, i%2 == 0)
	}
}

// answered shows a question with a window of its context, of which the answer is learned, or that there is
// none: the first token.
func (p *previewer) answered(first, last, start, end int) {
	for i := first; i <= last; i++ {
		weight := float32(0)
		if start <= i && i <= end {
			weight = 1
		}
		p.show(p.piece(p.b.Dec.Tokens[i]), weight, i%2 == 0)
	}
}

// read shows the input of the encoder for a segment.
func (p *previewer) read(row int, segment int32) {
	e := &p.b.Enc
	fmt.Fprint(p.out, "reads: ")
	for i := row * e.T; i < (row+1)*e.T; i++ {
		if e.Segments[i] == segment {
			p.show(p.piece(e.Tokens[i]), 0, false)
		}
	}
	fmt.Fprint(p.out, "\nwrites: ")
}

// show writes one token.
func (p *previewer) show(text string, weight float32, even bool) {
	w, colour := p.out, p.colour
	if strings.HasSuffix(text, `\n`) {
		defer fmt.Fprintln(w)
	}
	if weight != 0 && weight != 1 {
		text += fmt.Sprintf("×%.3g", weight)
	}
	switch {
	case colour && weight == 0:
		fmt.Fprintf(w, "\x1b[2m%s\x1b[0m", text)
	case colour && even:
		fmt.Fprintf(w, "\x1b[32m%s\x1b[0m", text)
	case colour:
		fmt.Fprintf(w, "\x1b[36m%s\x1b[0m", text)
	case weight == 0:
		fmt.Fprint(w, text)
	default:
		fmt.Fprintf(w, "[%s]", text)
	}
}

// piece gives a token's text, or its id if it has none.
func (p *previewer) piece(id int32) string {
	if s := printable(tokenText(p.tok, id)); s != "" {
		return s
	}
	return fmt.Sprintf("<%d>", id)
}

// tokenText gives the text that a token adds to a text, with the blank before it, which
// decoders omit at the beginning of a text.
func tokenText(tok tokenizer.Tokenizer, id int32) string {
	alone := tok.Decode([]int32{id})
	if special, ok := tok.Special(alone); ok && special == id {
		return alone
	}
	if rest, ok := strings.CutPrefix(tok.Decode([]int32{id, id}), alone); ok && rest != "" {
		return rest
	}
	return alone
}

// A BatchPreview is the content of a Preview as data.
type BatchPreview struct {
	Rows          int               `json:"rows"`
	Length        int               `json:"length"`                   // tokens of a row
	EncoderLength int               `json:"encoder_length,omitempty"` // of an encoder's, beside it
	Filled        float64           `json:"filled"`                   // share of the positions that have a token
	Targets       int               `json:"targets"`                  // of the global batch
	Sequences     []SequencePreview `json:"sequences"`
}

// A SequencePreview is a sequence of a batch: tokens that attend to each other.
type SequencePreview struct {
	Row    int            `json:"row"`
	First  int            `json:"first"` // position of its first token in the row
	Record int64          `json:"record"`
	Label  string         `json:"label,omitempty"`
	Reads  []TokenPreview `json:"reads,omitempty"` // what an encoder reads of it
	Tokens []TokenPreview `json:"tokens"`
}

// A TokenPreview is an input of a batch, and the target at its place.
type TokenPreview struct {
	ID         int32   `json:"id"`
	Text       string  `json:"text"`
	Target     *int32  `json:"target,omitempty"`
	TargetText string  `json:"target_text,omitempty"`
	Weight     float32 `json:"weight,omitempty"` // of the target, in the loss
	Order      *int32  `json:"order,omitempty"`  // of a permutation: it sees what comes earlier
}

// NewBatchPreview makes the preview of a batch as data.
func NewBatchPreview(b *Batch, tok tokenizer.Tokenizer) *BatchPreview {
	v := &BatchPreview{Rows: b.B, Length: b.Dec.T, EncoderLength: b.Enc.T, Targets: b.NumTargets, Sequences: []SequencePreview{}}
	size := len(b.Dec.Segments) + len(b.Enc.Segments)
	v.Filled = float64(int64(size)-b.Dec.padding()-b.Enc.padding()) / float64(max(1, size))
	for _, s := range b.Seqs {
		at := int(s.Row) * b.Dec.T
		q := SequencePreview{Row: int(s.Row), First: int(s.First), Record: s.Doc}
		if s.Label >= 0 && int(s.Label) < len(b.LabelNames) {
			q.Label = b.LabelNames[s.Label]
		}
		for i := int(s.Row) * b.Enc.T; i < (int(s.Row)+1)*b.Enc.T; i++ {
			if b.Enc.Segments[i] == b.Dec.Segments[at+int(s.First)] {
				q.Reads = append(q.Reads, TokenPreview{ID: b.Enc.Tokens[i], Text: tokenText(tok, b.Enc.Tokens[i])})
			}
		}
		for i := at + int(s.First); i <= at+int(s.Last); i++ {
			t := TokenPreview{ID: b.Dec.Tokens[i], Text: tokenText(tok, b.Dec.Tokens[i])}
			if b.Targets != nil && b.Targets[i] >= 0 {
				t.Target, t.TargetText, t.Weight = &b.Targets[i], tokenText(tok, b.Targets[i]), b.Weights[i]
			}
			if b.Objective.layout().ordered {
				t.Order = &b.Dec.Order[i]
			}
			q.Tokens = append(q.Tokens, t)
		}
		v.Sequences = append(v.Sequences, q)
	}
	return v
}

// printable escapes what a terminal would act on or could not show: a token may be a
// control character, or a part of a character.
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		_, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
