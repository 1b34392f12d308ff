package data

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hone/data/clean"
	"hone/data/source"
	"hone/data/tokenizer"
)

// TestKeysConvertAgain changes a key of how a file is read: what the cache holds of it,
// cleaned texts and tokens too, is not that of the other key, though rows and names are.
func TestKeysConvertAgain(t *testing.T) {
	cache := t.TempDir()
	path := filepath.Join(t.TempDir(), "x.tsv")
	if err := os.WriteFile(path, []byte("text\tlabel\n\"say \"\"hi\"\"\"\ta\nplain\tb\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Train(slices.Values([]string{"x"}), tokenizer.TrainOptions{Kind: "byte"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, rules := range []clean.Rules{{}, {MinLength: 1}} {
		for _, c := range []struct{ quote, want string }{{"csv", `say "hi"`}, {"none", `"say ""hi"""`}, {"", `say "hi"`}} {
			corpus, err := Prepare(t.Context(), Spec{From: path, Rules: rules, Read: source.Options{Quote: c.quote}}, cache, nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := corpus.Train.Record(0)
			if err != nil || r.Text != c.want {
				t.Errorf("quote %q, rules %+v: %q (%v), want %q", c.quote, rules, r.Text, err, c.want)
			}
			tokens, err := corpus.CacheTokens(t.Context(), corpus.Train, tok, "tok", cache, nil)
			if err != nil {
				t.Fatal(err)
			}
			ids, err := tokens.Record(0)
			if err != nil || tok.Decode(ids.IDs) != c.want {
				t.Errorf("quote %q, rules %+v: tokens of %q (%v), want %q", c.quote, rules, tok.Decode(ids.IDs), err, c.want)
			}
			tokens.Close()
			corpus.Close()
		}
	}
}
