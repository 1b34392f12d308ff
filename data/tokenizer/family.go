package tokenizer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// file reads a vocabulary file of the directory.
func (d *directory) file(name string) ([]byte, error) {
	text, err := readInput(filepath.Join(d.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the directory has neither tokenizer.json nor %s", name)
	}
	return text, err
}

func (d *directory) bert() (*Pipeline, error) {
	text, err := d.file("vocab.txt")
	if err != nil {
		return nil, err
	}
	d.defaults("unk_token", "[UNK]", "sep_token", "[SEP]", "pad_token", "[PAD]", "cls_token", "[CLS]", "mask_token", "[MASK]")
	unk, err := d.role("unk_token")
	if err != nil {
		return nil, err
	}
	v, err := readVocab(text, unk)
	if err != nil {
		return nil, err
	}
	lower, err1 := d.flag("do_lower_case", true)
	chinese, err2 := d.flag("tokenize_chinese_chars", true)
	var accents *bool
	err3 := d.value("strip_accents", &accents)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return d.finish(bertFile(lower, chinese, accents), v, func(f *file, v *vocabulary) error {
		cls, err1 := d.role("cls_token")
		sep, err2 := d.role("sep_token")
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		f.PostProcessor, err = bertTemplate(cls, sep, tokenID(f, v))
		return err
	})
}

// readVocab reads BERT's vocabulary, which has one token per line.
func readVocab(text []byte, unk string) (*vocabulary, error) {
	v := &vocabulary{kind: "WordPiece", ids: make(map[string]int64), prefix: "##", maxRune: 100, unk: &unk}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		line = strings.TrimRightFunc(line, func(r rune) bool { return properties(r)&charSpace != 0 })
		if other, ok := v.ids[line]; ok {
			return nil, fmt.Errorf("line %d: %q stands in line %d too", i+1, line, other+1)
		}
		v.ids[line] = int64(i)
	}
	return v, nil
}

func bertFile(lower, chinese bool, accents *bool) file {
	strip := "null"
	if accents != nil {
		strip = fmt.Sprint(*accents)
	}
	return file{
		Normalizer:   json.RawMessage(fmt.Sprintf(`{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": %t, "strip_accents": %s, "lowercase": %t}`, chinese, strip, lower)),
		PreTokenizer: json.RawMessage(`{"type": "BertPreTokenizer"}`),
		Decoder:      json.RawMessage(`{"type": "WordPiece", "prefix": "##", "cleanup": true}`),
	}
}

func bertTemplate(cls, sep string, id func(string) (int32, bool)) (json.RawMessage, error) {
	pair := []templatePart{{token: cls}, {text: "A"}, {token: sep}, {text: "B", kind: 1}, {token: sep, kind: 1}}
	return writeTemplate(pair[:3], pair, id)
}

// byteBPE reads vocab.json and merges.txt of a byte-level BPE.
func (d *directory) byteBPE() (*vocabulary, error) {
	vocab, err := d.file("vocab.json")
	if err != nil {
		return nil, err
	}
	merges, err := d.file("merges.txt")
	if err != nil {
		return nil, err
	}
	return readMerges(vocab, merges)
}

func (d *directory) gpt2() (*Pipeline, error) {
	v, err := d.byteBPE()
	if err != nil {
		return nil, err
	}
	d.defaults("unk_token", endOfText, "bos_token", endOfText, "eos_token", endOfText)
	prefix, err := d.flag("add_prefix_space", false)
	if err != nil {
		return nil, err
	}
	return d.finish(file{PreTokenizer: byteLevel(prefix, true), Decoder: json.RawMessage(byteLevelRest)}, v, d.ends)
}

func (d *directory) qwen2() (*Pipeline, error) {
	v, err := d.byteBPE()
	if err != nil {
		return nil, err
	}
	d.defaults("unk_token", endOfText, "eos_token", endOfText, "pad_token", endOfText)
	prefix, err := d.flag("add_prefix_space", false)
	if err != nil {
		return nil, err
	}
	f := file{
		Normalizer: json.RawMessage(`{"type": "NFC"}`),
		PreTokenizer: json.RawMessage(`{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": ` + quote(qwenPattern) +
			`}, "behavior": "Isolated", "invert": false}, ` + string(byteLevel(prefix, false)) + `]}`),
		Decoder: json.RawMessage(byteLevelRest),
	}
	return d.finish(f, v, func(f *file, v *vocabulary) error {
		special := map[string]bool{}
		for _, t := range d.named {
			special[t.Content] = true
		}
		for _, t := range d.extra {
			special[t.Content] = true
		}
		for i, a := range f.AddedTokens { // their flags are ignored
			if special[a.Content] {
				f.AddedTokens[i] = AddedToken{ID: a.ID, Content: a.Content, Special: true}
			}
		}
		return d.ends(f, v)
	})
}

func (d *directory) roberta() (*Pipeline, error) {
	v, err := d.byteBPE()
	if err != nil {
		return nil, err
	}
	d.defaults("bos_token", "<s>", "eos_token", "</s>", "sep_token", "</s>", "cls_token", "<s>", "unk_token", "<unk>", "pad_token", "<pad>", "mask_token", "<mask>")
	prefix, err1 := d.flag("add_prefix_space", false)
	trim, err2 := d.flag("trim_offsets", true)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return d.finish(file{PreTokenizer: byteLevel(prefix, true), Decoder: json.RawMessage(byteLevelRest)}, v, func(f *file, v *vocabulary) error {
		var ends [2]string
		for i, role := range []string{"sep_token", "cls_token"} {
			name, err := d.role(role)
			if err != nil {
				return err
			}
			id, ok := tokenID(f, v)(name)
			if !ok {
				return fmt.Errorf("the token %q that is to be added to texts is not in the vocabulary", name)
			}
			ends[i] = fmt.Sprintf("[%s, %d]", quote(name), id)
		}
		f.PostProcessor = json.RawMessage(fmt.Sprintf(`{"type": "RobertaProcessing", "sep": %s, "cls": %s, "trim_offsets": %t, "add_prefix_space": %t}`, ends[0], ends[1], trim, prefix))
		return nil
	})
}

func byteLevel(prefixSpace, regex bool) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"type": "ByteLevel", "add_prefix_space": %t, "trim_offsets": true, "use_regex": %t}`, prefixSpace, regex))
}

// piece reads a SentencePiece model of the first of some names that is there. Its control and
// user-defined pieces are added tokens, unless the files list such.
func (d *directory) piece(names ...string) (*spModel, error) {
	name := names[len(names)-1]
	if i := slices.IndexFunc(names, func(name string) bool { return exists(filepath.Join(d.path, name)) }); i >= 0 {
		name = names[i]
	}
	text, err := d.file(name)
	if err != nil {
		return nil, err
	}
	m, err := readSentencePiece(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !d.listed {
		d.extra = nil
		for id, piece := range m.pieces {
			if t := m.types[id]; t == pieceControl || t == pieceUser {
				d.extra = append(d.extra, AddedToken{Content: piece, Special: t == pieceControl})
			}
		}
	}
	return m, nil
}

// byRank gives the BPE that merges pieces in the order of their ids.
func (m *spModel) byRank(bytes bool) (*vocabulary, error) {
	v := &vocabulary{kind: "BPE", fuse: true, bytes: bytes}
	var err error
	if v.ids, err = m.ids(); err != nil {
		return nil, err
	}
	v.merges = m.merges(v.ids, func(int) bool { return true }, nil, func(a, b ranked) int {
		return cmp.Or(a.id-b.id, a.left-b.left, a.right-b.right)
	})
	return v, nil
}

func (d *directory) llama() (*Pipeline, error) {
	m, err := d.piece("tokenizer.model")
	if err != nil {
		return nil, err
	}
	d.defaults("unk_token", "<unk>", "bos_token", "<s>", "eos_token", "</s>")
	legacy, err1 := d.flag("legacy", false)
	prefix, err2 := d.flag("add_prefix_space", true)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	v, err := m.byRank(true)
	if err != nil {
		return nil, err
	}
	scheme, strip := "never", ""
	if prefix {
		scheme, strip = "first", stripBlank
		if legacy {
			scheme = "always"
		}
	}
	return d.finish(file{PreTokenizer: metaspaceFile(scheme, false), Decoder: json.RawMessage(spDecoder(strip))}, v, d.ends)
}

func (d *directory) gemma() (*Pipeline, error) {
	m, err := d.piece("tokenizer.model")
	if err != nil {
		return nil, err
	}
	d.defaults("unk_token", "<unk>", "bos_token", "<bos>", "eos_token", "<eos>", "pad_token", "<pad>", "mask_token", "<mask>")
	v, err := m.byRank(true)
	if err != nil {
		return nil, err
	}
	unk, err := d.role("unk_token")
	if err != nil {
		return nil, err
	}
	v.unk = &unk
	return d.finish(file{
		Normalizer:   json.RawMessage(replaceBlank),
		PreTokenizer: json.RawMessage(`{"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false}`),
		Decoder:      json.RawMessage(spDecoder("")),
	}, v, d.ends)
}

// wordsFile takes words by white space and marks them as the scheme says.
func wordsFile(scheme string) file {
	return file{
		PreTokenizer: json.RawMessage(`{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, ` + string(metaspaceFile(scheme, true)) + `]}`),
		Decoder:      metaspaceFile(scheme, true),
	}
}

// unigram is the model of classes that mark each word.
func (m *spModel) unigram(unk int) (file, *vocabulary) {
	id := int64(unk)
	return wordsFile("always"), &vocabulary{kind: "Unigram", unkID: &id, pieces: m.pieces, scores: m.scores}
}

func (d *directory) t5() (*Pipeline, error) {
	m, err := d.piece("tokenizer.model", "spiece.model")
	if err != nil {
		return nil, err
	}
	d.defaults("eos_token", "</s>", "unk_token", "<unk>", "pad_token", "<pad>")
	extra := 100
	if err := d.value("extra_ids", &extra); err != nil {
		return nil, err
	}
	if extra < 0 || extra > maxSize {
		return nil, fmt.Errorf("extra_ids %d is negative or more than %d", extra, maxSize)
	}
	f, v := m.unigram(2) // as the class has it, whatever the model says
	for i := extra - 1; i >= 0; i-- {
		v.pieces, v.scores = append(v.pieces, sentinel(i)), append(v.scores, 0)
	}
	if n := sentinels(d.extra); n == 0 && !d.listed {
		for i := range extra {
			d.extra = append(d.extra, plain(sentinel(i)))
		}
	} else if !d.listed && extra > 0 && n != extra {
		return nil, fmt.Errorf("extra_ids is %d, but %d of its pieces are such", extra, n)
	}
	if len(m.charsmap) > 0 {
		f.Normalizer = m.precompiled()
	}
	return d.finish(f, v, func(f *file, v *vocabulary) error {
		eos, err := d.role("eos_token")
		if err != nil {
			return err
		}
		pair := []templatePart{{text: "A"}, {token: "</s>"}, {text: "B"}, {token: "</s>"}}
		f.PostProcessor, err = writeTemplate(pair[:2], pair, func(string) (int32, bool) { return tokenID(f, v)(eos) })
		return err
	})
}

// xlmRoberta and camembert put fairseq's special tokens before the pieces, in place of the
// model's own, and the mask behind them.
func (d *directory) xlmRoberta() (*Pipeline, error) {
	return d.fairseq(func(bos, pad, eos, unk string, m *spModel) (pieces []string, scores []float64) {
		n := min(3, len(m.pieces))
		return append([]string{bos, pad, eos, unk}, m.pieces[n:]...), append([]float64{0, 0, 0, 0}, m.scores[n:]...)
	})
}

func (d *directory) camembert() (*Pipeline, error) {
	if _, said := d.keys["mask_token"]; !said {
		mask := plain("<mask>")
		mask.LStrip = true
		d.named["mask_token"] = mask
	} else if mask, ok := d.named["mask_token"]; ok && strings.HasPrefix(string(d.keys["mask_token"]), `"`) && mask == plain(mask.Content) {
		mask.LStrip = true
		d.named["mask_token"] = mask
	}
	return d.fairseq(func(_, pad, _, unk string, m *spModel) (pieces []string, scores []float64) {
		n := min(1, len(m.pieces))
		return append([]string{"<s>NOTUSED", pad, "</s>NOTUSED", unk, "<unk>NOTUSED"}, m.pieces[n:]...), append([]float64{0, 0, 0, 0, -100}, m.scores[n:]...)
	})
}

func (d *directory) fairseq(all func(bos, pad, eos, unk string, m *spModel) ([]string, []float64)) (*Pipeline, error) {
	m, err := d.piece("sentencepiece.bpe.model")
	if err != nil {
		return nil, err
	}
	if m.bpe {
		return nil, errors.New("sentencepiece.bpe.model is a model of BPE, where one of Unigram is expected")
	}
	d.defaults("bos_token", "<s>", "eos_token", "</s>", "sep_token", "</s>", "cls_token", "<s>", "unk_token", "<unk>", "pad_token", "<pad>", "mask_token", "<mask>")
	var names [5]string
	for i, role := range []string{"bos_token", "pad_token", "eos_token", "unk_token", "mask_token"} {
		if names[i], err = d.role(role); err != nil {
			return nil, err
		}
	}
	bos, eos := names[0], names[2]
	prefix, err := d.flag("add_prefix_space", true)
	if err != nil {
		return nil, err
	}
	f, v := m.unigram(3)
	v.pieces, v.scores = all(bos, names[1], eos, names[3], m)
	v.pieces, v.scores = append(v.pieces, names[4]), append(v.scores, 0)
	if !prefix {
		f = wordsFile("never")
	}
	if len(m.charsmap) > 0 {
		f.Normalizer = m.precompiled()
	}
	return d.finish(f, v, func(f *file, v *vocabulary) error {
		pair := []templatePart{{token: bos}, {text: "A"}, {token: eos}, {token: eos}, {text: "B"}, {token: eos}}
		f.PostProcessor, err = writeTemplate(pair[:3], pair, tokenID(f, v))
		return err
	})
}

func sentinel(i int) string { return fmt.Sprintf("<extra_id_%d>", i) }

func sentinels(list []AddedToken) (n int) {
	for _, t := range list {
		if strings.Contains(t.Content, "<extra_id_") {
			n++
		}
	}
	return n
}

func (d *directory) xlnet() (*Pipeline, error) {
	m, err := d.piece("tokenizer.model", "spiece.model")
	if err != nil {
		return nil, err
	}
	d.defaults("bos_token", "<s>", "eos_token", "</s>", "unk_token", "<unk>", "sep_token", "<sep>", "pad_token", "<pad>", "cls_token", "<cls>", "mask_token", "<mask>")
	lower, err := d.flag("do_lower_case", false)
	if err != nil {
		return nil, err
	}
	if mask, ok := d.named["mask_token"]; ok && mask == plain(mask.Content) && !strings.HasPrefix(string(d.keys["mask_token"]), "{") {
		mask.LStrip, mask.Normalized = true, true
		d.named["mask_token"] = mask
	}
	f, v := m.unigram(m.unk)
	steps := []string{
		"{\"type\": \"Replace\", \"pattern\": {\"String\": \"``\"}, \"content\": \"\\\"\"}",
		`{"type": "Replace", "pattern": {"String": "''"}, "content": "\""}`,
		`{"type": "NFKD"}`, `{"type": "StripAccents"}`,
	}
	if lower {
		steps = append(steps, `{"type": "Lowercase"}`)
	}
	if len(m.charsmap) > 0 {
		steps = append(steps, string(m.precompiled()))
	}
	f.Normalizer = sequence("normalizers", steps)
	return d.finish(f, v, func(f *file, v *vocabulary) error {
		sep, err1 := d.role("sep_token")
		cls, err2 := d.role("cls_token")
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		single := []templatePart{{text: "A"}, {token: sep}, {token: cls, kind: 2}}
		pair := []templatePart{{text: "A"}, {token: sep}, {text: "B", kind: 1}, {token: sep, kind: 1}, {token: cls, kind: 2}}
		f.PostProcessor, err = writeTemplate(single, pair, tokenID(f, v))
		return err
	})
}

// sentencePiece makes the tokenizer of class backend, which follows the SentencePiece model.
func (d *directory) sentencePiece() (*Pipeline, error) {
	m, err := d.piece("tokenizer.model")
	if err != nil {
		return nil, err
	}
	for role, piece := range map[string]string{"bos_token": m.bosPiece, "eos_token": m.eosPiece, "unk_token": m.unkPiece} {
		if piece != "" {
			d.defaults(role, piece)
		}
	}
	legacy, err := d.flag("legacy", string(d.keys["legacy"]) != "null")
	if err != nil {
		return nil, err
	}
	// The files may rename pieces.
	names := slices.Clone(m.pieces)
	for i, t := range d.added {
		if t.ID >= 0 && int(t.ID) < len(names) {
			names[t.ID] = t.Content
		}
		if m.prefix {
			d.added[i].Normalized = false
		}
	}
	m.pieces = names
	var whole []string // pieces that are neither cut nor merged
	for id, piece := range m.pieces {
		if m.types[id] == pieceUser {
			whole = append(whole, piece)
			if !d.listed {
				d.extra = slices.DeleteFunc(d.extra, func(t AddedToken) bool { return t.Content == piece })
			}
		}
	}
	slices.SortStableFunc(whole, func(a, b string) int { return runeCount(b) - runeCount(a) })

	steps := m.cleaning()
	if m.escape {
		steps = append(steps, replaceBlank)
	}
	var pre []string
	strip := ""
	if m.prefix {
		scheme := "first"
		if legacy {
			scheme = "always"
			steps = append(steps, `{"type": "Replace", "pattern": {"Regex": "\\A▁"}, "content": "▁▁"}`)
		}
		pre = append(pre, string(metaspaceFile(scheme, false)))
		strip = stripBlank
	}
	if len(whole) > 0 {
		for i, piece := range whole {
			whole[i] = escapePattern(piece)
		}
		pre = append(pre, `{"type": "Split", "pattern": {"Regex": `+quote(strings.Join(whole, "|"))+`}, "behavior": "Isolated", "invert": false}`)
	}
	f := file{Normalizer: sequence("normalizers", steps), PreTokenizer: sequence("pretokenizers", pre), Decoder: json.RawMessage(spDecoder(strip))}
	v := &vocabulary{bytes: m.bytes, fuse: true, ignore: len(whole) > 0}
	if m.bpe {
		v.kind, v.unk = "BPE", &m.unkPiece
		if v.ids, err = m.ids(); err != nil {
			return nil, err
		}
		normal := func(id int) bool { return m.types[id] == pieceNormal }
		v.merges = m.merges(v.ids, normal, normal, func(a, b ranked) int {
			return cmp.Or(cmp.Compare(b.score, a.score), a.id-b.id, strings.Compare(a.pair[0], b.pair[0]), strings.Compare(a.pair[1], b.pair[1]))
		})
	} else {
		unk := int64(m.unk)
		v.kind, v.unkID, v.pieces, v.scores = "Unigram", &unk, m.pieces, m.scores
	}
	return d.finish(f, v, d.ends)
}

// escapePattern gives a pattern that matches only s.
func escapePattern(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 && strings.ContainsRune("\\.+*?()|[]{}^$#&-~ \t\n\v\f\r", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
