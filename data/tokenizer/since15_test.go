package tokenizer

import (
	"fmt"
	"testing"
)

// Characters of Unicode 15.1 and 16 are what they are in patterns too. Values of tokenizers
// 0.23.3.
func TestSince15(t *testing.T) {
	const letters = `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s+`
	for _, test := range []struct{ pattern, text, want string }{
		{letters, "\U000113ce's", `["\U000113ce's"]`},
		{letters, "\U00016d57's \U0001ccf1a", `["\U00016d57's" " " "\U0001ccf1" "a"]`},
		{`\\p{N}+|\\P{N}`, "\U0001ccf1\U0001ccf2a", `["\U0001ccf1\U0001ccf2" "a"]`},
		{`[^\\p{P}\\p{S}]+`, "a\U0001cc07b", `["a" "\U0001cc07" "b"]`},
		{`\\p{Han}+`, "a\U0002ebf0\u4e00", `["a" "\U0002ebf0\u4e00"]`},
		{`[]\\p{Nd}]+`, "a]\U0001ccf1", `["a" "]\U0001ccf1"]`},
	} {
		p, err := parsePattern(fmt.Appendf(nil, `{"Regex": "%s"}`, test.pattern))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range pieces(nil, test.text, p, isolated, false) {
			got = append(got, test.text[x.start:x.end])
		}
		if s := fmt.Sprintf("%+q", got); s != test.want {
			t.Errorf("%s: %+q: %s, want %s", test.pattern, test.text, s, test.want)
		}
	}
}
