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

// Preview shows what a batch teaches, sequence by sequence: each token that the loss
// counts stands in [brackets], or in one of two alternating colours, with its weight
// where that is not 1; what is only read stands bare, or dim. A label follows its text.
// A token that ends a line is written out as \n, and ends the line.
func Preview(w io.Writer, b *Batch, tok tokenizer.Tokenizer, colour bool) error {
	out := bufio.NewWriter(w)
	filled := 0
	for _, s := range b.Dec.Segments {
		if s >= 0 {
			filled++
		}
	}
	fmt.Fprintf(out, "%d rows of %d tokens, %.1f %% filled, %d sequences; the global batch has %d targets\n",
		b.B, b.Dec.T, 100*float64(filled)/float64(max(1, len(b.Dec.Segments))), len(b.Seqs), b.NumTargets)
	for _, s := range b.Seqs {
		at := int(s.Row) * b.Dec.T
		first, last := at+int(s.First), at+int(s.Last)
		fmt.Fprintf(out, "── row %d, segment %d, positions %d–%d, record %d\n", s.Row, b.Dec.Segments[first], s.First, s.Last, s.Doc)
		// The first input is no target. Each further one is the target before it, unless
		// it is masked; the last target may not be an input.
		show(out, piece(tok, b.Dec.Tokens[first]), 0, colour, false)
		for i := first; i <= last; i++ {
			target, weight := b.Targets != nil && b.Targets[i] >= 0, float32(0)
			if target {
				weight = b.Weights[i]
			}
			if i < last {
				show(out, piece(tok, b.Dec.Tokens[i+1]), weight, colour, i%2 == 0)
			} else if target {
				show(out, piece(tok, b.Targets[i]), weight, colour, i%2 == 0)
			}
		}
		if s.Label >= 0 {
			fmt.Fprint(out, " → ")
			name := fmt.Sprintf("label %d", s.Label)
			if int(s.Label) < len(b.LabelNames) {
				name = printable(b.LabelNames[s.Label])
			}
			show(out, name, 1, colour, false)
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}

// show writes one token.
func show(w io.Writer, text string, weight float32, colour, even bool) {
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

// piece is a token's text; a token without one shows its number.
func piece(tok tokenizer.Tokenizer, id int32) string {
	if s := printable(tok.Decode([]int32{id})); s != "" {
		return s
	}
	return fmt.Sprintf("<%d>", id)
}

// printable writes out what a terminal would act on or could not show: a token may be
// a control character, or a part of a character.
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
