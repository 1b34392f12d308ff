package generate

import (
	"context"
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
	g, err := New(net, letters{})
	if err != nil {
		t.Fatal(err)
	}
	return g, net
}

// forward is the logits behind the last of the ids, all read at once.
func forward(t *testing.T, net *model.Network, ids []int32) []float32 {
	t.Helper()
	n := len(ids)
	x, err := net.Executor(model.Evaluate, 1, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	f := &model.Feed{
		Tokens: ids, Segments: make([]int32, n), Positions: make([]int32, n), Order: make([]int32, n),
		Pool: []int32{int32(n - 1)},
	}
	for i := range n {
		f.Positions[i], f.Order[i] = int32(i), int32(i)
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

// TestGreedy compares each token with the argmax of a whole forward pass, within the
// model's positions and far beyond, where the context is its newer half.
func TestGreedy(t *testing.T) {
	g, net := generator(t)
	for _, prompt := range []string{"", "abc", strings.Repeat("hone", 3) + "abc", strings.Repeat("hone", 9)} {
		r, err := g.Generate(t.Context(), prompt, Options{MaxTokens: 3 * window}, nil)
		if err != nil {
			t.Fatal(err)
		}
		context := letters{}.Encode([]int32{0}, prompt)
		if len(context) >= window {
			context = context[len(context)-window/2:]
		}
		for i, id := range append(slices.Clone(r.IDs), -1) {
			logits := forward(t, net, context)
			best := int32(0)
			for k, v := range logits {
				if v > logits[best] {
					best = int32(k)
				}
			}
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

func TestSeedAndPieces(t *testing.T) {
	g, _ := generator(t)
	text := func(seed uint64) string {
		var pieces strings.Builder
		r, err := g.Generate(t.Context(), "go", Options{MaxTokens: 20, Sampler: Sampler{Temperature: 1, Seed: seed}},
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
