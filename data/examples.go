package data

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
)

// Labelled learns a kind of task of records that have their text and label in the usual places.
func Labelled(kind *task.Kind) Objective { return tasked{kind: kind} }

// OfTask learns a task: what belongs to each example, at its end or behind its text.
func OfTask(t *task.Task) Objective { return tasked{kind: t.Kind, task: t} }

// TaskOf gives the task that an objective learns; nil: it is one of text alone.
func TaskOf(o Objective) *task.Task {
	if l, ok := o.(tasked); ok {
		return l.asTask()
	}
	return nil
}

type tasked struct {
	ofText
	kind *task.Kind
	task *task.Task // nil: task.Of(kind)
}

func (l tasked) asTask() *task.Task {
	if l.task == nil {
		return task.Of(l.kind)
	}
	return l.task
}

func (l tasked) String() string      { return l.kind.String() }
func (l tasked) Baselines() []string { return l.kind.Baselines }
func (tasked) OfText() bool          { return false }
func (l tasked) writes() bool        { return l.kind.Labels == task.Written }
func (l tasked) words() bool         { return l.kind.Reads == task.Words }
func (l tasked) asks() bool          { return l.kind.Reads == task.Passage }
func (l tasked) chooses() bool       { return l.kind.Reads == task.Choices }
func (l tasked) compares() bool      { return l.kind.Reads == task.Texts }

func (l tasked) Predicts() string {
	if l.writes() {
		return "answers"
	}
	return "labels"
}

func (l tasked) labelled(*Config) bool   { return !l.writes() && !l.words() }
func (l tasked) targeted(c *Config) bool { return c.LMWeight > 0 || l.writes() || l.words() }

// Ends gives the tokens around the text of an example: one that is to be answered has no end, but
// for an encoder.
func (l tasked) Ends(before, after string) (string, string) {
	if l.writes() {
		return Causal.Ends(before, after)
	}
	return before, after
}

func (l tasked) lengths(c *Config) (dec, enc int) {
	if l.writes() && c.Encoder {
		return c.TargetLength, c.T
	}
	return c.T, 0
}

func (l tasked) defaults(c *Config) {
	if l.writes() && c.Encoder {
		setDefault(&c.TargetLength, c.T)
	}
}

func (l tasked) example(r *corpus.Record) (task.Example, error) {
	return l.asTask().Example(r)
}

// words reports whether words have labels.
func (c *Config) words() bool {
	t, ok := c.Objective.(tasked)
	return ok && t.words()
}

// classWeights are the weights of targets that are each of one class; nil: they all count alike.
func (c *Config) classWeights() []float32 {
	if t, ok := c.Objective.(tasked); !ok || t.kind.Labels == task.AnyOf {
		return nil // a goal of a set of labels has its weight
	}
	return c.ClassWeights
}

// Paired reports whether examples have two texts in one sequence, so that Pair is needed.
func (c *Config) Paired() bool {
	t, ok := c.Objective.(tasked)
	return ok && t.asTask().Paired()
}

func (l tasked) check(c *Config, f *faults) {
	f.add(c.Consecutive, "%v takes documents whole: none goes on in the next batch", l.kind)
	f.framed(c)
	f.add(c.Window < 1, "packing window of %d records: want ≥ 1", c.Window)
	f.add(c.MaxSeqs < 1, "%d documents a row: want ≥ 1", c.MaxSeqs)
	f.add(l.kind.Classes() && len(c.Labels) == 0, "%s without labels", l.kind)
	f.add(!(c.LMWeight >= 0) || math.IsInf(c.LMWeight, 0), "weight %g of the language-model loss: want a number ≥ 0", c.LMWeight)
	f.add(!(c.TokenDropout >= 0 && c.TokenDropout < 1), "token dropout %g: want it in [0,1)", c.TokenDropout)
	if c.TokenDropout > 0 {
		f.masked(c, "dropped")
	}
	f.add(c.TokenDropout > 0 && !l.kind.Follows("token_dropout"), "%s with token dropout", l.kind)
	f.add(c.LMWeight > 0 && !l.kind.Follows("lm_weight"), "%s with a language-model loss beside its own", l.kind)
	f.add(c.ClassWeights != nil && !l.kind.Follows("class_weights"), "%s with weights of classes", l.kind)
	f.add(c.ClassWeights != nil && len(c.ClassWeights) != len(c.Labels), "weights of %d classes for %d labels", len(c.ClassWeights), len(c.Labels))
	for i, w := range c.ClassWeights {
		f.add(!(w > 0) || math.IsInf(float64(w), 0), "weight %g of class %d: want a number > 0", w, i)
	}
	paired := l.asTask().Paired()
	f.add(paired && c.Pair == nil, "%s without the special tokens around two texts", l.kind)
	f.add(paired && c.TokenDropout > 0, "token dropout of two texts")
	if l.asks() && c.Tokenizer != nil {
		_, ok := c.Tokenizer.(placer)
		f.add(!ok, "the tokenizer does not say where in a text its tokens are, which %s needs", l.kind)
		f.add(c.Pair != nil && c.T < c.Pair.Size()+8, "rows of %d tokens for a question and its context: want ≥ 8 beside the special ones", c.T)
	}
	if l.writes() {
		f.add(c.Tokenizer != nil && c.frame().last < 0, "%s ends what is written with eos or separator: give one of them", l.kind)
		if p := c.Prompt; p != nil {
			f.add(c.T < len(p.Before)+len(p.After)+p.Room+2, "rows of %d tokens for a prompt with %d around it and %d behind", c.T, len(p.Before)+len(p.After), p.Room)
		}
		f.add(c.Encoder && c.TargetLength < 2, "rows of %d tokens for the decoder: want ≥ 2", c.TargetLength)
	}
	seen := map[string]bool{}
	for _, l := range c.Labels {
		f.add(seen[l], "label %q is listed twice", l)
		seen[l] = true
	}
}

func (l tasked) rows(r *reader, from Cursor, _ func(layer) rowSource) rowSource {
	return &exampleRows{r: r, of: l, cur: from}
}

func (l tasked) layout() layout { return layout{shifted: !l.words()} }

// exampleRows packs whole examples, each a sequence [BOS t1 … tk EOS] that is cut to fit T, or
// several of the choices of one. Packing works on windows: of a single corpus, positions
// kW … (k+1)W of the epoch's order; of a mixture, W documents drawn. A cursor is the
// window's start and a row of it.
type exampleRows struct {
	r    *reader
	of   tasked
	cur  Cursor
	end  Cursor     // of the window
	rows [][]int    // examples of the window at cur, by row; nil: not packed yet
	list []packed   // the examples
	seqs []sequence // of all of them
	ids  []int32    // of all of these
	word []int32    // of each of ids, the number of the word that begins with it, or -1; of tasks with labels of words
	turn permutation
}

// packed is an example of a window.
type packed struct {
	first, last int // of seqs, last not included
	document
	goals []float32 // a number, or 1 for each label that applies, else 0
	right int       // of the sequences, where they are choices
	tags  []int32   // labels of the words
	cut   bool      // it did not fit
}

// A sequence is what a model reads at once.
type sequence struct {
	first, last int    // of ids, last not included
	second      int    // of ids, from which on tokens have the types of a second text; last: none
	answer      int    // of ids, the first one that is to be written; last: none
	written     int    // of ids: from there on, what a decoder writes beside an encoder; last: nothing
	window      Window // of a context; positions are of the sequence
	text        uint64 // see Seq.Text
}

func (c *exampleRows) cursor() Cursor { return c.cur.clone() }

// load packs the window at cur, or the first that has a row.
func (c *exampleRows) load() error {
	for c.rows == nil {
		if ended, err := c.r.turn(&c.cur); err != nil {
			return err
		} else if ended {
			return io.EOF
		}
		if err := c.pack(); err != nil {
			return err
		}
		if c.cur.Offset != 0 && c.cur.Offset >= int64(len(c.rows)) {
			return fmt.Errorf("data: the window of %d records at position %d has %d rows, so that it cannot be resumed after row %d: the corpus, the tokenizer or the packing has changed",
				c.r.cfg.Window, c.cur.Position, len(c.rows), c.cur.Offset)
		}
		if len(c.rows) == 0 {
			c.cur, c.rows = c.end, nil
		}
	}
	return nil
}

func (c *exampleRows) pack() error {
	cfg := c.r.cfg
	c.ids, c.seqs, c.list, c.word = c.ids[:0], c.seqs[:0], c.list[:0], c.word[:0]
	dec, enc := cfg.Lengths()
	capacity := dec
	if enc > 0 {
		capacity = shares
	}
	var lengths []int
	most := 1 // sequences of an example
	c.end = c.cur.clone()
	for range cfg.Window {
		if len(c.end.Parts) == 0 && c.end.Position >= cfg.Records.Rows() {
			break
		}
		var p packed
		length, err := c.next(&c.end, &p)
		if err != nil {
			return err
		}
		c.r.pass(&c.end, p.document, length)
		if !p.ok {
			continue
		}
		if c.of.asks() { // windows of a context need not stand together
			for k := p.first; k < p.last; k++ {
				one := p
				one.first, one.last = k, k+1
				c.list, lengths = append(c.list, one), append(lengths, c.seqs[k].last-c.seqs[k].first)
			}
			continue
		}
		most = max(most, p.last-p.first)
		if enc > 0 {
			s := c.seqs[p.first]
			length = partOf(s.last-s.written, dec, s.written-s.first, enc)
		}
		c.list, lengths = append(c.list, p), append(lengths, length)
	}
	c.end.Position = c.cur.Position + int64(cfg.Window)
	c.end.Offset = 0
	if least := dec / max(1, most); c.of.chooses() && len(c.list) > 0 && least < cfg.Pair.Size()+2 {
		return fmt.Errorf("data: an example of %d choices in rows of %d tokens: %d for each, want ≥ %d (hint: sequence_length)", most, dec, least, cfg.Pair.Size()+2)
	}
	if most > cfg.MaxSeqs {
		return fmt.Errorf("data: an example of %d choices, and rows of at most %d sequences (hint: max_sequences)", most, cfg.MaxSeqs)
	}
	c.rows = bestFit(lengths, capacity, cfg.MaxSeqs/most)
	// Packing puts the longest documents into the first rows, so the rows are shuffled.
	c.turn = newPermutation(int64(len(c.rows)), cfg.Shuffle, cfg.Seed, uint64(c.cur.Epoch), uint64(c.cur.Position), 1)
	return nil
}

func (c *exampleRows) fill(b *Batch, row int) (targets int, err error) {
	if err := c.load(); err != nil {
		return 0, err
	}
	startRow(b, row, c.r.frame.pad)
	cfg := c.r.cfg
	at, first, enc, segment := row*b.Dec.T, 0, 0, int32(0)
	for _, i := range c.rows[c.turn.at(c.cur.Offset)] {
		p := &c.list[i]
		together := c.of.chooses() || c.of.compares() // what is learned is of them all
		if together {
			slot := int32(len(b.Seqs))
			b.Questions = append(b.Questions, Question{First: slot, End: slot + int32(p.last-p.first), Right: slot + int32(p.right)})
			targets++
		}
		for _, s := range c.seqs[p.first:p.last] {
			segment++
			ids := c.ids[s.first:s.written]
			size := len(ids)
			switch {
			case b.Enc.T > 0:
				written := c.ids[s.written:s.last]
				b.Enc.place(row, enc, segment, ids)
				clear(b.Enc.Order[row*b.Enc.T+enc:][:size])
				enc += size
				size = len(written)
				b.Dec.place(row, first, segment, written)
				b.Dec.Tokens[at+first] = c.r.frame.pad // behind which decoding starts
				copy(b.Dec.Tokens[at+first+1:at+first+size], written)
				targets += b.target(at+first, written, 1)
			case c.of.words():
				b.Dec.place(row, first, segment, ids)
				words := c.word[s.first:s.written]
				copy(b.Words[at+first:], words)
				if p.tags == nil { // there is nothing to learn, but something to read
					targets++
				}
				for i, w := range words {
					if w >= 0 && p.tags != nil {
						targets += b.target(at+first+i, p.tags[w:w+1], 1)
					}
				}
			case c.of.writes():
				b.Dec.place(row, first, segment, ids)
				targets += b.target(at+first+s.answer-s.first-1, c.ids[s.answer:s.last], 1)
			default:
				b.Dec.place(row, first, segment, ids)
				if λ := cfg.LMWeight; λ > 0 {
					b.target(at+first, ids[1:], float32(λ/float64(size-1)))
				}
				if cfg.TokenDropout > 0 {
					c.drop(b.Dec.Tokens[at+first:at+first+size], p.document)
				}
				if !together {
					targets++
				}
			}
			if b.Dec.Types != nil && s.second < s.last {
				cfg.Pair.Types(b.Dec.Types[at+first:at+first+size], s.second-s.first)
			}
			b.Seqs = append(b.Seqs, Seq{
				Row: int32(row), First: int32(first), Last: int32(first + size - 1), Label: p.label, Pair: -1,
				Part: int32(p.part), Doc: p.doc, Window: s.window.at(first), Cut: p.cut, Text: s.text,
			})
			if !together {
				b.Goals = append(b.Goals, p.goals...)
			}
			first += size
		}
		if together {
			b.Goals = append(b.Goals, p.goals...)
		}
	}
	if c.cur.Offset++; c.cur.Offset == int64(len(c.rows)) {
		c.cur, c.rows = c.end, nil
	}
	return targets, nil
}

// target sets the targets of consecutive positions from at on, and gives their number.
func (b *Batch) target(at int, ids []int32, weight float32) int {
	for i, id := range ids {
		b.Targets[at+i], b.Weights[at+i] = id, weight
	}
	return len(ids)
}

// drop masks tokens of a document, except those of its frame. Which ones depends on the
// seed, the epoch, the document and the place alone.
func (c *exampleRows) drop(ids []int32, d document) {
	cfg := c.r.cfg
	ids = c.r.frame.inner(ids)
	mask, _ := cfg.Tokenizer.Special(cfg.Mask) // checked
	key, below := d.key(cfg.Seed), share(cfg.TokenDropout)
	for i := range ids {
		if draw(key, i) < below {
			ids[i] = mask
		}
	}
}

// next reads the example at a cursor, and adds its sequences to the window. n is the number of its
// tokens.
func (c *exampleRows) next(at *Cursor, p *packed) (n int, err error) {
	r := c.r
	start := len(c.ids)
	p.first = len(c.seqs)
	defer func() {
		if !p.ok {
			c.ids, c.seqs, c.word = c.ids[:start], c.seqs[:p.first], c.word[:min(start, len(c.word))]
		}
		p.last = len(c.seqs)
	}()
	rec, ex, ok, err := r.record(at, &p.document)
	if err != nil || !ok {
		return 0, err
	}
	for _, text := range slices.Concat([]string{ex.Text, ex.Pair, ex.Answer}, ex.Choices, ex.Words) {
		if !utf8.ValidString(text) {
			return 0, r.fault(&p.document, rec, "invalid UTF-8 in a text")
		}
	}
	if ex.HasLabel {
		if err := c.label(&ex, p); err != nil {
			return 0, r.fault(&p.document, rec, "%v", err)
		}
	}
	tokens, cut, err := c.encode(&ex)
	if err != nil {
		return 0, r.fault(&p.document, rec, "%v", err)
	}
	if tokens == 0 {
		r.stats.Empty++
		return 0, nil
	}
	if p.cut = cut > 0; p.cut {
		r.stats.Truncated++
		r.stats.TruncatedTokens += int64(cut)
	}
	r.usable(p.part)
	r.stats.Documents++
	r.stats.Bytes += int64(len(ex.Text) + len(ex.Pair) + len(ex.Answer))
	r.stats.Tokens += int64(tokens)
	p.ok = true
	return len(c.ids) - start, nil
}

// label sets what belongs to an example.
func (c *exampleRows) label(ex *task.Example, p *packed) error {
	class := func(name string) (int32, error) {
		k, known := c.r.labels[name]
		if !known {
			return 0, task.UnknownLabel(name, c.r.cfg.Labels)
		}
		return k, nil
	}
	var err error
	switch c.of.kind.Labels {
	case task.OneOf:
		p.document.label, err = class(ex.Label)
	case task.AnyOf:
		p.goals = make([]float32, len(c.r.cfg.Labels))
		for _, name := range ex.Labels {
			k, err := class(name)
			if err != nil {
				return err
			}
			if p.goals[k] = 1; c.r.cfg.ClassWeights != nil {
				p.goals[k] = c.r.cfg.ClassWeights[k]
			}
		}
	case task.EachOf:
		for _, name := range ex.Labels {
			k, err := class(name)
			if err != nil {
				return err
			}
			p.tags = append(p.tags, k)
		}
	case task.Number:
		p.goals = []float32{float32(ex.Value)}
	case task.Choice:
		p.right = ex.Right
	}
	return err
}

// errDoubled is the error of a text that has the token already that is set around it.
var errDoubled = errors.New("its tokens already begin or end with the special token that would be set around them: it would stand doubled (hint: leave bos, eos or separator to one of the two)")

// encode adds the sequences of an example. It gives the number of tokens of its texts, and of
// these the number that did not fit.
func (c *exampleRows) encode(ex *task.Example) (tokens, cut int, err error) {
	cfg, f := c.r.cfg, c.r.frame
	dec, enc := cfg.Lengths()
	text := ex.IDs
	var begins []int32 // see exampleRows.word
	switch {
	case c.of.words():
		text, begins = encodeWords(cfg.Tokenizer, ex.Words)
	case len(text) == 0:
		text = cfg.Tokenizer.Encode(nil, ex.Text)
	}
	if c.of.asks() {
		return c.ask(text, ex, dec)
	}
	if len(text) > 0 && (text[0] == f.first || text[len(text)-1] == f.last) {
		return 0, 0, errDoubled
	}
	tokens = len(text)
	switch {
	case c.of.compares():
		return c.compared(ex, dec)
	case c.of.chooses():
		limit, all := dec, 0
		seconds := make([][]int32, len(ex.Choices))
		for i, choice := range ex.Choices {
			seconds[i] = cfg.Tokenizer.Encode(nil, choice)
			tokens += len(seconds[i])
			all += len(text) + len(seconds[i]) + cfg.Pair.Size()
		}
		if all > dec { // they share the row
			limit = dec / len(ex.Choices)
		}
		for _, second := range seconds {
			cut += c.pair(text, second, limit)
		}
	case c.of.asTask().Paired():
		second := cfg.Tokenizer.Encode(nil, ex.Pair)
		tokens += len(second)
		cut = c.pair(text, second, dec)
	case c.of.writes():
		var answer []int32
		if cfg.Prompt == nil {
			answer = cfg.Tokenizer.Encode(nil, ex.Answer)
			tokens += len(answer)
		}
		cut = c.answered(text, answer, dec, enc)
	case tokens > 0:
		cut = c.single(text, dec)
	}
	if tokens > 0 && c.of.words() {
		for range token(f.first) {
			c.word = append(c.word, -1)
		}
		c.word = append(c.word, begins[:tokens-cut]...)
		for range token(f.last) {
			c.word = append(c.word, -1)
		}
	}
	return tokens, cut, tokenizer.Fault(cfg.Tokenizer)
}

// compared adds the texts of an example, each in a sequence of its own behind its prompt. They share a row: where they do not
// fit, the longest are cut.
func (c *exampleRows) compared(ex *task.Example, limit int) (tokens, cut int, err error) {
	cfg, f := c.r.cfg, c.r.frame
	var list [][]int32
	var lengths []int
	for i, text := range slices.Concat([]string{ex.Text, ex.Pair}, ex.Choices) {
		prompt := cfg.Prompts.Document
		if i == 0 || c.of.kind.Labels == task.Number { // neither of two is asked for
			prompt = cfg.Prompts.Query
		}
		ids := cfg.Tokenizer.Encode(nil, prompt+text)
		if len(ids) == 0 || text == "" {
			return 0, 0, tokenizer.Fault(cfg.Tokenizer) // as a text without tokens
		}
		if ids[0] == f.first || ids[len(ids)-1] == f.last {
			return 0, 0, errDoubled
		}
		list, lengths = append(list, ids), append(lengths, len(ids))
		tokens += len(ids)
	}
	room := limit - len(list)*f.size()
	if room < len(list) {
		return 0, 0, fmt.Errorf("%d texts do not fit a row of %d tokens (hint: sequence_length)", len(list), limit)
	}
	most := longestOf(lengths, room)
	for _, ids := range list {
		kept := ids[:min(len(ids), most)]
		cut += len(ids) - len(kept)
		h := fnv.New64a()
		for _, id := range kept {
			h.Write([]byte{byte(id), byte(id >> 8), byte(id >> 16), byte(id >> 24)})
		}
		c.add(-1, -1, -1, token(f.first), kept, token(f.last))
		c.seqs[len(c.seqs)-1].text = h.Sum64()
	}
	return tokens, cut, tokenizer.Fault(cfg.Tokenizer)
}

// longestOf is the greatest length at which texts of these lengths, cut there, fit the room for all.
func longestOf(lengths []int, room int) int {
	sorted := slices.Sorted(slices.Values(lengths))
	for i, n := range sorted {
		if left := len(sorted) - i; n*left > room {
			return room / left
		}
		room -= n
	}
	return sorted[len(sorted)-1]
}

// add adds a sequence of pieces, of which the second text is number second, the answer number
// answer, and what a decoder writes beside an encoder from number written on; -1: none.
func (c *exampleRows) add(second, answer, written int, pieces ...[]int32) {
	s := sequence{first: len(c.ids)}
	at := []*int{&s.second, &s.answer, &s.written}
	for i, piece := range pieces {
		for k, n := range []int{second, answer, written} {
			if i == n {
				*at[k] = len(c.ids)
			}
		}
		c.ids = append(c.ids, piece...)
	}
	s.last = len(c.ids)
	for k, n := range []int{second, answer, written} {
		if n < 0 {
			*at[k] = s.last
		}
	}
	c.seqs = append(c.seqs, s)
}

// encodeWords encodes each word by itself, as transformers does with is_split_into_words. begins has, for
// each token, the number of the word that begins with it, or -1. A tokenizer whose tokens carry the
// blank before a word, as GPT-2's, is given one.
func encodeWords(tok tokenizer.Tokenizer, words []string) (ids, begins []int32) {
	one, two := tok.Encode(nil, "x"), tok.Encode(nil, "x x")
	blank := ""
	if !slices.Equal(two, append(one, one...)) {
		blank = " "
	}
	for w, word := range words {
		before := len(ids)
		if blank != "" && strings.TrimSpace(word) != "" {
			word = blank + word
		}
		ids = tok.Encode(ids, word)
		for k := range ids[before:] {
			begins = append(begins, -1)
			if k == 0 {
				begins[before] = int32(w)
			}
		}
	}
	return ids, begins
}

// idsOf gives the ids of tokens that a post-processor adds.
func idsOf(list []tokenizer.Added) (out []int32) {
	for _, a := range list {
		out = append(out, a.ID)
	}
	return out
}

// token is a piece of one special token; -1: of none.
func token(id int32) []int32 {
	if id < 0 {
		return nil
	}
	return []int32{id}
}

func (c *exampleRows) single(text []int32, limit int) (cut int) {
	f := c.r.frame
	room := limit - f.size()
	cut = max(0, len(text)-room)
	c.add(-1, -1, -1, token(f.first), text[:len(text)-cut], token(f.last))
	return cut
}

// pair adds two texts in one sequence. Where they are too long, tokens of the longer one go first,
// as transformers' truncation "longest_first" does.
func (c *exampleRows) pair(first, second []int32, limit int) (cut int) {
	f := c.r.cfg.Pair
	a, b := longestFirst(len(first), len(second), max(2, limit-f.Size()))
	cut = len(first) - a + len(second) - b
	c.add(3, -1, -1, idsOf(f.Before), first[:a], idsOf(f.Between), second[:b], idsOf(f.After))
	return cut
}

// at gives a window in a row in which its sequence begins at first.
func (w Window) at(first int) Window {
	w.Second, w.Start, w.End = w.Second+int32(first), w.Start+int32(first), w.End+int32(first)
	return w
}

// A placer is a tokenizer that says where in the text its tokens are, in bytes.
type placer interface {
	Place(text string) ([]int32, []tokenizer.Offset)
}

// usualStride is the number of tokens that two windows of a context have in common, of a task that does not
// say it, as in transformers; at most half of what a window has.
const usualStride = 128

// ask adds the windows of a context behind a question, as transformers' run_qa.py does. The question takes half
// of a row at most, and is cut there. The first answer is learned; a window that does not have all of it has
// none.
func (c *exampleRows) ask(question []int32, ex *task.Example, limit int) (tokens, cut int, err error) {
	f := c.r.cfg.Pair
	ids, at := c.r.cfg.Tokenizer.(placer).Place(ex.Pair) // checked
	if err := tokenizer.Fault(c.r.cfg.Tokenizer); err != nil {
		return 0, 0, err
	}
	tokens = len(question) + len(ids)
	if len(question) == 0 || len(ids) == 0 {
		return 0, 0, nil
	}
	room := limit - f.Size()
	cut = max(0, len(question)-room/2)
	question = question[:len(question)-cut]
	room -= len(question)
	first, last := -1, -1 // tokens of the answer
	if len(ex.Spans) > 0 {
		// Of several tokens of one character, as of a decomposed one, those in the middle, as in transformers.
		for i, o := range at {
			if o.Start <= ex.Spans[0].First {
				first = i
			}
			if last < 0 && o.End >= ex.Spans[0].Last {
				last = i
			}
		}
		if first < 0 || last < 0 {
			return 0, 0, fmt.Errorf("no tokens of the context begin and end the answer %q", ex.Answers[0])
		}
		first, last = min(first, last), max(first, last) // of one such character all
	}
	stride := min(usualStride, room/2)
	if c.of.task != nil && c.of.task.Stride > 0 {
		if stride = c.of.task.Stride; stride >= room && len(ids) > room {
			return 0, 0, fmt.Errorf("a window has %d tokens of the context beside this question: doc_stride = %d leaves none of them to the next (hint: a longer sequence_length, or a smaller doc_stride)", room, stride)
		}
	}
	held := first < 0 // a window has the answer, if there is one
	for from := 0; ; from += room - stride {
		end := min(len(ids), from+room)
		c.add(3, -1, -1, idsOf(f.Before), question, idsOf(f.Between), ids[from:end], idsOf(f.After))
		s := &c.seqs[len(c.seqs)-1]
		s.window = Window{Second: int32(s.second - s.first), Tokens: int32(end - from), From: int32(from)}
		if first >= from && last < end && first >= 0 {
			s.window.Start, s.window.End, held = s.window.Second+int32(first-from), s.window.Second+int32(last-from), true
		}
		if end == len(ids) {
			if !held {
				c.r.stats.Unheld++
			}
			return tokens, cut, nil
		}
	}
}

// longestFirst gives the numbers of tokens that are left of two texts of n and m in room for both:
// those of the longer one are cut until it is as short as the other, then those of both in turn.
func longestFirst(n, m, room int) (int, int) {
	short := min(n, m)
	switch {
	case n+m <= room:
		return n, m
	case 2*short <= room && n > m:
		return room - short, m
	case 2*short <= room:
		return n, room - short
	case n > m: // the odd token is of the longer one
		return room - room/2, room / 2
	}
	return room / 2, room - room/2
}

// answered adds a text and the one that is written behind it. Where both are too long, the first
// one loses its beginning, since the answer goes on from its end; an encoder's loses its end.
func (c *exampleRows) answered(text, answer []int32, dec, enc int) (cut int) {
	f := c.r.frame
	first, last := token(f.first), token(f.last)
	if p := c.r.cfg.Prompt; p != nil {
		if enc > 0 {
			cut = max(0, len(text)+len(p.Before)+len(p.After)-enc)
			c.add(-1, 3, 3, p.Before, text[:len(text)-cut], p.After, last)
			return cut
		}
		cut = max(0, len(text)+len(p.Before)+len(p.After)+len(last)-(dec-p.Room))
		c.add(-1, 3, -1, p.Before, text[cut:], p.After, last)
		return cut
	}
	if enc > 0 {
		cut = max(0, len(text)-(enc-f.size()))
		over := max(0, len(answer)-(dec-1))
		if over > 0 { // it does not end there
			answer, last = answer[:dec], nil
		}
		c.add(-1, 3, 3, first, text[:len(text)-cut], token(f.last), slices.Concat(answer, last))
		return cut + over
	}
	if f.first < 0 {
		first = last // a text begins where another ends
	}
	room := dec - len(first) - 1 // a token of the text at least
	over := 0
	if len(answer)+1 > room {
		over = len(answer) - room
		answer, last = answer[:min(len(answer), room)], nil
	}
	cut = max(0, len(text)-(dec-len(first)-len(answer)-len(last)))
	c.add(-1, 2, -1, first, text[cut:], slices.Concat(answer, last))
	return cut + max(0, over)
}
