package tokenizer

import (
	"errors"
	"fmt"
	"slices"
)

// Offset is a part of the input: from Start up to End.
type Offset struct{ Start, End int }

// Encoding holds the tokens of a text, with their places in it. All slices have one
// element per token.
type Encoding struct {
	IDs     []int32
	Types   []int32  // 0 for the first text, 1 for the second, or as the post-processor says
	Tokens  []string // spellings in the vocabulary
	Words   []int32  // index of the token's word in its text; -1: none
	Chars   []Offset // place in the text, in characters; 0, 0: none
	Bytes   []Offset // place in the text, in bytes; 0, 0: none
	Special []bool   // added by the post-processor, or padding
	Padding []bool
	// Overflow holds what truncation cut off, in windows that overlap by its stride.
	Overflow []Encoding
}

// Len is the number of tokens.
func (e *Encoding) Len() int { return len(e.IDs) }

func (e *Encoding) slice(i, j int) Encoding {
	return Encoding{IDs: e.IDs[i:j:j], Types: e.Types[i:j:j], Tokens: e.Tokens[i:j:j], Words: e.Words[i:j:j],
		Chars: e.Chars[i:j:j], Bytes: e.Bytes[i:j:j], Special: e.Special[i:j:j], Padding: e.Padding[i:j:j]}
}

func (e *Encoding) append(x Encoding) {
	e.IDs = append(e.IDs, x.IDs...)
	e.Types = append(e.Types, x.Types...)
	e.Tokens = append(e.Tokens, x.Tokens...)
	e.Words = append(e.Words, x.Words...)
	e.Chars = append(e.Chars, x.Chars...)
	e.Bytes = append(e.Bytes, x.Bytes...)
	e.Special = append(e.Special, x.Special...)
	e.Padding = append(e.Padding, x.Padding...)
}

// join appends x, and combines the overflowing windows of both.
func (e *Encoding) join(x Encoding) {
	var over []Encoding
	with := func(a, b Encoding) {
		a.Overflow, b.Overflow = nil, nil
		a = a.slice(0, a.Len())
		a.append(b)
		over = append(over, a)
	}
	for _, o := range e.Overflow {
		with(o, x)
		for _, p := range x.Overflow {
			with(o, p)
		}
	}
	for _, p := range x.Overflow {
		with(*e, p)
	}
	e.append(x)
	e.Overflow = over
}

func (e *Encoding) setTypes(id int32) {
	for i := range e.Types {
		e.Types[i] = id
	}
	for i := range e.Overflow {
		e.Overflow[i].setTypes(id)
	}
}

// specialToken is the encoding of a token that comes from no text.
func specialToken(id, kind int32, token string, padding bool) Encoding {
	return Encoding{IDs: []int32{id}, Types: []int32{kind}, Tokens: []string{token}, Words: []int32{-1},
		Chars: make([]Offset, 1), Bytes: make([]Offset, 1), Special: []bool{true}, Padding: []bool{padding}}
}

// Tokenize encodes text with offsets and, if special is set, with the special tokens
// that the post-processor adds. It applies the truncation and padding of the
// tokenizer.json. It fails where truncation is impossible, or for the reason of Err.
func (p *Pipeline) Tokenize(text string, special bool) (Encoding, error) {
	return p.tokenize([]string{text}, special)
}

// TokenizePair is Tokenize for two texts in one sequence.
func (p *Pipeline) TokenizePair(first, second string, special bool) (Encoding, error) {
	return p.tokenize([]string{first, second}, special)
}

func (p *Pipeline) tokenize(texts []string, special bool) (Encoding, error) {
	list := make([]Encoding, len(texts))
	for i, s := range texts {
		list[i] = p.trace(s, false)
	}
	if err := p.Err(); err != nil {
		return Encoding{}, err
	}
	if p.truncation != nil {
		limit := p.truncation.MaxLength
		if special {
			limit -= addedBy(p.post, len(texts) == 2)
		}
		if err := p.truncation.apply(list, limit); err != nil {
			return Encoding{}, fmt.Errorf("tokenizer: truncation: %w", err)
		}
	}
	for i := range list {
		list[i].setTypes(int32(i))
	}
	for _, s := range p.post {
		list = s.process(list, special)
	}
	out := list[0]
	for _, x := range list[1:] {
		out.join(x)
	}
	if p.padding != nil {
		p.padding.apply(&out)
	}
	return out, nil
}

// Frame gives the tokens that the post-processor adds before and after a single text.
func (p *Pipeline) Frame() (before, after []int32) {
	const text = -1
	list := []Encoding{specialToken(text, 0, "", false)}
	list[0].Special[0] = false
	for _, s := range p.post {
		list = s.process(list, true)
	}
	ids := list[0].IDs
	for _, x := range list[1:] {
		ids = append(ids, x.IDs...)
	}
	at := slices.Index(ids, text)
	if at < 0 { // a template of special tokens only
		return ids, nil
	}
	return ids[:at:at], ids[at+1:]
}

// A PairFrame is the tokens that a post-processor adds around two texts in one sequence.
type PairFrame struct {
	Before, Between, After []Added
	First, Second          int32 // types of the tokens of both texts
}

// Added is a token that a post-processor adds, with its type.
type Added struct{ ID, Type int32 }

// Size is the number of tokens that a frame adds.
func (f *PairFrame) Size() int { return len(f.Before) + len(f.Between) + len(f.After) }

// Types sets the types of the tokens of a sequence whose second text begins at second.
func (f *PairFrame) Types(dst []int32, second int) {
	put := func(at int, list []Added) {
		for i, a := range list {
			dst[at+i] = a.Type
		}
	}
	for i := range dst {
		if dst[i] = f.First; i >= second {
			dst[i] = f.Second
		}
	}
	put(0, f.Before)
	put(second-len(f.Between), f.Between)
	put(len(dst)-len(f.After), f.After)
}

// PairFrame gives the tokens that the post-processor adds to two texts. It fails where that does
// not set the first text before the second, once each.
func (p *Pipeline) PairFrame() (f *PairFrame, err error) {
	f = &PairFrame{}
	const first, second = -1, -2
	list := []Encoding{specialToken(first, 0, "", false), specialToken(second, 1, "", false)}
	for i := range list {
		list[i].Special[0] = false
	}
	for _, s := range p.post {
		list = s.process(list, true)
	}
	at := 0
	for _, e := range list {
		for i, id := range e.IDs {
			switch {
			case id == first && at == 0:
				f.First, at = e.Types[i], 1
				continue
			case id == second && at == 1:
				f.Second, at = e.Types[i], 2
				continue
			case id == first || id == second:
				return f, errors.New("tokenizer: the post-processor sets two texts in another order than first, second")
			}
			part := [...]*[]Added{&f.Before, &f.Between, &f.After}[at]
			*part = append(*part, Added{id, e.Types[i]})
		}
	}
	if at != 2 {
		return f, errors.New("tokenizer: the post-processor leaves out one of two texts")
	}
	return f, nil
}

// trace encodes one text with offsets.
func (p *Pipeline) trace(s string, ordinary bool) Encoding {
	e := p.encoders.Get().(*encoder)
	e.ordinary = ordinary
	n := len(s)/3 + 8 // a guess, to grow a few times less
	e.enc = Encoding{IDs: make([]int32, 0, n), Tokens: make([]string, 0, n), Words: make([]int32, 0, n), Bytes: make([]Offset, 0, n)}
	e.words = 0
	e.run(newText(s, true))
	out := e.enc
	e.enc = Encoding{}
	p.keep(e, len(s))
	out.Chars = charOffsets(s, out.Bytes)
	n = len(out.IDs)
	out.Types, out.Special, out.Padding = make([]int32, n), make([]bool, n), make([]bool, n)
	return out
}

// truncation is the section of that name.
type truncation struct {
	Direction string
	MaxLength int `json:"max_length"`
	Strategy  string
	Stride    int
}

func (t *truncation) check() error {
	if t.Direction == "" {
		t.Direction = "Right"
	}
	switch {
	case t.Direction != "Left" && t.Direction != "Right":
		return fmt.Errorf("truncation: direction: unknown %q (known: Left, Right)", t.Direction)
	case t.Strategy != "LongestFirst" && t.Strategy != "OnlyFirst" && t.Strategy != "OnlySecond":
		return fmt.Errorf("truncation: strategy: unknown %q (known: LongestFirst, OnlyFirst, OnlySecond)", t.Strategy)
	case t.MaxLength < 0 || t.Stride < 0:
		return errors.New("truncation: max_length or stride is negative")
	}
	return nil
}

func (t *truncation) apply(list []Encoding, limit int) error {
	if limit < 0 {
		return fmt.Errorf("max_length %d has no room for the special tokens", t.MaxLength)
	}
	if limit == 0 {
		for i := range list {
			list[i] = Encoding{Overflow: []Encoding{list[i]}}
		}
		return nil
	}
	total := 0
	for i := range list {
		total += list[i].Len()
	}
	if total <= limit {
		return nil
	}
	switch {
	case t.Strategy == "LongestFirst" && len(list) == 1:
		return t.cut(&list[0], limit)
	case t.Strategy == "LongestFirst":
		a, b := list[0].Len(), list[1].Len()
		swap := a > b
		if swap {
			a, b = b, a
		}
		if a > limit {
			b = a
		} else {
			b = max(a, limit-a)
		}
		if a+b > limit {
			a = limit / 2
			b = a + limit%2
		}
		if swap {
			a, b = b, a
		}
		if err := t.cut(&list[0], a); err != nil {
			return err
		}
		return t.cut(&list[1], b)
	}
	which := 0
	if t.Strategy == "OnlySecond" {
		which = 1
	}
	if which >= len(list) {
		return errors.New("only the second text may be cut, and there is none")
	}
	left := list[which].Len() - (total - limit)
	if left <= 0 {
		return fmt.Errorf("the text that may be cut has %d tokens, %d too many in all", list[which].Len(), total-limit)
	}
	return t.cut(&list[which], left)
}

// cut truncates e to n tokens, and moves the others into windows.
func (t *truncation) cut(e *Encoding, n int) error {
	size := e.Len()
	if n >= size {
		return nil
	}
	if n == 0 {
		*e = Encoding{Overflow: []Encoding{*e}}
		return nil
	}
	if t.Stride >= n {
		return fmt.Errorf("stride %d is not less than the %d tokens of a window", t.Stride, n)
	}
	var windows []Encoding
	if t.Direction == "Right" {
		for start := 0; start < size; start += n - t.Stride {
			stop := min(start+n, size)
			windows = append(windows, e.slice(start, stop))
			if stop == size {
				break
			}
		}
	} else {
		for stop := size; stop > 0; stop -= n - t.Stride {
			start := max(stop-n, 0)
			windows = append(windows, e.slice(start, stop))
			if start == 0 {
				break
			}
		}
	}
	*e = windows[0]
	e.Overflow = windows[1:]
	return nil
}

// padding is the section of that name. Its strategy is "BatchLongest", which pads a
// single text to its own length, or {"Fixed": n}.
type padding struct {
	Fixed     int // 0: the longest
	Direction string
	Multiple  int
	ID, Type  int32
	Token     string
}

func (p *padding) apply(e *Encoding) {
	for i := range e.Overflow {
		p.apply(&e.Overflow[i])
	}
	size := e.Len()
	if p.Fixed > 0 {
		size = p.Fixed
	}
	if p.Multiple > 0 && size%p.Multiple > 0 {
		size += p.Multiple - size%p.Multiple
	}
	var pad Encoding
	for range size - e.Len() {
		pad.append(specialToken(p.ID, p.Type, p.Token, true))
	}
	if pad.Len() == 0 {
		return
	}
	if p.Direction == "Left" {
		over := e.Overflow
		pad.append(*e)
		*e = pad
		e.Overflow = over
	} else {
		e.append(pad)
	}
}
