package run

import (
	"fmt"
	"strings"
	"testing"

	"hone/recipes"
)

func TestTokenizerKinds(t *testing.T) {
	text, file, err := recipes.Source("quickstart")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		set  string // of [tokenizer]
		want string // vocabulary planned, or fault
	}{
		{"kind=byte vocab_size=0", "258"},
		{"kind=byte vocab_size=258", "leave the key out"},
		{"kind=char vocab_size=300", "300"},
		{"kind=wordpiece vocab_size=0 lowercase=true", "4096"},
		{"kind=kmer k=4", "8192"},
		{"kind=byte_bpe vocab_size=200", "200 is less than 258"},
		{"k=3", "only a tokenizer of kind kmer has it"},
		{"lowercase=true", "only a tokenizer of kind wordpiece has it"},
		{"kind=sentencepiece", "known: byte_bpe, wordpiece, unigram, byte, char, kmer"},
	} {
		var overrides []string
		for _, kv := range strings.Fields(c.set) {
			overrides = append(overrides, "tokenizer."+kv)
		}
		got := ""
		if r, err := parsed(file, text, overrides); err != nil {
			got = err.Error()
		} else if tok, err := plannedTokenizer(r); err != nil {
			t.Fatal(err)
		} else {
			got = fmt.Sprint(tok.Size())
		}
		if !strings.HasSuffix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.set, got, c.want)
		}
	}
}
