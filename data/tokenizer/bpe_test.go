package tokenizer

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

func readJSON[T any](t testing.TB, name string) (v T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func readTiny(t testing.TB) *Pipeline {
	t.Helper()
	tok, err := Open("testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// readGPT2 skips where the published file is not beside the checkout.
func readGPT2(t testing.TB) *Pipeline {
	t.Helper()
	f, err := os.Open("../../../shared/data/tokenizers/gpt2/tokenizer.json.gz")
	if err != nil {
		t.Skipf("GPT-2's tokenizer is not here: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

type vector struct {
	Text    string
	IDs     []int32
	Decoded string
}

func testVectors(t *testing.T, tok *Pipeline, name string) {
	vectors := readJSON[[]vector](t, name)
	if len(vectors) < 100 {
		t.Fatalf("%s: only %d vectors", name, len(vectors))
	}
	for range 2 { // from an empty cache, and from a full one
		for _, v := range vectors {
			got := tok.Encode(nil, v.Text)
			if !slices.Equal(got, v.IDs) {
				t.Errorf("Encode(%q)\n got %v\nwant %v", v.Text, got, v.IDs)
			}
			if s := tok.Decode(v.IDs); s != v.Decoded || s != v.Text {
				t.Errorf("Decode(Encode(%q)) = %q, library gives %q", v.Text, s, v.Decoded)
			}
		}
	}
}

func TestVectors(t *testing.T)     { testVectors(t, readTiny(t), "vectors.json") }
func TestGPT2Vectors(t *testing.T) { testVectors(t, readGPT2(t), "gpt2_vectors.json") }

// TestPublishedVectors uses vectors that others made for GPT-2's vocabulary.
func TestPublishedVectors(t *testing.T) {
	tok := readGPT2(t)
	data, err := os.ReadFile("../../../shared/data/tokenizers/vectors/tokenizer_tests.json")
	if err != nil {
		t.Skip(err)
	}
	var models map[string][]struct {
		Input   string
		Encoded struct {
			IDs []int32 `json:"input_ids"`
		}
	}
	if err := json.Unmarshal(data, &models); err != nil {
		t.Fatal(err)
	}
	cases := models["distilgpt2"]
	if len(cases) == 0 {
		t.Fatal("no cases for distilgpt2")
	}
	for _, c := range cases {
		if got := tok.Encode(nil, c.Input); !slices.Equal(got, c.Encoded.IDs) {
			t.Errorf("Encode(%q)\n got %v\nwant %v", c.Input, got, c.Encoded.IDs)
		}
	}
}

func TestOrdinary(t *testing.T) {
	tok := readTiny(t)
	text := "a<|endoftext|>b<|user|><|endoftext|>"
	end, ok := tok.Special("<|endoftext|>")
	if !ok || end != 0 {
		t.Fatalf("Special = %d, %t", end, ok)
	}
	if _, ok := tok.Special("a"); ok {
		t.Error("a is no added token")
	}
	if n := len(tok.Encode(nil, text)); n != 5 {
		t.Errorf("Encode gives %d ids, want 5", n)
	}
	var view Tokenizer = tok.Ordinary()
	for _, ids := range [][]int32{tok.EncodeOrdinary(nil, text), view.Encode(nil, text)} {
		if slices.Contains(ids, 0) || slices.Contains(ids, 1) {
			t.Errorf("ordinary text gave an added token: %v", ids)
		}
		if s := view.Decode(ids); s != text {
			t.Errorf("Decode gives %q", s)
		}
	}
}

// addedTokenizer is the tiny tokenizer with other added tokens.
func addedTokenizer(t *testing.T, tokens ...AddedToken) *Pipeline {
	t.Helper()
	data, err := os.ReadFile("testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var f map[string]json.RawMessage
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	if f["added_tokens"], err = json.Marshal(tokens); err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(f); err != nil {
		t.Fatal(err)
	}
	tok, err := parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestAddedTokens: the longest wins, those not normalized come first, and white
// space beside them is taken where they say so. The library gives the same.
func TestAddedTokens(t *testing.T) {
	tok := addedTokenizer(t,
		AddedToken{ID: 2048, Content: "<a>"}, AddedToken{ID: 2049, Content: "<a><b>"},
		AddedToken{ID: 2050, Content: "x<a", Normalized: true},
		AddedToken{ID: 2051, Content: "<m>", LStrip: true, RStrip: true},
		AddedToken{ID: 2052, Content: "한 국"})
	for _, c := range []struct {
		text string
		want string // pieces
	}{
		{"<a><b><a>", "<a><b>|<a>"},
		{"x<a>", "x|<a>"},
		{"x<ax<", "x<a|x|<"},
		{" \t<m>\n\u3000 <m>\u00a0.", "<m>|<m>|."},
		{"a <m>", "a|<m>"},
		{"한 국", "한 국"},
	} {
		var got []string
		for _, id := range tok.Encode(nil, c.text) {
			got = append(got, tok.Token(id))
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("Encode(%q) = %s, want %s", c.text, s, c.want)
		}
	}
	if s := tok.Decode([]int32{2052, -1, 9999, 2048}); s != "한 국<a>" {
		t.Errorf("Decode = %q", s)
	}
	if tok.Size() != 2053 || tok.Token(2053) != "" || tok.Token(-1) != "" {
		t.Errorf("Size = %d", tok.Size())
	}
	again, err := parse(tok.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if string(again.JSON()) != string(tok.JSON()) {
		t.Error("JSON differs after reading it")
	}
}

// encodeSlow is the definition: merge the leftmost pair of least rank, again and again.
func encodeSlow(t *bpe, w string) []int32 {
	var ids []int32
	for i := range len(w) {
		ids = append(ids, t.bytes[w[i]])
	}
	for {
		best, at := pairValue{rank: noRank}, 0
		for i := 1; i < len(ids); i++ {
			if p := t.pairs.get(ids[i-1], ids[i]); p.rank < best.rank {
				best, at = p, i-1
			}
		}
		if best.rank == noRank {
			return ids
		}
		ids[at] = best.id
		ids = slices.Delete(ids, at+1, at+2)
	}
}

func TestMergeAgreesWithDefinition(t *testing.T) {
	tok := readTiny(t)
	e := tok.encoders.Get().(*encoder)
	model := tok.model.(*bpe)
	rng := rand.New(rand.NewPCG(1, 2))
	docs := strings.Join(readJSON[[]string](t, "docs.json"), "")
	for range 2000 {
		n := 1 + rng.IntN(120)
		at := rng.IntN(len(docs) - n)
		w := strings.ReplaceAll(docs[at:at+n], " ", "")
		if rng.IntN(4) == 0 {
			w = strings.Repeat("\t a=e"[rng.IntN(5):][:1], n)
		}
		if w == "" {
			continue
		}
		want := encodeSlow(model, w)
		if got := model.encode(e, []int32{7}, w); !slices.Equal(got[1:], want) {
			t.Fatalf("encode(%q)\n got %v\nwant %v", w, got, want)
		}
		var got []int32
		size := 0
		for _, p := range model.tokens(e, nil, w) {
			got = append(got, p.id)
			size += p.size
		}
		if !slices.Equal(got, want) || size != len(w) {
			t.Fatalf("tokens(%q)\n got %v (%d bytes)\nwant %v", w, got, size, want)
		}
	}
}

// TestMergeWindows merges long words in windows and at once, by merges of which most
// reach far: of few letters, in any order, with tokens that are reached by two ways.
func TestMergeWindows(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var a, b encoder
	for range 400 {
		pieces := []string{"a", "b", "c"}[:1+rng.IntN(3)]
		letters := len(pieces)
		m := &bpe{ids: map[string]int32{}, bytes: new([256]int32)}
		for i, s := range pieces {
			m.ids[s], m.bytes[s[0]] = int32(i), int32(i)
		}
		var merged []int32
		for range rng.IntN(60) {
			p := [2]int32{int32(rng.IntN(len(pieces))), int32(rng.IntN(len(pieces)))}
			s := pieces[p[0]] + pieces[p[1]]
			if slices.Contains(m.merges, p) || len(s) > 200 {
				continue
			}
			id, ok := m.ids[s]
			if !ok {
				id = int32(len(pieces))
				m.ids[s] = id
				pieces = append(pieces, s)
			}
			m.merges, merged = append(m.merges, p), append(merged, id)
		}
		rng.Shuffle(len(merged), func(i, j int) {
			m.merges[i], m.merges[j] = m.merges[j], m.merges[i]
			merged[i], merged[j] = merged[j], merged[i]
		})
		m.build(merged)
		w := make([]byte, 1+rng.IntN(3000))
		period := 1 + rng.IntN(len(w))
		for i := range w {
			if w[i] = "abc"[rng.IntN(letters)]; i >= period {
				w[i] = w[i-period]
			}
		}
		m.symbols(&a, string(w))
		m.mergeWindow(&a, a.symbols)
		var want []placed
		for i := int32(0); i >= 0; i = a.nodes[i].next {
			want = append(want, placed{a.nodes[i].symbol, i})
		}
		m.symbols(&b, string(w))
		m.mergeLong(&b, 1+rng.IntN(50), 1+rng.IntN(20))
		if !slices.Equal(b.merged, want) {
			t.Fatalf("%q by %v of %q:\n got %v\nwant %v", w, m.merges, pieces, b.merged, want)
		}
	}
}

// TestLongPieces would take hours if one piece took quadratic time.
func TestLongPieces(t *testing.T) {
	tok := readTiny(t)
	for _, unit := range []string{" ", "a", "the", "\n", "=", "가", "\xff", "'", "<|endoftext", "\t "} {
		text := strings.Repeat(unit, 1<<18/len(unit)) + "x"
		if s := tok.Decode(tok.Encode(nil, text)); s != text {
			t.Errorf("a long run of %q does not come back", unit)
		}
	}
}

func TestConcurrentEncode(t *testing.T) {
	tok := readTiny(t)
	vectors := readJSON[[]vector](t, "vectors.json")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range vectors {
				v := vectors[(i+g*17)%len(vectors)]
				if got := tok.Encode(nil, v.Text); !slices.Equal(got, v.IDs) {
					t.Errorf("Encode(%q) = %v", v.Text, got)
				}
			}
		})
	}
	wg.Wait()
}

// TestEncodeAllocatesNothing for a token, of any kind; for a text it may, a few times.
func TestEncodeAllocatesNothing(t *testing.T) {
	for _, kind := range worstKinds {
		p := worstKind(t, kind)
		if p == nil {
			continue
		}
		docs := text{s: strings.Join(readJSON[[]string](t, "docs.json"), "<|endoftext|>")}
		e := p.encoders.Get().(*encoder) // the pool may be emptied at any collection
		e.run(docs)
		if n := testing.AllocsPerRun(3, func() { e.ids = e.ids[:0]; e.run(docs) }); n > 5 || len(e.ids) < 10_000 {
			t.Errorf("%s: %v allocations for %d tokens", kind, n, len(e.ids))
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	tok, err := Open("testdata/tokenizer.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "Hello world", "a\xff\xc3 \xe3\x81", "<|endoftext|>", "  \n\t x", "\xed\xa0\x80'll", "👍🏽", strings.Repeat("\xf0\x9f", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ids := tok.Encode([]int32{5}, s)
		if got := tok.Decode(ids[1:]); got != s {
			t.Fatalf("Decode(Encode(%q)) = %q", s, got)
		}
		ids = tok.EncodeOrdinary(ids[:0], s)
		if got := tok.Decode(ids); got != s {
			t.Fatalf("Decode(EncodeOrdinary(%q)) = %q", s, got)
		}
		if slices.Contains(ids, 0) || slices.Contains(ids, 1) {
			t.Fatalf("EncodeOrdinary(%q) gave an added token", s)
		}
	})
}

func TestRoundTripRandomBytes(t *testing.T) {
	tok := readTiny(t)
	rng := rand.New(rand.NewPCG(3, 4))
	var ids []int32
	for range 3000 {
		b := make([]byte, rng.IntN(100))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		ids = tok.Encode(ids[:0], string(b))
		if got := tok.Decode(ids); got != string(b) {
			t.Fatalf("Decode(Encode(%q)) = %q", b, got)
		}
	}
}

// TestRunes sends each character through, so that every class is looked up.
func TestRunes(t *testing.T) {
	tok := readTiny(t)
	var ids []int32
	for r := rune(0); r <= 0x33000; r++ { // above, all are of one class
		if !utf8.ValidRune(r) {
			continue
		}
		s := "a" + string(r) + " " + string(r) + "1"
		ids = tok.Encode(ids[:0], s)
		if got := tok.Decode(ids); got != s {
			t.Fatalf("%U: %q", r, got)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	text := strings.Join(readJSON[[]string](b, "docs.json"), "\n")
	for _, c := range []struct {
		name string
		read func(testing.TB) *Pipeline
		text string
	}{
		{"tiny", readTiny, text},
		{"gpt2", readGPT2, text},
		{"gpt2-spaces", readGPT2, strings.Repeat(" ", 1<<20)},
		{"gpt2-letters", readGPT2, strings.Repeat("acgt", 1<<18)},
	} {
		b.Run(c.name, func(b *testing.B) {
			tok := c.read(b)
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			var ids []int32
			for b.Loop() {
				ids = tok.EncodeOrdinary(ids[:0], c.text)
			}
			b.ReportMetric(float64(b.N)*float64(len(ids))/b.Elapsed().Seconds()/1e6, "Mtokens/s")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	data := readGPT2(b).JSON()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := parse(data); err != nil {
			b.Fatal(err)
		}
	}
}
