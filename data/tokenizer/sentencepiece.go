package tokenizer

import (
	"cmp"
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

// spModel is the part of a SentencePiece model that encoding needs.
type spModel struct {
	pieces   []string
	scores   []float64
	types    []int
	bpe      bool
	bytes    bool // byte_fallback
	unk      int
	charsmap []byte
	prefix   bool // add_dummy_prefix
	always   bool // also before a text that begins with a blank, as SentencePiece does and transformers' Metaspace does not
	squeeze  bool // remove_extra_whitespaces
	escape   bool // escape_whitespaces
	// The pieces that begin, end and stand for unknown text; "": none.
	bosPiece, eosPiece, unkPiece string
}

// parseSentencePiece makes a tokenizer of a SentencePiece model without further files.
func parseSentencePiece(data []byte) (*Pipeline, error) {
	m, err := readSentencePiece(data)
	if err != nil {
		return nil, err
	}
	if !m.escape {
		return nil, errors.New("SentencePiece model without escaped white space is not supported")
	}
	return m.pipeline(m.added(), nil)
}

// readSentencePiece reads ModelProto, a protobuf message:
//
//	1: pieces {1: piece, 2: score (float), 3: type}
//	2: trainer {3: model type, 24: white space as suffix, 35: byte fallback,
//	   40, 41, 42: ids of unk, bos, eos; 45, 46, 47: their pieces}
//	3: normalizer {2: charsmap, 3: dummy prefix, 4: remove extra white space, 5: escape white space}
func readSentencePiece(data []byte) (*spModel, error) {
	m := &spModel{prefix: true, squeeze: true, escape: true, bosPiece: "<s>", eosPiece: "</s>", unkPiece: "<unk>"}
	kind, suffix := uint64(1), false
	bos, eos := int32(1), int32(2)
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
			return fields(b, func(n int, v uint64, b []byte) error {
				switch n {
				case 3:
					kind = v
				case 24:
					suffix = v != 0
				case 35:
					m.bytes = v != 0
				case 40:
					m.unk = int(int32(v))
				case 41:
					bos = int32(v)
				case 42:
					eos = int32(v)
				case 45:
					m.unkPiece = string(b)
				case 46:
					m.bosPiece = string(b)
				case 47:
					m.eosPiece = string(b)
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
					m.escape = v != 0
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
	}
	if bos < 0 {
		m.bosPiece = ""
	}
	if eos < 0 {
		m.eosPiece = ""
	}
	m.bpe = kind == 2
	return m, nil
}

// fields calls f for the fields of a protobuf message, with the value of numbers and the
// bytes of other fields.
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

// added are the pieces that are found in a text as they stand.
func (m *spModel) added() (list []AddedToken) {
	for id, piece := range m.pieces {
		switch m.types[id] {
		case pieceControl, pieceUnknown:
			list = append(list, AddedToken{ID: int32(id), Content: piece, Special: true})
		case pieceUser:
			// Unigram takes it by its score, 0, of a text that is cut nowhere before.
			if m.bpe {
				list = append(list, AddedToken{ID: int32(id), Content: piece})
			}
		}
	}
	return list
}

// pipeline makes the sections that transformers makes of such a model. post is
// the post-processor: the model itself has none.
func (m *spModel) pipeline(added []AddedToken, post json.RawMessage) (*Pipeline, error) {
	if m.unk < 0 || m.unk >= len(m.pieces) {
		return nil, fmt.Errorf("unk_id %d is not among the %d pieces", m.unk, len(m.pieces))
	}
	f := file{AddedTokens: added, PostProcessor: post}
	steps := m.cleaning()
	strip := ""
	if m.prefix {
		strip = stripBlank
	}
	v := &vocabulary{bytes: m.bytes}
	if m.bpe {
		if m.prefix {
			steps = append(steps, prependMeta)
		}
		steps = append(steps, replaceBlank)
		f.Decoder = json.RawMessage(spDecoder(strip))
		v.kind, v.unk, v.fuse = "BPE", &m.pieces[m.unk], true
		var err error
		if v.ids, err = m.ids(); err != nil {
			return nil, err
		}
		// SentencePiece merges what gives the best piece. Files without its scores have one for all:
		// then the ids are in order.
		v.merges = m.merges(v.ids, func(id int) bool { return m.types[id] == pieceNormal || m.types[id] == pieceUser }, nil, func(a, b ranked) int {
			return cmp.Or(cmp.Compare(b.score, a.score), a.id-b.id, b.left-a.left, b.right-a.right)
		})
	} else {
		scheme := "never"
		if m.prefix {
			scheme = "always"
		}
		f.PreTokenizer, f.Decoder = metaspaceFile(scheme, true), metaspaceFile(scheme, true)
		if m.prefix && m.always {
			steps = append(steps, prependMeta, replaceBlank)
			f.PreTokenizer = metaspaceFile("never", true)
		}
		if m.bytes {
			f.Decoder = json.RawMessage(spDecoder(strip))
		}
		unk := int64(m.unk)
		v.kind, v.unkID, v.pieces, v.scores = "Unigram", &unk, m.pieces, m.scores
	}
	f.Normalizer = sequence("normalizers", steps)
	return build(f, v)
}

const (
	prependMeta  = `{"type": "Prepend", "prepend": "▁"}`
	replaceBlank = `{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}`
)

const stripBlank = `, {"type": "Strip", "content": " ", "start": 1, "stop": 0}`

// spDecoder is the decoder of BPE models; strip is a further step at its end, or "".
func spDecoder(strip string) string {
	return `{"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}` + strip + `]}`
}

func metaspaceFile(scheme string, split bool) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"type": "Metaspace", "replacement": "▁", "prepend_scheme": %q, "split": %t}`, scheme, split))
}

// sequence is a section of any number of components.
func sequence(key string, list []string) json.RawMessage {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return json.RawMessage(list[0])
	}
	return json.RawMessage(`{"type": "Sequence", "` + key + `": [` + strings.Join(list, ", ") + `]}`)
}

func (m *spModel) precompiled() json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"type": "Precompiled", "precompiled_charsmap": %q}`, base64.StdEncoding.EncodeToString(m.charsmap)))
}

// cleaning lists the normalizers that come first.
func (m *spModel) cleaning() (steps []string) {
	if len(m.charsmap) > 0 {
		steps = append(steps, string(m.precompiled()))
	}
	if m.squeeze {
		for _, r := range [][2]string{{edgePattern, ""}, {blankPattern, " "}} {
			steps = append(steps, fmt.Sprintf(`{"type": "Replace", "pattern": {"Regex": %s}, "content": %s}`, quote(r[0]), quote(r[1])))
		}
	}
	return steps
}

// ids gives the ids of the pieces. An empty piece has none.
func (m *spModel) ids() (map[string]int64, error) {
	ids := make(map[string]int64, len(m.pieces))
	for id, piece := range m.pieces {
		if piece == "" {
			continue
		}
		if other, ok := ids[piece]; ok {
			return nil, fmt.Errorf("piece %d: %q is piece %d too", id, piece, other)
		}
		ids[piece] = int64(id)
	}
	return ids, nil
}

// ranked is a pair of pieces that makes a piece.
type ranked struct {
	pair        [2]string
	id          int
	score       float64
	left, right int // characters
}

// merges lists the pairs of pieces whose concatenation is a piece, in the given order. Only
// pieces that whole accepts are results, and only those that part accepts (nil: all) are parts.
func (m *spModel) merges(ids map[string]int64, whole, part func(id int) bool, order func(a, b ranked) int) [][2]string {
	var all []ranked
	for id, piece := range m.pieces {
		if !whole(id) {
			continue
		}
		from := len(all)
		n := runeCount(piece)
		k := 0
		for i := range piece {
			if i == 0 {
				continue
			}
			k++
			left, ok := ids[piece[:i]]
			right, ok2 := ids[piece[i:]]
			if ok && ok2 && (part == nil || part(int(left)) && part(int(right))) {
				all = append(all, ranked{[2]string{piece[:i], piece[i:]}, id, m.scores[id], k, n - k})
			}
		}
		slices.SortStableFunc(all[from:], func(a, b ranked) int {
			return cmp.Or(cmp.Compare(ids[a.pair[0]], ids[b.pair[0]]), cmp.Compare(ids[a.pair[1]], ids[b.pair[1]]))
		})
	}
	slices.SortStableFunc(all, order)
	pairs := make([][2]string, len(all))
	for i, x := range all {
		pairs[i] = x.pair
	}
	return pairs
}
