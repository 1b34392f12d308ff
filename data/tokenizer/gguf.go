package tokenizer

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
)

// ggufReader reads the keys at the head of a GGUF file (versions 2 and 3).
type ggufReader struct {
	r    *bufio.Reader
	left int64 // bytes of the file that are not yet read
}

// ggufPre are the pre-tokenizers that GGUF has names for: a normalizer, and the
// stages before the bytes.
var ggufPre = map[string]struct {
	normalizer, pre string
	ignoreMerges    bool
}{
	"gpt-2":     {"", byteLevelPre, false},
	"smollm":    {"", `{"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, ` + byteLevelPre + `]}`, false},
	"llama-bpe": {"", splitPre(llama3Pattern), true},
	"qwen2":     {`{"type": "NFC"}`, splitPre(qwenPattern), false},
}

func splitPre(pattern string) string {
	return `{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": ` + quote(pattern) + `}, "behavior": "Isolated", "invert": false}, ` +
		`{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}`
}

// readGGUF reads the tokenizer of a GGUF model: kinds gpt2, llama, bert and t5.
func readGGUF(f *os.File) (*Pipeline, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	keys, err := ggufKeys(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("GGUF: %w", err)
	}
	p, err := fromGGUF(keys)
	if err != nil {
		return nil, fmt.Errorf("GGUF: %w", err)
	}
	return p, nil
}

func ggufKeys(f io.Reader, size int64) (map[string]any, error) {
	g := &ggufReader{bufio.NewReaderSize(f, 1<<16), size}
	var head [24]byte
	if err := g.read(head[:]); err != nil {
		return nil, err
	}
	if v := binary.LittleEndian.Uint32(head[4:]); v != 2 && v != 3 {
		return nil, fmt.Errorf("version %d is not supported (known: 2, 3)", v)
	}
	keys := make(map[string]any)
	for i := range binary.LittleEndian.Uint64(head[16:]) {
		key, err := g.string()
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		kind, err := g.uint(4)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", key, err)
		}
		v, err := g.value(kind, strings.HasPrefix(key, "tokenizer."))
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", key, err)
		}
		if v != nil {
			keys[key] = v
		}
	}
	return keys, nil
}

func (g *ggufReader) read(b []byte) error {
	if g.left -= int64(len(b)); g.left < 0 {
		return errors.New("the file ends within it")
	}
	_, err := io.ReadFull(g.r, b)
	return err
}

func (g *ggufReader) uint(size int) (uint64, error) {
	var b [8]byte
	err := g.read(b[:size])
	return binary.LittleEndian.Uint64(b[:]), err
}

func (g *ggufReader) string() (string, error) {
	n, err := g.uint(8)
	if err != nil {
		return "", err
	}
	if n > uint64(max(g.left, 0)) {
		return "", errors.New("a string is longer than the file")
	}
	b := make([]byte, n)
	err = g.read(b)
	return string(b), err
}

var ggufSizes = [...]int{0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

// value reads one: a uint64, int64, float64, bool, string or a slice of strings,
// numbers or bytes. It is nil if it is not kept.
func (g *ggufReader) value(kind uint64, keep bool) (any, error) {
	switch {
	case kind == 8:
		return g.string()
	case kind == 9:
		of, err := g.uint(4)
		if err != nil {
			return nil, err
		}
		n, err := g.uint(8)
		if err != nil {
			return nil, err
		}
		if of > 12 || of == 9 {
			return nil, fmt.Errorf("an array of type %d", of)
		}
		if least := uint64(max(1, ggufSizes[min(of, 12)])); n > uint64(max(g.left, 0))/least {
			return nil, errors.New("an array is longer than the file")
		}
		var strs []string
		var nums []float64
		for range n {
			if of == 8 {
				s, err := g.string()
				if err != nil {
					return nil, err
				}
				if keep {
					strs = append(strs, s)
				}
				continue
			}
			v, err := g.value(of, keep)
			if err != nil {
				return nil, err
			}
			if keep {
				f, _ := number64(v)
				nums = append(nums, f)
			}
		}
		switch {
		case !keep:
			return nil, nil
		case of == 8:
			return strs, nil
		}
		return nums, nil
	case kind > 12:
		return nil, fmt.Errorf("unknown type %d", kind)
	}
	size := ggufSizes[kind]
	u, err := g.uint(size)
	if err != nil {
		return nil, err
	}
	switch kind {
	case 1:
		return int64(int8(u)), nil
	case 3:
		return int64(int16(u)), nil
	case 5:
		return int64(int32(u)), nil
	case 11:
		return int64(u), nil
	case 6:
		return float64(math.Float32frombits(uint32(u))), nil
	case 12:
		return math.Float64frombits(u), nil
	case 7:
		return u != 0, nil
	}
	return u, nil
}

func number64(v any) (float64, bool) {
	switch v := v.(type) {
	case uint64:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func fromGGUF(keys map[string]any) (*Pipeline, error) {
	const in = "tokenizer.ggml."
	kind, ok := keys[in+"model"].(string)
	if !ok {
		return nil, errors.New("no tokenizer.ggml.model: the file has no tokenizer")
	}
	tokens, _ := keys[in+"tokens"].([]string)
	types, _ := keys[in+"token_type"].([]float64)
	scores, _ := keys[in+"scores"].([]float64)
	if len(tokens) == 0 {
		return nil, errors.New("no tokenizer.ggml.tokens")
	}
	if types != nil && len(types) != len(tokens) || scores != nil && len(scores) != len(tokens) {
		return nil, fmt.Errorf("%d tokens, but %d types and %d scores", len(tokens), len(types), len(scores))
	}
	id := func(name string) int {
		if f, ok := number64(keys[in+name]); ok && f >= 0 && f < float64(len(tokens)) {
			return int(f)
		}
		return -1
	}
	flag := func(name string, def bool) bool {
		if b, ok := keys[in+name].(bool); ok {
			return b
		}
		return def
	}
	typeOf := func(i int) int {
		if types == nil {
			return pieceNormal
		}
		return int(types[i])
	}
	end := func(name string, def bool) string {
		if i := id(name + "_token_id"); i >= 0 && flag("add_"+name+"_token", def) {
			return tokens[i]
		}
		return ""
	}
	var f file
	var err error
	f.PostProcessor, err = around(end("bos", kind == "llama"), end("eos", false), func(name string) (int32, bool) {
		i := slices.Index(tokens, name)
		return int32(i), i >= 0
	})
	if err != nil {
		return nil, err
	}
	switch kind {
	case "llama", "t5":
		if scores == nil {
			return nil, errors.New("no tokenizer.ggml.scores")
		}
		m := spModel{pieces: tokens, scores: scores, bpe: kind == "llama", unk: max(id("unknown_token_id"), 0),
			prefix: flag("add_space_prefix", true), squeeze: flag("remove_extra_whitespaces", false)}
		for i := range tokens {
			m.types = append(m.types, min(max(typeOf(i), pieceNormal), pieceByte))
			m.bytes = m.bytes || typeOf(i) == pieceByte
		}
		if c, ok := keys[in+"precompiled_charsmap"].([]float64); ok {
			for _, b := range c {
				m.charsmap = append(m.charsmap, byte(int(b)))
			}
		}
		return m.pipeline(f.PostProcessor)
	case "gpt2":
		name, _ := keys[in+"pre"].(string)
		pre, ok := ggufPre[name]
		if !ok {
			known := make([]string, 0, len(ggufPre))
			for k := range ggufPre {
				known = append(known, k)
			}
			slices.Sort(known)
			return nil, fmt.Errorf("tokenizer.ggml.pre: unknown %q (known: %s)", name, strings.Join(known, ", "))
		}
		merges, _ := keys[in+"merges"].([]string)
		v := &vocabulary{kind: "BPE", ids: make(map[string]int64, len(tokens)), ignore: pre.ignoreMerges}
		for i, line := range merges {
			pair, err := mergeLine(line)
			if err != nil {
				return nil, fmt.Errorf("merges: entry %d: %w", i, err)
			}
			v.merges = append(v.merges, pair)
		}
		for i, piece := range tokens {
			if t := typeOf(i); t == pieceControl || t == pieceUser {
				f.AddedTokens = append(f.AddedTokens, AddedToken{ID: int32(i), Content: piece, Special: t == pieceControl})
			}
			if other, ok := v.ids[piece]; ok {
				return nil, fmt.Errorf("token %d: %q is token %d too", i, piece, other)
			}
			v.ids[piece] = int64(i)
		}
		if pre.normalizer != "" {
			f.Normalizer = json.RawMessage(pre.normalizer)
		}
		f.PreTokenizer, f.Decoder = json.RawMessage(pre.pre), json.RawMessage(byteLevelRest)
		if f.PostProcessor == nil {
			f.PostProcessor = json.RawMessage(byteLevelPost)
		}
		return build(f, v)
	case "bert":
		// "▁the" and "ing" stand for "the" and "##ing" there.
		var lines strings.Builder
		for i, piece := range tokens {
			if rest, ok := strings.CutPrefix(piece, meta); ok {
				piece = rest
			} else if t := typeOf(i); t == pieceNormal && !(strings.HasPrefix(piece, "[") && strings.HasSuffix(piece, "]")) {
				piece = "##" + piece
			}
			lines.WriteString(piece + "\n")
		}
		return parseVocab([]byte(lines.String()))
	}
	return nil, fmt.Errorf("tokenizer.ggml.model: unknown %q (known: bert, gpt2, llama, t5)", kind)
}
