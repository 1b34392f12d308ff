package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Types of SentencePiece's pieces; GGUF has the same.
const (
	pieceNormal = 1 + iota
	pieceUnknown
	pieceControl
	pieceUser
	pieceUnused
	pieceByte
)

// spModel is what of a SentencePiece model encoding needs.
type spModel struct {
	pieces   []string
	scores   []float64
	types    []int
	bpe      bool
	bytes    bool // byte_fallback
	unk      int
	charsmap []byte
	prefix   bool // add_dummy_prefix
	squeeze  bool // remove_extra_whitespaces
}

// parseSentencePiece reads ModelProto, a protobuf message:
//
//	1: pieces {1: piece, 2: score (float), 3: type}
//	2: trainer {3: model type, 24: white space as suffix, 35: byte fallback, 40: unk id}
//	3: normalizer {2: charsmap, 3: dummy prefix, 4: remove extra white space, 5: escape white space}
func parseSentencePiece(data []byte) (*Pipeline, error) {
	m := spModel{prefix: true, squeeze: true}
	kind, suffix, escape := uint64(1), false, true
	err := fields(data, func(n int, v uint64, b []byte) error {
		switch n {
		case 1:
			piece, score, typ := "", 0.0, pieceNormal
			err := fields(b, func(n int, v uint64, b []byte) error {
				switch n {
				case 1:
					piece = string(b)
				case 2:
					score = float64(math.Float32frombits(uint32(v)))
				case 3:
					typ = int(min(v, math.MaxInt32))
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("piece %d: %w", len(m.pieces), err)
			}
			if !utf8.ValidString(piece) {
				return fmt.Errorf("piece %d: %q is not valid UTF-8", len(m.pieces), piece)
			}
			if typ < pieceNormal || typ > pieceByte {
				return fmt.Errorf("piece %d: %q has unknown type %d", len(m.pieces), piece, typ)
			}
			m.pieces, m.scores, m.types = append(m.pieces, piece), append(m.scores, score), append(m.types, typ)
		case 2:
			return fields(b, func(n int, v uint64, _ []byte) error {
				switch n {
				case 3:
					kind = v
				case 24:
					suffix = v != 0
				case 35:
					m.bytes = v != 0
				case 40:
					m.unk = int(int32(v))
				}
				return nil
			})
		case 3:
			return fields(b, func(n int, v uint64, b []byte) error {
				switch n {
				case 2:
					m.charsmap = b
				case 3:
					m.prefix = v != 0
				case 4:
					m.squeeze = v != 0
				case 5:
					escape = v != 0
				}
				return nil
			})
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("not a tokenizer.json, and as a SentencePiece model: %w", err)
	case len(m.pieces) == 0:
		return nil, errors.New("not a tokenizer.json, and as a SentencePiece model: it has no pieces")
	case kind != 1 && kind != 2:
		return nil, fmt.Errorf("SentencePiece model type %d is neither Unigram (1) nor BPE (2)", kind)
	case suffix:
		return nil, errors.New("SentencePiece model with white space as a suffix is not supported")
	case !escape:
		return nil, errors.New("SentencePiece model without escaped white space is not supported")
	}
	m.bpe = kind == 2
	return m.pipeline(nil)
}

// fields calls f for the fields of a protobuf message, with the value of those
// of fixed size and the bytes of others.
func fields(data []byte, f func(n int, v uint64, b []byte) error) error {
	for at := 0; at < len(data); {
		tag, n := binary.Uvarint(data[at:])
		if n <= 0 || tag>>3 == 0 || tag>>3 > math.MaxInt32 {
			return fmt.Errorf("byte %d: damaged tag", at)
		}
		start := at
		at += n
		var v uint64
		var b []byte
		switch tag & 7 {
		case 0:
			if v, n = binary.Uvarint(data[at:]); n <= 0 {
				return fmt.Errorf("byte %d: damaged number", start)
			}
			at += n
		case 1:
			if len(data)-at < 8 {
				return fmt.Errorf("byte %d: ends within a number", start)
			}
			v = binary.LittleEndian.Uint64(data[at:])
			at += 8
		case 2:
			size, n := binary.Uvarint(data[at:])
			if n <= 0 || size > uint64(len(data)-at-n) {
				return fmt.Errorf("byte %d: a field is longer than the message", start)
			}
			at += n
			b = data[at : at+int(size)]
			at += int(size)
		case 5:
			if len(data)-at < 4 {
				return fmt.Errorf("byte %d: ends within a number", start)
			}
			v = uint64(binary.LittleEndian.Uint32(data[at:]))
			at += 4
		default:
			return fmt.Errorf("byte %d: unknown wire type %d", start, tag&7)
		}
		if err := f(int(tag>>3), v, b); err != nil {
			return err
		}
	}
	return nil
}

const meta = "▁"

// pipeline makes the sections that transformers makes of such a model. post is
// the post-processor: the model itself has none.
func (m *spModel) pipeline(post json.RawMessage) (*Pipeline, error) {
	if m.unk < 0 || m.unk >= len(m.pieces) {
		return nil, fmt.Errorf("unk_id %d is not among the %d pieces", m.unk, len(m.pieces))
	}
	f := file{PostProcessor: post}
	for id, piece := range m.pieces {
		switch m.types[id] {
		case pieceControl, pieceUnknown:
			f.AddedTokens = append(f.AddedTokens, AddedToken{ID: int32(id), Content: piece, Special: true})
		case pieceUser:
			// Unigram takes it by its score, 0, of a text that is cut nowhere before.
			if m.bpe {
				f.AddedTokens = append(f.AddedTokens, AddedToken{ID: int32(id), Content: piece})
			}
		}
	}
	var steps []string
	if len(m.charsmap) > 0 {
		steps = append(steps, fmt.Sprintf(`{"type": "Precompiled", "precompiled_charsmap": %q}`, base64.StdEncoding.EncodeToString(m.charsmap)))
	}
	if m.squeeze {
		for _, r := range [][2]string{{edgePattern, ""}, {blankPattern, " "}} {
			steps = append(steps, fmt.Sprintf(`{"type": "Replace", "pattern": {"Regex": %s}, "content": %s}`, quote(r[0]), quote(r[1])))
		}
	}
	strip := ""
	if m.prefix {
		strip = `, {"type": "Strip", "content": " ", "start": 1, "stop": 0}`
	}
	sequence := `{"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}` + strip + `]}`
	v := &vocabulary{bytes: m.bytes}
	if m.bpe {
		if m.prefix {
			steps = append(steps, `{"type": "Prepend", "prepend": "▁"}`)
		}
		steps = append(steps, `{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}`)
		f.Decoder = json.RawMessage(sequence)
		v.kind, v.unk, v.fuse = "BPE", &m.pieces[m.unk], true
		v.ids = make(map[string]int64, len(m.pieces))
		for id, piece := range m.pieces {
			if other, ok := v.ids[piece]; ok {
				return nil, fmt.Errorf("piece %d: %q is piece %d too", id, piece, other)
			}
			v.ids[piece] = int64(id)
		}
		v.merges = m.merges(v.ids)
	} else {
		meta := func(scheme string) json.RawMessage {
			return json.RawMessage(fmt.Sprintf(`{"type": "Metaspace", "replacement": "▁", "prepend_scheme": %q, "split": true}`, scheme))
		}
		f.PreTokenizer, f.Decoder = meta("never"), meta("never")
		if m.prefix {
			f.PreTokenizer, f.Decoder = meta("always"), meta("always")
		}
		if m.bytes {
			f.Decoder = json.RawMessage(sequence)
		}
		unk := int64(m.unk)
		v.kind, v.unkID, v.pieces, v.scores = "Unigram", &unk, m.pieces, m.scores
	}
	switch len(steps) {
	case 0:
	case 1:
		f.Normalizer = json.RawMessage(steps[0])
	default:
		f.Normalizer = json.RawMessage(`{"type": "Sequence", "normalizers": [` + strings.Join(steps, ", ") + `]}`)
	}
	return build(f, v)
}

// merges finds, for each piece, the pairs of pieces that it is made of, and puts
// them in the order of its score: SentencePiece merges what gives the best piece.
func (m *spModel) merges(ids map[string]int64) [][2]string {
	type merge struct {
		pair        [2]string
		score       float64
		left, right int // characters
	}
	var all []merge
	for id, piece := range m.pieces {
		if t := m.types[id]; t != pieceNormal && t != pieceUser {
			continue
		}
		from := len(all)
		n := runeCount(piece)
		k := 0
		for i := range piece {
			if i > 0 {
				k++
				_, left := ids[piece[:i]]
				if _, right := ids[piece[i:]]; left && right {
					all = append(all, merge{[2]string{piece[:i], piece[i:]}, m.scores[id], k, n - k})
				}
			}
		}
		slices.SortStableFunc(all[from:], func(a, b merge) int {
			if d := ids[a.pair[0]] - ids[b.pair[0]]; d != 0 {
				return int(d)
			}
			return int(ids[a.pair[1]] - ids[b.pair[1]])
		})
	}
	slices.SortStableFunc(all, func(a, b merge) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		case a.left != b.left:
			return b.left - a.left
		}
		return b.right - a.right
	})
	pairs := make([][2]string, len(all))
	for i, x := range all {
		pairs[i] = x.pair
	}
	return pairs
}
