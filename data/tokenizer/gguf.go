package tokenizer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"hone/checkpoint/gguf"
)

// readGGUF reads the tokenizer of a GGUF model.
func readGGUF(f *os.File) (*Pipeline, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	g, err := gguf.Read(f, info.Size())
	if err != nil {
		return nil, err
	}
	return parseGGUF(g.Keys)
}

// FromGGUF makes the tokenizer that the keys of a GGUF file describe. The known values of
// tokenizer.ggml.model are gpt2 (byte-level BPE with the pre-tokenizer tokenizer.ggml.pre),
// llama (SentencePiece's BPE), bert (WordPiece) and t5 (Unigram). Other values are refused by
// name, and so are keys that are not supported. [Pipeline.Settings] has the roles of tokens and
// the chat template. All errors mean that the file is wrong or not supported (exit code 2).
func FromGGUF(keys map[string]gguf.Value) (*Pipeline, error) {
	p, err := parseGGUF(keys)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return p, nil
}

func parseGGUF(keys map[string]gguf.Value) (*Pipeline, error) {
	g := ggufReader{keys: keys}
	p, err := g.pipeline()
	if err == nil {
		err = g.err
	}
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return p, nil
}

// A ggufReader makes a tokenizer of keys. It keeps the first error.
type ggufReader struct {
	keys   map[string]gguf.Value
	kind   string
	tokens []string // by id; "": none, only padding of the embedding
	types  []int
	err    error
}

const ggufPrefix = "tokenizer.ggml."

// A ggufRole is the role of a special token: its key is tokenizer.ggml.KEY_token_id.
type ggufRole struct{ key, role string }

// ggufRoles are the special tokens by their keys, with the names that transformers has for them.
var ggufRoles = []ggufRole{
	{"bos", "bos_token"}, {"eos", "eos_token"}, {"eot", "eot_token"}, {"eom", "eom_token"}, {"unknown", "unk_token"},
	{"seperator", "sep_token"}, // so spelt
	{"padding", "pad_token"}, {"cls", "cls_token"}, {"mask", "mask_token"},
}

// ggufDefaults are llama.cpp's ids of roles that a file does not set, by kind.
var ggufDefaults = map[string]map[string]int{
	"llama": {"bos": 1, "eos": 2, "unknown": 0},
	"bert":  {"cls": 101, "unknown": 100, "seperator": 102, "padding": 0, "mask": 103},
	"t5":    {"eos": 1, "unknown": 2, "padding": 0},
	"gpt2":  {},
}

// bertTokens are BERT's by their spelling.
var bertTokens = map[string]string{"padding": "[PAD]", "unknown": "[UNK]", "cls": "[CLS]", "seperator": "[SEP]", "mask": "[MASK]"}

// ggufKnown are the other supported keys, and those that change neither ids nor text.
var ggufKnown = []string{"model", "pre", "tokens", "token_type", "token_type_count", "scores", "merges", "add_bos_token", "add_eos_token", "add_sep_token",
	"add_space_prefix", "remove_extra_whitespaces", "precompiled_charsmap", "normalizer.lowercase", "normalizer.strip_accents",
	"fim_pre_token_id", "fim_suf_token_id", "fim_mid_token_id", "fim_pad_token_id", "fim_rep_token_id", "fim_sep_token_id",
	"prefix_token_id", "suffix_token_id", "middle_token_id"}

// fail records the first error.
func (g *ggufReader) fail(format string, args ...any) {
	if g.err == nil {
		g.err = fmt.Errorf(format, args...)
	}
}

func (g *ggufReader) has(key string) bool {
	_, ok := g.keys[ggufPrefix+key]
	return ok
}

// text, flag, texts and numbers read a key. An absent one is the default or nil.
func (g *ggufReader) text(key string) (s string) {
	if v, ok := g.keys[ggufPrefix+key]; ok {
		if s, ok = v.Text(); !ok {
			g.fail("%s%s: a value of type %s is not a string", ggufPrefix, key, v.Type())
		}
	}
	return s
}

func (g *ggufReader) flag(key string, def bool) bool {
	v, ok := g.keys[ggufPrefix+key]
	if !ok {
		return def
	}
	b, ok := v.Bool()
	if !ok {
		g.fail("%s%s: a value of type %s is not a bool", ggufPrefix, key, v.Type())
	}
	return b
}

func (g *ggufReader) texts(key string) []string {
	v, ok := g.keys[ggufPrefix+key]
	if !ok {
		return nil
	}
	list, ok := v.Texts()
	if !ok {
		g.fail("%s%s: a value of type %s is not a list of strings", ggufPrefix, key, v.Type())
		return nil
	}
	texts := make([]string, 0, v.Len())
	for i, s := range list {
		if !utf8.ValidString(s) {
			g.fail("%s%s: entry %d: %q is not valid UTF-8", ggufPrefix, key, i, s)
		}
		texts = append(texts, s)
	}
	return texts
}

func (g *ggufReader) numbers(key string) []float64 {
	v, ok := g.keys[ggufPrefix+key]
	if !ok {
		return nil
	}
	list, ok := v.Numbers()
	if !ok {
		g.fail("%s%s: a value of type %s is not a list of numbers", ggufPrefix, key, v.Type())
		return nil
	}
	numbers := make([]float64, 0, v.Len())
	for _, x := range list {
		numbers = append(numbers, x)
	}
	return numbers
}

// id is the token of a role; -1: there is none.
func (g *ggufReader) id(role string) int {
	v, ok := g.keys[ggufPrefix+role+"_token_id"]
	if !ok && role == "cls" && g.kind == "bert" { // some converters name it bos
		v, ok = g.keys[ggufPrefix+"bos_token_id"]
	}
	if !ok {
		if i := slices.Index(g.tokens, bertTokens[role]); i >= 0 && g.kind == "bert" {
			return i
		}
		if id, ok := ggufDefaults[g.kind][role]; ok && id < len(g.tokens) {
			return id
		}
		return -1
	}
	id, ok := v.Int()
	if !ok || id < 0 || id >= len(g.tokens) {
		g.fail("%s%s_token_id is not one of the %d tokens", ggufPrefix, role, len(g.tokens))
		return -1
	}
	return id
}

// end gives the token that is added before or after every text; "": none.
func (g *ggufReader) end(role string, def bool) string {
	key := "add_" + role + "_token"
	if !g.flag(key, def) {
		return ""
	}
	id := g.id(role)
	switch {
	case id >= 0 && g.tokens[id] != "":
		return g.tokens[id]
	case g.has(key):
		g.fail("%s%s is true, but %s%s_token_id is not a token", ggufPrefix, key, ggufPrefix, role)
	}
	return ""
}

// ggufPadding is how converters fill a vocabulary up to the rows of the embedding.
var ggufPadding = regexp.MustCompile(`^\[PAD\d+\]$`)

// endings are tokens that llama.cpp takes as control tokens by their spelling, because some
// files give them another type.
var endings = []string{"<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|endoftext|>", "<|end_of_text|>", "<end_of_turn>",
	"<end_of_utterance>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<｜end▁of▁sentence｜>"}

// readTokens reads the vocabulary and its types.
func (g *ggufReader) readTokens() error {
	if g.tokens = g.texts("tokens"); len(g.tokens) == 0 && g.err == nil {
		return errors.New("no tokenizer.ggml.tokens")
	}
	types := g.numbers("token_type")
	if g.err != nil {
		return g.err
	}
	if types != nil && len(types) != len(g.tokens) {
		return fmt.Errorf("%d tokens, but %d types", len(g.tokens), len(types))
	}
	g.types = make([]int, len(g.tokens))
	for i, piece := range g.tokens {
		g.types[i] = pieceNormal
		if types != nil {
			if t := types[i]; t < pieceNormal || t > pieceByte || t != math.Trunc(t) {
				return fmt.Errorf("token %d: %q has unknown type %g", i, piece, t)
			}
			g.types[i] = int(types[i])
		}
		switch {
		case g.types[i] != pieceNormal && ggufPadding.MatchString(piece):
			g.tokens[i] = ""
		case slices.Contains(endings, piece):
			g.types[i] = pieceControl
		}
	}
	for len(g.tokens) > 0 && g.tokens[len(g.tokens)-1] == "" {
		g.tokens = g.tokens[:len(g.tokens)-1]
	}
	g.types = g.types[:len(g.tokens)]
	return nil
}

func (g *ggufReader) pipeline() (*Pipeline, error) {
	if !g.has("model") {
		return nil, errors.New("no tokenizer.ggml.model: the file has no tokenizer")
	}
	g.kind = g.text("model")
	if g.err == nil && ggufDefaults[g.kind] == nil {
		return nil, fmt.Errorf("tokenizer.ggml.model: unknown %q (known: %s)", g.kind, strings.Join(sortedKeys(ggufDefaults), ", "))
	}
	for _, key := range sortedKeys(g.keys) {
		name, ok := strings.CutPrefix(key, ggufPrefix)
		role, isID := strings.CutSuffix(name, "_token_id")
		if ok && !slices.Contains(ggufKnown, name) && !(isID && slices.ContainsFunc(ggufRoles, func(r ggufRole) bool { return r.key == role })) {
			return nil, fmt.Errorf("%s is not supported", key)
		}
	}
	if err := g.readTokens(); err != nil {
		return nil, err
	}
	var p *Pipeline
	var err error
	switch g.kind {
	case "bert":
		p, err = g.wordPiece()
	case "gpt2":
		p, err = g.byteLevel()
	default:
		p, err = g.sentencePiece()
	}
	if err != nil || g.err != nil {
		return nil, cmp.Or(g.err, err)
	}
	return p, g.settings(p)
}

// settings sets the roles of tokens and the chat templates.
func (g *ggufReader) settings(p *Pipeline) error {
	p.settings = map[string]json.RawMessage{}
	for _, r := range ggufRoles {
		if id := g.id(r.key); id >= 0 && g.tokens[id] != "" {
			p.settings[r.role] = json.RawMessage(quote(p.Token(int32(id))))
		}
	}
	if g.kind == "bert" {
		p.settings["model_input_names"] = json.RawMessage(bertInputs)
	}
	const templates = "tokenizer.chat_template"
	var list []string
	for _, key := range sortedKeys(g.keys) {
		name, ok := strings.CutPrefix(key, templates)
		if !ok || name != "" && name[0] != '.' {
			continue
		}
		text, ok := g.keys[key].Text()
		if !ok {
			return fmt.Errorf("%s: a value of type %s is not a string", key, g.keys[key].Type())
		}
		if name == "" {
			p.settings["chat_template"] = json.RawMessage(quote(text))
			name = ".default"
		}
		list = append(list, fmt.Sprintf(`{"name": %s, "template": %s}`, quote(name[1:]), quote(text)))
	}
	if len(list) > 1 || len(list) == 1 && p.settings["chat_template"] == nil {
		p.settings["chat_template"] = json.RawMessage("[" + strings.Join(list, ", ") + "]")
	}
	return g.err
}

// place gives the id of a token.
func (g *ggufReader) place(name string) (int32, bool) {
	i := slices.Index(g.tokens, name)
	return int32(i), i >= 0
}

// vocabulary gives the ids of the tokens, which must all differ.
func (g *ggufReader) vocabulary() (map[string]int64, error) {
	ids := make(map[string]int64, len(g.tokens))
	for i, piece := range g.tokens {
		if other, ok := ids[piece]; ok && piece != "" {
			return nil, fmt.Errorf("token %d: %q is token %d too", i, piece, other)
		}
		ids[piece] = int64(i)
	}
	delete(ids, "")
	return ids, nil
}

// added lists the tokens that are found in a text as they are written. GGUF has no flag for
// tokens that include the white space next to them: as in llama.cpp, models with such tokens
// are known by name.
func (g *ggufReader) added() (list []AddedToken) {
	name, _ := g.keys["general.name"].Text()
	name = strings.ToLower(name)
	pre := g.text("pre")
	phi3 := strings.Contains(name, "phi-3") || strings.Contains(name, "phi3")
	masks := g.kind == "t5" || strings.HasPrefix(pre, "jina-v2-") || strings.Contains(name, "modern-bert")
	for i, piece := range g.tokens {
		if t := g.types[i]; piece != "" && (t == pieceControl || t == pieceUnknown || t == pieceUser) {
			list = append(list, AddedToken{ID: int32(i), Content: piece, Special: t != pieceUser,
				LStrip: masks && (piece == "<mask>" || piece == "[MASK]"),
				RStrip: phi3 && !slices.Contains([]string{"<unk>", "<s>", "<|endoftext|>"}, piece)})
		}
	}
	return list
}

func (g *ggufReader) byteLevel() (*Pipeline, error) {
	name := g.text("pre")
	pre := findPre(name)
	switch {
	case g.err != nil:
		return nil, g.err
	case pre == nil && name == "":
		return nil, errors.New("no tokenizer.ggml.pre, so that the pre-tokenizer is not known (hint: convert the model again with a newer llama.cpp)")
	case pre == nil:
		return nil, fmt.Errorf("tokenizer.ggml.pre: unknown %q (known: %s)", name, strings.Join(preNames(), ", "))
	}
	if !g.has("merges") {
		return nil, errors.New("no tokenizer.ggml.merges")
	}
	v := &vocabulary{kind: "BPE", ignore: pre.ignoreMerges}
	var err error
	if v.ids, err = g.vocabulary(); err != nil {
		return nil, err
	}
	for i, line := range g.texts("merges") {
		pair, err := mergeLine(line)
		if err != nil {
			return nil, fmt.Errorf("merges: entry %d: %w", i, err)
		}
		v.merges = append(v.merges, pair)
	}
	f := file{AddedTokens: g.added(), PreTokenizer: pre.section(), Decoder: json.RawMessage(byteLevelRest)}
	if pre.normalizer != "" {
		f.Normalizer = json.RawMessage(pre.normalizer)
	}
	if f.PostProcessor, err = surround(g.end("bos", pre.addBOS), g.end("eos", false), g.place); err != nil {
		return nil, err
	}
	if f.PostProcessor == nil {
		f.PostProcessor = json.RawMessage(byteLevelPost)
	}
	return build(f, v)
}

// sentencePiece reads kinds llama (BPE) and t5 (Unigram).
func (g *ggufReader) sentencePiece() (*Pipeline, error) {
	bpe := g.kind == "llama"
	scores := g.numbers("scores")
	m := spModel{pieces: g.tokens, types: g.types, bpe: bpe, unk: max(g.id("unknown"), 0), prefix: g.flag("add_space_prefix", bpe),
		squeeze: g.flag("remove_extra_whitespaces", false), bytes: slices.Contains(g.types, pieceByte)}
	m.always = !m.squeeze
	switch {
	case g.err != nil:
		return nil, g.err
	case scores == nil:
		return nil, errors.New("no tokenizer.ggml.scores")
	case len(scores) < len(g.tokens):
		return nil, fmt.Errorf("%d tokens, but %d scores", len(g.tokens), len(scores))
	}
	m.scores = scores[:len(g.tokens)]
	least := math.Inf(1)
	for i, x := range m.scores {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("token %d: score %g of %q", i, x, g.tokens[i])
		}
		if g.types[i] == pieceNormal {
			least = min(least, x)
		}
	}
	for i := range g.tokens {
		switch {
		case bpe:
		case g.types[i] == pieceUser:
			m.scores[i] = 0
		case m.scores[i] < least: // the -10000 of padding must not become the measure of unknown characters
			m.scores[i] = least
		}
		if g.tokens[i] == "" && !bpe {
			g.tokens[i] = fmt.Sprintf("[PAD%d]", i)
		}
	}
	for _, b := range g.numbers("precompiled_charsmap") {
		m.charsmap = append(m.charsmap, byte(int(b)))
	}
	post, err := surround(g.end("bos", bpe), g.end("eos", !bpe), g.place)
	if err != nil {
		return nil, err
	}
	return m.pipeline(g.added(), post)
}

// wordPiece reads BERT's vocabulary, where "▁the" and "ing" stand for "the" and "##ing".
func (g *ggufReader) wordPiece() (*Pipeline, error) {
	cased := false
	for i, piece := range g.tokens {
		rest, begins := strings.CutPrefix(piece, meta)
		switch {
		case piece == "" || g.types[i] != pieceNormal:
		case begins && rest != "":
			g.tokens[i] = rest
		case !(strings.HasPrefix(piece, "[") && strings.HasSuffix(piece, "]") && len(piece) > 2): // older files leave [unused0] as it is
			g.tokens[i] = "##" + piece
		}
		cased = cased || g.types[i] == pieceNormal && !strings.HasPrefix(piece, "[") && strings.ContainsFunc(piece, func(r rune) bool { return lower(r) != r })
	}
	ids, err := g.vocabulary()
	if err != nil {
		return nil, err
	}
	token := func(role string) string {
		id := g.id(role)
		if id < 0 || g.tokens[id] == "" {
			g.fail("no %s%s_token_id", ggufPrefix, role)
			return ""
		}
		return g.tokens[id]
	}
	unk, cls, sep := token("unknown"), token("cls"), token("seperator")
	lower := g.flag("normalizer.lowercase", !cased)
	var accents *bool
	if g.has("normalizer.strip_accents") {
		strip := g.flag("normalizer.strip_accents", false)
		accents = &strip
	}
	if g.err != nil {
		return nil, g.err
	}
	f := bertFile(lower, true, accents)
	f.AddedTokens = g.added()
	if f.PostProcessor, err = bertTemplate(cls, sep, g.place); err != nil {
		return nil, err
	}
	return build(f, &vocabulary{kind: "WordPiece", ids: ids, prefix: "##", maxRune: 100, unk: &unk})
}
