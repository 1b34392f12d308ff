package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestExtend adds tokens to every kind. The ids are those that add_tokens of tokenizers
// 0.23.3 gives: what is there keeps its id, the others follow in order.
func TestExtend(t *testing.T) {
	for _, name := range []string{"tokenizer.json", "agree/unigram.json", "agree/fallback.json", "agree/wordpiece.json", "agree/wordlevel.json"} {
		p, err := Open("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		before := p.JSON()
		known := p.Token(int32(p.Size() / 2)) // a token of the vocabulary
		first := int32(p.Size())
		q, err := p.Extend([]AddedToken{
			{Content: "<tool>", Special: true},
			{Content: known, Normalized: true},
			{Content: "<tool>"},
			{Content: "→x"},
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if q.Size() != p.Size()+2 {
			t.Errorf("%s: %d tokens, of %d before", name, q.Size(), p.Size())
		}
		for _, c := range []struct {
			token string
			id    int32
		}{{"<tool>", first}, {"→x", first + 1}, {known, int32(p.Size() / 2)}} {
			if id, ok := q.Special(c.token); !ok || id != c.id {
				t.Errorf("%s: %q is %d (%t), want %d", name, c.token, id, ok, c.id)
			}
		}
		if i := slices.IndexFunc(q.Added(), func(a AddedToken) bool { return a.Content == "<tool>" }); !q.Added()[i].Special {
			t.Errorf("%s: <tool> is no special token", name)
		}
		if ids := q.Encode(nil, "<tool>→x<tool>"); fmt.Sprint(ids) != fmt.Sprint([]int32{first, first + 1, first}) {
			t.Errorf("%s: %v", name, ids)
		}
		if ids := q.EncodeOrdinary(nil, "a<tool>→x"); slices.Contains(ids, first) || slices.Contains(ids, first+1) {
			t.Errorf("%s: ordinary text brings in an added token: %v", name, ids)
		}
		if string(p.JSON()) != string(before) {
			t.Errorf("%s: the tokenizer that was extended has changed", name)
		}
		again, err := Parse(q.JSON())
		if err != nil || string(again.JSON()) != string(q.JSON()) {
			t.Errorf("%s: the file changes as it is read and written (%v)", name, err)
		}
		if same, err := q.Extend([]AddedToken{{Content: "<tool>"}}); err != nil || string(same.JSON()) != string(q.JSON()) {
			t.Errorf("%s: what is there already changes something (%v)", name, err)
		}
	}
	p := readTiny(t)
	for _, bad := range []string{"", "\xff"} {
		if _, err := p.Extend([]AddedToken{{Content: "ok"}, {Content: bad}}); err == nil || !strings.Contains(err.Error(), "token 1: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
