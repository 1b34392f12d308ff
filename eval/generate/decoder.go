package generate

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"hone/trainer/exec"
	"hone/trainer/model"
)

// A decoder reads texts in slots, side by side, and computes the logits of the tokens behind them. It handles tokens,
// not text. Logits have the same bits whatever else is read with them, in pieces of any size.
type decoder struct {
	net     *model.Network
	how     model.Writing
	window  int            // the longest context
	piece   int            // the most tokens that are read in a round
	session *model.Session // nil: there are no slots
	slots   []slot
	rounds  int
	feed    model.Feed
	last    []int32   // of the feed: EncoderLast
	ends    int       // logits of a round: of the texts that are read to their end, and of nothing
	logits  []float32 // of a round
}

// A slot is the place of one text, and what the caches have of it.
type slot struct {
	source []int32 // what the encoder has read
	held   []int32 // the tokens of the text whose keys and values there are, for this source
	used   int     // the last round that has read something here
}

// A reading is a text that is read in a slot.
type reading struct {
	slot   int
	source []int32   // the input of an encoder
	ids    []int32   // the text
	logits []float32 // (V) of the token behind it, valid until the next round; nil: not all is read
	seen   int       // how much of it the slot held before this round
	count  int       // how many tokens are read in this round
	behind int       // how many tokens the encoder reads in this round
}

// unbounded is the context of families without a bound of their own, T5 and XLNet, whose positions are relative: more
// than there is memory for.
const unbounded = 1 << 20

var errMemory = errors.New("not enough memory")

// worthwhile is how many tokens a text must be able to copy from another one to wait until they are read there.
const worthwhile = 32

func newDecoder(net *model.Network) (*decoder, error) {
	c := net.Config()
	d := &decoder{net: net, how: c.Writing(), window: cmp.Or(c.MaxLength(), unbounded), piece: 512}
	switch d.how {
	case model.Never:
		return nil, fmt.Errorf("generate: a %s attends to both sides of a token and cannot write text", c.ModelType)
	case model.Queried:
		d.window-- // the next token has a row too
	}
	return d, nil
}

// bucket is a power of two from least on, so that there are few programs.
func bucket(n, least int) int {
	size := least
	for size < n {
		size *= 2
	}
	return size
}

// reserve makes room for so many texts of so many tokens. What slots hold, they keep.
func (d *decoder) reserve(slots, tokens int) error {
	slots = max(slots, len(d.slots))
	longest := d.window
	if d.how == model.Queried {
		tokens, longest = tokens+1, longest+1
	}
	size := min(bucket(tokens, 64), longest)
	if d.session != nil {
		size = max(size, d.session.Size())
		if slots == len(d.slots) && size == d.session.Size() {
			return nil
		}
	}
	s, err := d.net.NewSession(slots, size)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	weights := int64(d.net.Memory().Bytes())
	if total, _ := d.net.Memory().Device().Memory(); total > 0 && int64(s.Bytes()) > total-weights {
		return fmt.Errorf("generate: %w: the keys and values of %d texts of %d tokens need %.1f GB, beside a model of %.1f GB, and this machine has %.1f GB\nhint: fewer texts at once, or fewer tokens, need less",
			errMemory, slots, size, float64(s.Bytes())/1e9, float64(weights)/1e9, float64(total)/1e9)
	}
	for i := range d.slots {
		held := d.slots[i]
		if err := errors.Join(s.Copy(i, d.session, i, 0, len(held.held)), s.CopyEncoded(i, d.session, i, len(held.source))); err != nil {
			return fmt.Errorf("generate: %w", err)
		}
	}
	d.session = s
	d.slots = append(d.slots, make([]slot, slots-len(d.slots))...)
	for i := range d.slots {
		d.slots[i].held = append(make([]int32, 0, size), d.slots[i].held...)
	}
	return nil
}

// common is how many tokens two texts begin with together.
func common(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// read is a round: it reads of the texts as many tokens as fit, and gives those that have been read to their end their
// logits. Of what the slots hold, only what differs is read again, but the last token always.
func (d *decoder) read(texts []*reading) error {
	d.rounds++
	if d.how == model.Answered {
		if err := d.encode(texts); err != nil {
			return err
		}
	}
	for i, r := range texts {
		if r.count = 0; !slices.Equal(d.slots[r.slot].source, r.source) {
			continue // waits for the encoder
		}
		if err := d.share(r); err != nil {
			return err
		}
		r.count = len(r.ids) - r.seen
		for _, before := range texts[:i] {
			if before.count > 1 && min(common(before.ids, r.ids), len(r.ids)-1)-r.seen >= worthwhile {
				r.count = 0 // waits
			}
		}
	}
	rows := allot(texts, d.piece)
	size := bucket(rows, 1)
	if size > 64 && size-rows > size/8 { // less is left empty if half of it goes first
		size /= 2
		allot(texts, size)
	}
	d.lay(texts, size)
	x, err := d.session.Executor(model.Decode, size)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if err := d.run(x, texts); err != nil {
		return err
	}
	for _, r := range texts {
		s := &d.slots[r.slot]
		s.held = append(s.held, r.ids[r.seen:r.seen+r.count]...)
		if r.count > 0 {
			s.used = d.rounds
		}
	}
	return nil
}

// encode has the encoder read what texts answer, of those whose slots do not hold it: several in a run if they are
// short. The others wait for the next round.
func (d *decoder) encode(texts []*reading) error {
	f := &d.feed
	f.Tokens, f.Positions, f.Sequences, f.Segments, f.EncoderLast = f.Tokens[:0], f.Positions[:0], f.Sequences[:0], f.Segments[:0], nil
	for _, r := range texts {
		r.behind = 0
	}
	for _, r := range texts {
		s := &d.slots[r.slot]
		if slices.Equal(s.source, r.source) {
			continue
		}
		if from := slices.IndexFunc(d.slots, func(s slot) bool { return slices.Equal(s.source, r.source) }); from >= 0 {
			if err := d.session.CopyEncoded(r.slot, d.session, from, len(r.source)); err != nil {
				return fmt.Errorf("generate: %w", err)
			}
			s.source, s.held = append(s.source[:0], r.source...), s.held[:0]
			continue
		}
		if n := len(f.Tokens); n > 0 && n+len(r.source) > d.piece || slices.ContainsFunc(texts, func(o *reading) bool { return o.behind > 0 && slices.Equal(o.source, r.source) }) {
			continue
		}
		s.source, s.held = s.source[:0], s.held[:0] // until it is read
		for i, id := range r.source {
			f.Tokens, f.Positions = append(f.Tokens, id), append(f.Positions, int32(i))
			f.Sequences, f.Segments = append(f.Sequences, int32(r.slot)), append(f.Segments, int32(r.slot))
		}
		r.behind = len(r.source)
	}
	if len(f.Tokens) == 0 {
		return nil
	}
	x, err := d.session.Executor(model.Encode, bucket(len(f.Tokens), 1))
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	for len(f.Tokens) < inputRows(x, "tokens") {
		f.Tokens, f.Positions, f.Sequences, f.Segments = append(f.Tokens, -1), append(f.Positions, -1), append(f.Sequences, 0), append(f.Segments, -1)
	}
	f.Pool = nil
	if err := d.net.Feed(x, f); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if err := x.Run(); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	for _, r := range texts {
		if r.behind > 0 {
			s := &d.slots[r.slot]
			s.source, s.used = append(s.source, r.source...), d.rounds
		}
	}
	return nil
}

// share finds out how much of a text its slot holds, after it has copied there what another one holds.
func (d *decoder) share(r *reading) error {
	own := &d.slots[r.slot]
	most := r.ids[:len(r.ids)-1] // the last token is read in any case: its logits are wanted
	r.seen = common(own.held, most)
	best, from := r.seen, r.slot
	if r.seen < len(most) {
		for i := range d.slots {
			if n := common(d.slots[i].held, most); n > best && slices.Equal(d.slots[i].source, r.source) {
				best, from = n, i
			}
		}
	}
	own.held = own.held[:r.seen]
	if err := d.session.Copy(r.slot, d.session, from, r.seen, best); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	own.held, r.seen = append(own.held, most[r.seen:best]...), best
	return nil
}

// allot says how many tokens of each text are read: one of those that have one, and of the others, in order, what fits
// into a round of size tokens. It gives their sum.
func allot(texts []*reading, size int) (rows int) {
	for _, whole := range []bool{true, false} {
		for _, r := range texts {
			if (r.count == 1) == whole {
				r.count = min(r.count, size-rows)
				rows += r.count
			}
		}
	}
	return rows
}

// lay fills the feed with the round's tokens, and with rows of nothing up to size.
func (d *decoder) lay(texts []*reading, size int) {
	f := &d.feed
	f.Tokens, f.Positions, f.Sequences = f.Tokens[:0], f.Positions[:0], f.Sequences[:0]
	f.Segments, d.last, d.ends = nil, d.last[:0], 0
	end := func(row, position, slot int32) { // the token behind a text is wanted
		if d.ends++; d.how == model.Queried {
			f.QueryPositions, f.QuerySequences = append(f.QueryPositions, position), append(f.QuerySequences, slot)
		} else {
			f.Pool = append(f.Pool, row)
		}
	}
	f.Pool, f.QueryPositions, f.QuerySequences = f.Pool[:0], f.QueryPositions[:0], f.QuerySequences[:0]
	for _, r := range texts {
		for i, id := range r.ids[r.seen : r.seen+r.count] {
			f.Tokens, f.Positions, f.Sequences = append(f.Tokens, id), append(f.Positions, int32(r.seen+i)), append(f.Sequences, int32(r.slot))
			d.last = append(d.last, int32(len(r.source)-1))
		}
		if r.count > 0 && r.seen+r.count == len(r.ids) {
			end(int32(len(f.Tokens)-1), int32(len(r.ids)), int32(r.slot))
		}
	}
	for len(f.Tokens) < size {
		f.Tokens, f.Positions, f.Sequences, d.last = append(f.Tokens, -1), append(f.Positions, -1), append(f.Sequences, 0), append(d.last, -1)
	}
	if d.how == model.Answered {
		f.EncoderLast = d.last
	}
	for d.ends < min(size, len(d.slots)) {
		end(-1, -1, 0)
	}
}

// run feeds the program, and gives the texts that it reads to their end, in order, the logits.
func (d *decoder) run(x *exec.Executor, texts []*reading) error {
	if err := d.net.Feed(x, &d.feed); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if err := x.Run(); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	v := d.net.Config().VocabSize
	if n := d.ends * v; cap(d.logits) < n {
		d.logits = make([]float32, n)
	} else {
		d.logits = d.logits[:n]
	}
	if err := exec.Read(x, "logits", d.logits); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	rows := 0
	for _, r := range texts {
		if r.logits = nil; r.count > 0 && r.seen+r.count == len(r.ids) {
			r.logits = d.logits[rows*v : (rows+1)*v]
			rows++
		}
	}
	return nil
}

// finite refuses logits that are no numbers.
func finite(logits []float32) error {
	for _, v := range logits {
		if !(v <= math.MaxFloat32) {
			return errors.New("the model's logits are not numbers: its weights are damaged, or too large for float32")
		}
	}
	return nil
}

func inputRows(x *exec.Executor, input string) int {
	p := x.Program()
	return p.Values[p.Named[input]].Elems()
}
