package generate

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// letters is a tokenizer of one token a letter, a to z.
type letters struct{}

func (letters) Encode(dst []int32, text string) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i]-'a')+1)
	}
	return dst
}
func (letters) Decode(ids []int32) string {
	b := make([]byte, len(ids))
	for i, id := range ids {
		b[i] = byte('a' + id - 1)
	}
	return string(b)
}
func (letters) Special(n string) (int32, bool) { return 0, n == "<|endoftext|>" }
func (letters) Size() int                      { return 27 }

const window = 16

func generator(t *testing.T) (*Generator, *model.Network) {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 2, Kernels: "generic"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	c, err := model.DefaultConfig("gpt2")
	if err != nil {
		t.Fatal(err)
	}
	gpt := c.Family.(model.GPT2)
	gpt.NLayer, gpt.NHead, gpt.NEmbd, gpt.NPositions, gpt.InitializerRange = 2, 2, 16, window, 0.3
	c.Family, c.VocabSize = gpt, letters{}.Size()
	c.BOSTokenID, c.EOSTokenID = nil, nil
	net, err := model.NewNetwork(dev, exec.F32, c, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Init(2); err != nil {
		t.Fatal(err)
	}
	// The end of text would end most tests early: its embedding, which is its row of the
	// head too, makes it unlikely after every token.
	end := make([]float32, c.VocabSize*gpt.NEmbd)
	if err := net.Weight("transformer.wte.weight", end); err != nil {
		t.Fatal(err)
	}
	clear(end[:gpt.NEmbd])
	if err := net.SetWeight("transformer.wte.weight", end); err != nil {
		t.Fatal(err)
	}
	g, err := New(net, letters{}, Settings{Starts: true})
	if err != nil {
		t.Fatal(err)
	}
	return g, net
}

// TestGreedy compares each token with the argmax of a whole forward pass, within the
// model's positions and far beyond, where the context is its newer half.
func TestGreedy(t *testing.T) {
	g, net := generator(t)
	for _, prompt := range []string{"", "abc", strings.Repeat("hone", 3) + "abc", "abcx"} {
		r, err := g.Generate(t.Context(), prompt, Options{MaxTokens: 3 * window, Slide: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		context := letters{}.Encode([]int32{0}, prompt)
		for i, id := range append(slices.Clone(r.IDs), -1) {
			best := likeliest(t, net, context, nil)
			if id < 0 {
				if r.Reason == "end of text" && best != 0 {
					t.Errorf("prompt %q: ended where %d was likelier", prompt, best)
				}
				break
			}
			if id != best {
				t.Fatalf("prompt %q: token %d is %d, the likeliest of a whole pass %d", prompt, i, id, best)
			}
			if len(context) == window {
				context = context[window/2+1:]
			}
			context = append(context, id)
		}
		if r.Text != (letters{}).Decode(r.IDs) || r.Reason != "length" || len(r.IDs) != 3*window {
			t.Errorf("prompt %q: %d tokens, ended by %s", prompt, len(r.IDs), r.Reason)
		}
	}
}

// Where the context slides, each token has the logits of a pass over the newer half alone.
func TestSlide(t *testing.T) {
	for name := range writers {
		g := writer(t, name, cpu.Options{Threads: 2})
		g.window, g.Ends = 23, nil
		prompt, err := g.Prompt("hone")
		if err != nil {
			t.Fatal(err)
		}
		const n = 60
		w := traces(t, g, []Request{{Prompt: prompt, Options: Options{MaxTokens: n, Slide: true, Sampler: Sampler{Temperature: 1, Seed: 3}}}}, 1)[0]
		text, source, dropped := prompt, []int32(nil), 0
		if g.how == model.Answered {
			text, source = []int32{0}, prompt
		}
		kinds := map[int32]bool{}
		for i, id := range w.result.IDs {
			if drop := len(text) - g.window/2; len(text) > g.window {
				text, dropped = text[drop:], dropped+drop
			}
			if !slices.Equal(w.logits[i*27:(i+1)*27], pass(t, g.net, text, source)) {
				t.Fatalf("%s: token %d has other logits in a pass over its context", name, i)
			}
			text, kinds[id] = append(slices.Clone(text), id), true
		}
		if len(kinds) < 3 || len(w.result.IDs) != n || w.result.Dropped != dropped || dropped == 0 {
			t.Errorf("%s: %+v, dropped %d", name, w.result, dropped)
		}
		if _, err := g.Generate(t.Context(), strings.Repeat("hone", 9), Options{MaxTokens: 1}, nil); err == nil || !strings.Contains(err.Error(), "the prompt has 37 tokens, with those that the model puts around it; the context is 23") {
			t.Errorf("%s: a prompt that is too long: %v", name, err)
		}
	}
}

// A BERT cannot write.
func TestNever(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	c, err := model.DefaultConfig("bert")
	if err != nil {
		t.Fatal(err)
	}
	f := c.Family.(model.BERT)
	f.HiddenSize, f.NumHiddenLayers, f.NumAttentionHeads, f.IntermediateSize = 8, 1, 1, 8
	c.Family, c.VocabSize = f, letters{}.Size()
	net, err := model.NewNetwork(dev, exec.F32, c, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(net, letters{}, Settings{Starts: true}); err == nil || err.Error() != "generate: a bert attends to both sides of a token and cannot write text" {
		t.Errorf("a BERT: %v", err)
	}
}

// likeliest is the likeliest token behind a text.
func likeliest(t *testing.T, net *model.Network, text, source []int32) (best int32) {
	t.Helper()
	logits := pass(t, net, text, source)
	for i, v := range logits {
		if v > logits[best] {
			best = int32(i)
		}
	}
	return best
}

// pass computes the logits behind a text by a pass of little more than its length, without caches. XLNet's has a row for
// the token behind it, whose own token does not matter. A source is what an encoder reads.
func pass(t *testing.T, net *model.Network, text, source []int32) []float32 {
	t.Helper()
	n := len(text)
	if net.Config().Writing() == model.Queried {
		n++
	}
	size := min((max(n, len(source))+15)/16*16, cmp.Or(net.Config().MaxLength(), unbounded)) // few programs
	x, err := net.Executor(model.Evaluate, 1, size, 1)
	if err != nil {
		t.Fatal(err)
	}
	f := &model.Feed{Pool: []int32{int32(n - 1)}, Slots: [2]int32{1, 0}}
	lay := func(ids []int32, n int) (tokens, segments []int32) {
		tokens, segments = slices.Repeat([]int32{7}, size), slices.Repeat([]int32{-1}, size)
		copy(tokens, ids)
		clear(segments[:n])
		return tokens, segments
	}
	f.Tokens, f.Segments = lay(text, n)
	for i := range size {
		f.Positions = append(f.Positions, int32(i))
	}
	if f.Order = f.Positions; source != nil {
		f.EncoderTokens, f.EncoderSegments = lay(source, len(source))
	}
	if err := net.Feed(x, f); err != nil {
		t.Fatal(err)
	}
	if err := x.Run(); err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, letters{}.Size())
	if err := exec.Read(x, "logits", logits); err != nil {
		t.Fatal(err)
	}
	return logits
}

func TestSeedAndPieces(t *testing.T) {
	g, _ := generator(t)
	text := func(seed uint64) string {
		var pieces strings.Builder
		r, err := g.Generate(t.Context(), "go", Options{MaxTokens: 20, Slide: true, Sampler: Sampler{Temperature: 1, Seed: seed}},
			func(piece string) { pieces.WriteString(piece) })
		if err != nil {
			t.Fatal(err)
		}
		if pieces.String() != r.Text {
			t.Errorf("pieces %q of %q", &pieces, r.Text)
		}
		return r.Text
	}
	if a, b := text(5), text(5); a != b {
		t.Errorf("one seed, two texts: %q, %q", a, b)
	}
	if a, b := text(5), text(6); a == b {
		t.Errorf("two seeds, one text: %q", a)
	}
}

func TestStop(t *testing.T) {
	g, _ := generator(t)
	o := Options{MaxTokens: 12, Sampler: Sampler{Temperature: 1, Seed: 3}}
	whole, err := g.Generate(t.Context(), "go", o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(whole.Text) < 8 {
		t.Fatalf("only %q to stop in", whole.Text)
	}
	stop := whole.Text[4:6]
	at := strings.Index(whole.Text, stop)
	var pieces strings.Builder
	o.Stop = []string{"ZZ", stop}
	r, err := g.Generate(t.Context(), "go", o, func(piece string) { pieces.WriteString(piece) })
	if err != nil {
		t.Fatal(err)
	}
	if r.Reason != "stop" || r.Text != whole.Text[:at] || pieces.String() != r.Text {
		t.Errorf("stopped at %q in %q: %q, pieces %q, ended by %s", stop, whole.Text, r.Text, &pieces, r.Reason)
	}
}

func TestInterrupted(t *testing.T) {
	g, _ := generator(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := g.Generate(ctx, "go", Options{MaxTokens: 50}, func(string) { cancel() })
	if err != nil || r.Reason != "interrupted" || len(r.IDs) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A text that fills the context ends there, and says so; one that has to slide says how much it dropped.
func TestContext(t *testing.T) {
	g, _ := generator(t)
	r, err := g.Generate(t.Context(), "hone", Options{MaxTokens: 50}, nil)
	// The last token is never read: it may stand behind the context.
	if err != nil || len(r.IDs) != window+1-5 || r.Reason != "length" || !r.ContextFull {
		t.Errorf("%+v, %v", r, err)
	}
	whole, err := g.Generate(t.Context(), "hone", Options{MaxTokens: 50, Slide: true}, nil)
	if err != nil || len(whole.IDs) != 50 || whole.ContextFull || whole.Dropped == 0 || 5+50-1-whole.Dropped > window {
		t.Errorf("%+v, %v", whole, err)
	}
	if r, err := g.Generate(t.Context(), "hone", Options{MaxTokens: window + 1 - 5}, nil); err != nil || r.ContextFull {
		t.Errorf("%+v, %v", r, err)
	}
	for _, slide := range []bool{false, true} {
		_, err := g.Generate(t.Context(), strings.Repeat("hone", 4), Options{MaxTokens: 1, Slide: slide}, nil)
		if err == nil || err.Error() != "generate: the prompt has 17 tokens, with those that the model puts around it; the context is 16" {
			t.Errorf("a prompt that is too long: %v", err)
		}
	}
	if _, err := g.Continue(t.Context(), []int32{3, 27}, Options{MaxTokens: 1}, nil); err == nil || !strings.Contains(err.Error(), "token 27, but the model only 27 tokens") {
		t.Errorf("a token that the model does not have: %v", err)
	}
}

// Families whose positions are relative read and write texts of any length, and an encoder's is apart from what is
// written: behind 600 tokens there is room for as many.
func TestUnbounded(t *testing.T) {
	for _, name := range []string{"xlnet", "t5"} {
		g := writer(t, name, cpu.Options{Threads: 2})
		prompt := make([]int32, 600)
		for i := range prompt {
			prompt[i] = int32(i*i%23) + 1
		}
		r, err := g.Continue(t.Context(), prompt, Options{MaxTokens: 590, Sampler: Sampler{MinTokens: 590, Temperature: 1, Seed: 3}}, nil)
		if err != nil || len(r.IDs) != 590 || r.ContextFull || g.Bounded() {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		text, source := append(slices.Clone(prompt), r.IDs...), []int32(nil)
		if g.how == model.Answered {
			text, source = append([]int32{g.Start}, r.IDs...), prompt
		}
		if !slices.Equal(g.logits[:26], pass(t, g.net, text[:len(text)-1], source)[:26]) { // without the end, which is forbidden
			t.Errorf("%s: the last token has other logits in a pass over the whole", name)
		}
		want := g.Context() - 600
		if g.how == model.Answered {
			want = g.Context()
		}
		if got := g.Room(600); got != want {
			t.Errorf("%s: room for %d tokens behind 600, want %d", name, got, want)
		}
	}
}

// Weights that are no numbers are an error, not a text of the first token.
func TestNaN(t *testing.T) {
	g, net := generator(t)
	bias := []float32{float32(math.NaN()), 15: 0}
	if err := net.SetWeight("transformer.ln_f.bias", bias); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Generate(t.Context(), "go", Options{MaxTokens: 1}, nil); err == nil || !strings.Contains(err.Error(), "not numbers") {
		t.Errorf("a text of NaN: %v", err)
	}
}

// A generator reads of a prompt what it does not remember, and writes what a new one writes.
func TestRemembers(t *testing.T) {
	g, net := generator(t)
	for _, prompt := range []string{"abcdefg", "abcdefg", "abcxyz", "q", "qabcd", "abc"} {
		fresh, err := New(net, letters{}, Settings{Starts: true})
		if err != nil {
			t.Fatal(err)
		}
		ids, err := g.Prompt(prompt)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{MaxTokens: 4, Sampler: Sampler{Temperature: 1, Seed: 9}}
		want, err := fresh.Continue(t.Context(), ids, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.Continue(t.Context(), ids, o, nil)
		if err != nil || got.Text != want.Text || !slices.Equal(got.IDs, want.IDs) || !slices.Equal(g.logits, fresh.logits) {
			t.Errorf("%q: %+v, %v; a new generator: %+v", prompt, got, err, want)
		}
		if !slices.Equal(g.slots[0].held, append(ids, got.IDs[:3]...)) {
			t.Errorf("%q: holds %v", prompt, g.slots[0].held)
		}
	}
}
