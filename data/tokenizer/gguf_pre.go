package tokenizer

import (
	"encoding/json"
	"slices"
	"strings"
)

// A ggufPre is the pre-tokenizer of a byte-level BPE that a value of tokenizer.ggml.pre stands
// for. GGUF has only the name. The patterns are those of llama.cpp, or where llama.cpp
// approximates a pattern of the original tokenizer.json, the original.
type ggufPre struct {
	names        string // separated by blanks; the first one is written
	normalizer   string
	stages       []string // each a pattern whose matches are isolated, or a component where it begins with "{"
	ignoreMerges bool     // a word that is in the vocabulary is one token, without merges
	addBOS       bool     // default of tokenizer.ggml.add_bos_token
}

const (
	digitByDigit = `{"type": "Digits", "individual_digits": true}`
	// contractions after a word, as in o200k.
	contractions = `(?i:'s|'t|'re|'ve|'m|'ll|'d)?`
	casedWords   = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
	upperWords   = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
	slashedEnd   = ` ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	o200kPattern = casedWords + contractions + `|` + upperWords + contractions + `|\p{N}{1,3}|` + slashedEnd
	bloomPattern = ` ?[^(\s|.,!?…。，、।۔،)]+`
	japanese     = `[一-龥぀-ゟ゠-ヿ]+`
	asciiWords   = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+"
	deepseek3    = asciiWords + `[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	// deepseekLetters are letters of scripts with two cases.
	deepseekLetters = `\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+`
)

// ggufPres are the known pre-tokenizers. Missing are those of llama.cpp that are no list of
// patterns (kimi-k2, afmoe, whitespace), and those whose vocabulary is not of bytes (gemma4,
// sarvam-moe, granite-embed-multi-311m).
var ggufPres = []ggufPre{
	{names: "gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jina-v1-en jina-v2-code roberta-bpe mpt olmo jais trillion granite-docling exaone4",
		stages: []string{gpt2Pattern}},
	{names: "smollm starcoder refact command-r codeshell exaone minerva-7b mellum2",
		stages: []string{digitByDigit, gpt2Pattern}},
	{names: "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
		stages: []string{llama3Pattern}, ignoreMerges: true, addBOS: true},
	{names: "glm4 glm5", stages: []string{llama3Pattern}, ignoreMerges: true},
	{names: "dbrx smaug-bpe chatglm-bpe", stages: []string{llama3Pattern}},
	{names: "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez", normalizer: `{"type": "NFC"}`, stages: []string{qwenPattern}},
	{names: "stablelm2 hunyuan solar-open grok-2", stages: []string{qwenPattern}},
	{names: "qwen35",
		stages: []string{`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`}},
	{names: "minicpm5", ignoreMerges: true,
		stages: []string{`\p{N}{1,3}`, `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`}},
	{names: "jais-2", stages: []string{`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|` +
		`\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}`}},
	{names: "deepseek-llm", stages: []string{`[\r\n]`, deepseekLetters, `\s?[!-/:-~！-／：-～‘-‟　-。]+`, `\s+$`, `[一-龥ࠀ-一가-퟿]+`, `\p{N}+`}},
	{names: "deepseek-coder", stages: []string{`[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, `[一-龥ࠀ-一가-퟿]+`, digitByDigit}},
	{names: "deepseek-v3 hunyuan-dense joyai-llm hy_v4", stages: []string{`\p{N}{1,3}`, japanese, deepseek3}},
	{names: "spark2_5", stages: []string{`\p{N}{1,3}`, japanese, asciiWords + `|[\r\n]|\s+(?!\S)|\s+`, digitByDigit}},
	{names: "youtu", ignoreMerges: true, stages: []string{
		`[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|` + japanese,
		casedWords + contractions + `|` + upperWords + contractions + `|\p{N}|` + slashedEnd}},
	{names: "falcon", stages: []string{"[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2Pattern, `[0-9][0-9][0-9]`}},
	{names: "bloom poro-chat gpt3-finnish", stages: []string{bloomPattern}},
	{names: "viking", stages: []string{bloomPattern, digitByDigit}},
	{names: "tekken", ignoreMerges: true, addBOS: true, stages: []string{casedWords + `|` + upperWords + `|\p{N}|` + slashedEnd}},
	{names: "gpt-4o llama4 kanana2 talkie minimax-m2", stages: []string{o200kPattern}},
	{names: "granite-embed-multi-97m", ignoreMerges: true, stages: []string{o200kPattern}},
	{names: "tiny_aya cohere2moe", stages: []string{`\d{1,3}(?=(?:\d{3})*\b)`, o200kPattern}},
	{names: "superbpe", stages: []string{`\p{N}+`, `(?=(\d{3})+(?!\d))`}},
	{names: "bailingmoe bailingmoe2 llada-moe", stages: []string{`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`}},
	{names: "seed-coder", stages: []string{`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`}},
	{names: "ufakzeka", stages: []string{`[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`}},
	{names: "laguna", stages: []string{`[^\n]+|[\n]+`, qwenPattern}},
	{names: "exaone-moe", stages: []string{`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+`}},
	{names: "chameleon", addBOS: true, stages: []string{`<sentinel:[0-9]+>`, `(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z`, `([\t\n]|    |  )`, digitByDigit,
		"[\\p{P}!-/:-@\\[-`{-~]", gpt2Pattern}},
	{names: "default", stages: []string{`[\p{P}\$\+<=>\^~\|]+`, gpt2Pattern, `\p{N}+`, `[0-9][0-9][0-9]`}},
}

// findPre gives the pre-tokenizer of a name; nil: it is unknown.
func findPre(name string) *ggufPre {
	for i := range ggufPres {
		if slices.Contains(strings.Fields(ggufPres[i].names), name) {
			return &ggufPres[i]
		}
	}
	return nil
}

// preNames lists all known names.
func preNames() (names []string) {
	for _, p := range ggufPres {
		names = append(names, strings.Fields(p.names)...)
	}
	slices.Sort(names)
	return names
}

// section gives the pre-tokenizer as a section of tokenizer.json.
func (p *ggufPre) section() json.RawMessage {
	var list []string
	for _, s := range p.stages {
		if s[0] != '{' {
			s = `{"type": "Split", "pattern": {"Regex": ` + quote(s) + `}, "behavior": "Isolated", "invert": false}`
		}
		list = append(list, s)
	}
	return sequence("pretokenizers", append(list, string(byteLevel(false, false))))
}
