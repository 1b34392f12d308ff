package corpus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"hone/data/clean"
	"hone/data/source"
)

// ends has the places, in characters, where the held-out ends of a file begin: its training
// text is first, then that for validation, then that for testing. A document at a border is
// cut.
type ends struct {
	validation, test int64
	at               int64 // characters that are behind
}

// endsOf fails if the ends of files cannot be held out of a corpus.
func endsOf(from string, s clean.Shares) error {
	if s == (clean.Shares{}) {
		return errors.New("data: the ends of files are to be held out, but no share is given (hint: give one for validation or test)")
	}
	_, err := readManifest(from)
	if from == GorootScheme || err == nil {
		return fmt.Errorf("data: %s: its documents are not of files whose ends can be held out: without that, they are by a hash", from)
	}
	return nil
}

// findEnds counts the characters of a file.
func findEnds(ctx context.Context, t *source.Table, column string, s clean.Shares) (*ends, error) {
	sc, err := t.Scan(ctx, column)
	if err != nil {
		return nil, err
	}
	n := int64(0)
	for err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		var b *source.Batch
		if b, err = sc.Next(); err != nil {
			break
		}
		for row := range b.Rows {
			text, _ := b.Text(0, row)
			n += int64(utf8.RuneCountInString(text))
		}
	}
	if e := sc.Close(); err == io.EOF {
		err = e
	} else {
		err = errors.Join(err, e)
	}
	return &ends{validation: whole(float64(n) * (1 - s.Validation - s.Test)), test: whole(float64(n) * (1 - s.Test))}, err
}

// whole is the integer at or below v, which rounding may have put just below one.
func whole(v float64) int64 { return int64(v + 1e-6) }

// cut shares out the next text, by split; "": nothing.
func (e *ends) cut(text string) (parts [3]string) {
	n := int64(utf8.RuneCountInString(text))
	byteOf := func(border int64) int {
		border -= e.at
		switch {
		case border <= 0:
			return 0
		case border >= n:
			return len(text)
		}
		for i := range text {
			if border == 0 {
				return i
			}
			border--
		}
		return len(text)
	}
	i, j := byteOf(e.validation), byteOf(e.test)
	e.at += n
	parts[clean.Train], parts[clean.Validation], parts[clean.Test] = text[:i], text[i:j], text[j:]
	return parts
}
