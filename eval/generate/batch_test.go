package generate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint/gguf"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// writers are small models of every family that writes, by their model_type and what is special.
var writers = map[string]string{
	"gpt2":              `"n_layer": 2, "n_head": 4, "n_embd": 32, "n_positions": 160, "initializer_range": 0.3`,
	"llama":             decoderKeys + `, "initializer_range": 0.3`,
	"llama, one key":    decoderKeys + `, "initializer_range": 0.3, "num_key_value_heads": 1, "mlp_bias": true`,
	"qwen2":             decoderKeys + `, "initializer_range": 0.3`,
	"qwen3":             decoderKeys + `, "initializer_range": 0.3, "head_dim": 12`,
	"mistral":           decoderKeys + `, "initializer_range": 0.3, "sliding_window": 70`,
	"gemma":             decoderKeys + `, "initializer_range": 0.2, "head_dim": 8`,
	"gemma3_text":       decoderKeys + `, "initializer_range": 0.2, "head_dim": 8, "sliding_window": 9, "layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 8`,
	"palm":              `"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 160`,
	"xlnet":             `"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48, "initializer_range": 0.4`,
	"xlnet, remembers":  `"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48, "initializer_range": 0.4, "use_mems_train": true, "mem_len": 7`,
	"t5":                t5Keys + `, "initializer_factor": 3`,
	"llama, q8_0":       roundKeys,
	"llama, q4_0":       roundKeys,
	"llama, q8_0 int8":  roundKeys,
	"llama, q4_1 int8":  roundKeys,
	"t5, output matrix": t5Keys + `, "initializer_factor": 2, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false, "num_decoder_layers": 3`,
}

const (
	decoderKeys = `"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 160`
	roundKeys   = `"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 160, "initializer_range": 0.3`
	t5Keys      = `"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4`
)

// writer is a generator with one of the writers, as it is opened for writing.
func writer(t testing.TB, name string, o cpu.Options) *Generator {
	t.Helper()
	dev, err := cpu.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return writerOn(t, dev, name)
}

func writerOn(t testing.TB, dev exec.Device, name string) *Generator {
	t.Helper()
	kind, _, _ := strings.Cut(name, ",")
	o := model.Options{Inference: true, Int8: strings.HasSuffix(name, "int8")}
	for _, dt := range []exec.DType{exec.Q8_0, exec.Q4_0, exec.Q4_1} {
		if strings.Contains(name, dt.String()) {
			o.Stored = func(name string) exec.DType {
				if strings.HasSuffix(name, "_proj.weight") {
					return dt
				}
				return exec.F32
			}
		}
	}
	g := random(t, dev, fmt.Sprintf(`"model_type": %q, "vocab_size": 27, %s`, kind, writers[name]), o)
	if g.Ends = []int32{26}; g.how == model.Answered {
		g.After = g.Ends
	}
	return g
}

// random is a generator with a model of random weights.
func random(t testing.TB, dev exec.Device, keys string, o model.Options) *Generator {
	t.Helper()
	c, err := model.ReadConfig(strings.NewReader(fmt.Sprintf(`{"bos_token_id": null, "eos_token_id": null, "pad_token_id": null, %s}`, keys)))
	if err != nil {
		t.Fatal(err)
	}
	net, err := model.NewNetwork(dev, exec.F32, c, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Init(4); err != nil {
		t.Fatal(err)
	}
	if o.Stored != nil {
		quantise(t, net)
	}
	g, err := New(net, letters{}, Settings{Starts: true})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// quantise gives the quantised weights, which Init leaves zero, those that Init gives to floats.
func quantise(t testing.TB, net *model.Network) {
	t.Helper()
	floats, err := model.NewNetwork(net.Memory().Device(), exec.F32, net.Config(), model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := floats.Init(4); err != nil {
		t.Fatal(err)
	}
	for _, p := range net.Layout().Params {
		if !p.DType.Quantized() {
			continue
		}
		kind, err := gguf.TypeNamed(strings.ToUpper(p.DType.String()))
		if err != nil {
			t.Fatal(err)
		}
		values, blocks := make([]float32, p.Elems), make([]byte, p.DType.Bytes(p.Elems))
		if err := errors.Join(floats.Weight(p.Name, values), gguf.Quantize(kind, blocks, values), net.SetBlocks(p.Name, blocks)); err != nil {
			t.Fatal(err)
		}
	}
}

// A trace is a text and the logits of each of its tokens.
type trace struct {
	result Result
	logits []float32
}

// traces writes texts, up to so many at once. Each text comes when there is a slot, and goes when it is done.
func traces(t *testing.T, g *Generator, requests []Request, together int) []trace {
	t.Helper()
	if err := g.Reserve(together, 160); err != nil {
		t.Fatal(err)
	}
	list := make([]trace, len(requests))
	at := map[*Text]int{}
	for next := 0; next < len(requests) || len(g.texts) > 0; {
		for next < len(requests) && len(g.texts) < together {
			text, err := g.Add(requests[next])
			if err != nil {
				t.Fatal(err)
			}
			at[text] = next
			next++
		}
		if err := g.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, text := range slices.Clone(g.texts) {
			l := &list[at[text]]
			l.logits = append(l.logits, text.logits...)
			if text.Done() {
				r, err := text.Result()
				if err != nil {
					t.Fatal(err)
				}
				l.result = *r
				g.Remove(text)
			}
		}
	}
	return list
}

// A text and all its logits are the same in every bit whether it is written alone or beside others, however its prompt
// is cut into pieces, with any number of threads.
func TestTextsAreApart(t *testing.T) {
	for _, kind := range model.ModelTypes {
		if c, err := model.DefaultConfig(kind); err != nil || c.Writing() != model.Never && writers[kind] == "" {
			t.Errorf("%s: there is no model to try, %v", kind, err)
		}
	}
	for name := range writers {
		if testing.Short() && name != "llama" && name != "t5" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkApart(t, name)
		})
	}
}

func checkApart(t *testing.T, name string) {
	g := writer(t, name, cpu.Options{Threads: 1})
	var requests []Request
	long := strings.Repeat("thequickbrownfoxjumpsoverthelazydog", 4)
	for i, prompt := range []string{"hone", "", "thequick", long[:130], "a", long[:70], "hone", "thequickbrown", long[:97], long[:71]} {
		ids, err := g.Prompt(prompt)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{MaxTokens: 5 + 3*(i%4)}
		if i%3 > 0 {
			o.Temperature, o.Seed = 1, uint64(i)
		}
		requests = append(requests, Request{Prompt: ids, Options: o})
	}
	want := make([]trace, len(requests))
	for i, r := range requests { // each by a new generator
		want[i] = traces(t, writer(t, name, cpu.Options{Threads: 1}), []Request{r}, 1)[0]
	}
	if kinds := map[string]bool{}; true {
		for _, w := range want {
			kinds[w.result.Text] = true
		}
		if len(kinds) < 6 {
			t.Errorf("only the texts %v: a test that sees nothing", kinds)
		}
	}
	whole, err := g.net, error(nil)
	if !strings.Contains(name, ", q") { // by a network as it is trained
		if whole, err = model.NewNetwork(g.net.Memory().Device(), exec.F32, g.net.Config(), model.Options{}); err != nil {
			t.Fatal(err)
		}
		if err := whole.Init(4); err != nil {
			t.Fatal(err)
		}
	}
	for i, w := range want { // of a pass over the whole, without caches
		text, source := slices.Clone(requests[i].Prompt), []int32(nil)
		if g.how == model.Answered {
			text, source = []int32{0}, text
		}
		for k, id := range append(w.result.IDs[:len(w.result.IDs):len(w.result.IDs)], -1) {
			if logits := w.logits[min(k*27, len(w.logits)):]; len(logits) >= 27 && !slices.Equal(logits[:27], pass(t, whole, text, source)) {
				t.Errorf("request %d: token %d has other logits in a pass over the whole", i, k)
			}
			text = append(text, id)
		}
	}
	for _, c := range []struct{ together, piece, threads int }{{1, 512, 2}, {2, 512, 1}, {3, 7, 3}, {8, 1, 2}, {8, 512, 2}, {8, 50, 1}} {
		g := writer(t, name, cpu.Options{Threads: c.threads})
		g.piece = c.piece
		order := slices.Clone(requests)
		if c.together == 8 {
			slices.Reverse(order)
		}
		got := traces(t, g, order, c.together)
		if c.together == 8 {
			slices.Reverse(got)
		}
		for i, w := range want {
			if w.result.Text != got[i].result.Text || w.result.Reason != got[i].result.Reason || !slices.Equal(w.logits, got[i].logits) {
				t.Errorf("%d together, pieces of %d, %d threads: request %d writes %q, %s; alone %q, %s; %d and %d logits", c.together, c.piece, c.threads,
					i, got[i].result.Text, got[i].result.Reason, w.result.Text, w.result.Reason, len(got[i].logits), len(w.logits))
			}
		}
	}
}

// A round allocates nothing, but what grows with a text.
func TestRoundAllocatesNothing(t *testing.T) {
	for name := range writers {
		g := writer(t, name, cpu.Options{Threads: 2})
		if err := g.Reserve(3, 160); err != nil {
			t.Fatal(err)
		}
		var texts []*reading
		for i := range 3 {
			ids := append(make([]int32, 0, 160), int32(i+1), 2, 3)
			texts = append(texts, &reading{slot: i, ids: ids})
		}
		round := func() {
			for _, r := range texts {
				r.ids = append(r.ids, 4)
			}
			if err := g.read(texts); err != nil {
				t.Fatal(err)
			}
		}
		round()
		round()
		if n := testing.AllocsPerRun(100, round); n != 0 {
			t.Errorf("%s: %v allocations a round", name, n)
		}
	}
}

// Caches that the machine cannot hold are an error before any work.
func TestMemory(t *testing.T) {
	if total, _ := cpu.Memory(); total == math.MaxInt64 {
		t.Skip("how much memory there is is not known here")
	}
	g := writer(t, "llama", cpu.Options{Threads: 1})
	err := g.Reserve(1<<32, 160)
	if err == nil || !strings.Contains(err.Error(), "not enough memory: the keys and values of 4294967296 texts of 160 tokens need") || !strings.Contains(err.Error(), "hint: fewer texts at once") {
		t.Errorf("%v", err)
	}
	if _, err := g.Generate(t.Context(), "hone", Options{MaxTokens: 3}, nil); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// small is a machine of little memory.
type small struct {
	exec.Device
	bytes int64
}

func (s small) Memory() (total, free int64) { return s.bytes, s.bytes }

// Where there is not the memory for all texts at once, some are written after others.
func TestFewerAtOnce(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	requests := make([]Request, 8)
	for i := range requests {
		requests[i] = Request{Prompt: []int32{int32(i + 1)}, Options: Options{MaxTokens: 10}}
	}
	want, err := writerOn(t, dev, "llama").Write(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	weights := int64(writerOn(t, dev, "llama").net.Memory().Bytes())
	const slot = 2 * 2 * 16 * 64 * 4 // layers, keys and values, columns, tokens, bytes
	for slots, n := range map[int64]int{8: 8, 7: 4, 2: 2, 1: 1} {
		g := writerOn(t, small{dev, weights + slots*slot}, "llama")
		got, err := g.Write(t.Context(), requests)
		if err != nil || len(g.slots) != n {
			t.Fatalf("memory for %d: %d at once, want %d, %v", slots, len(g.slots), n, err)
		}
		for i, r := range got {
			if !slices.Equal(r.IDs, want[i].IDs) {
				t.Errorf("memory for %d: request %d writes %v, want %v", slots, i, r.IDs, want[i].IDs)
			}
		}
	}
	if _, err := writerOn(t, small{dev, weights + slot - 1}, "llama").Write(t.Context(), requests); !errors.Is(err, errMemory) {
		t.Errorf("memory for none: %v", err)
	}
}

// Texts that begin alike share what is read, whether the first is done or not, and slots keep what they hold when
// there come to be more and longer ones.
func TestSharing(t *testing.T) {
	for _, name := range []string{"llama", "t5"} {
		g := writer(t, name, cpu.Options{Threads: 1})
		prompt := letters{}.Encode(nil, strings.Repeat("thequickbrownfox", 4))
		var requests []Request
		for i := range 4 {
			requests = append(requests, Request{Prompt: prompt, Options: Options{MaxTokens: 5, Sampler: Sampler{Temperature: 1, Seed: uint64(i)}}})
		}
		results, err := g.Write(t.Context(), requests)
		if err != nil {
			t.Fatal(err)
		}
		least := 1 // the last token is read in any case: its logits are wanted
		if name == "t5" {
			least = 0
		}
		if results[0].PromptRead != len(prompt) || results[1].PromptRead != least || results[3].PromptRead != least {
			t.Errorf("%s: four texts read %d, %d, %d and %d tokens of %d", name, results[0].PromptRead, results[1].PromptRead, results[2].PromptRead, results[3].PromptRead, len(prompt))
		}
		if err := g.Reserve(9, 159); err != nil {
			t.Fatal(err)
		}
		r, err := g.Continue(t.Context(), prompt, requests[2].Options, nil)
		if err != nil || r.PromptRead != least || r.Text != results[2].Text {
			t.Errorf("%s: %+v, %v; want %q", name, r, err, results[2].Text)
		}
	}
}

// A text can be removed while it is written; others go on.
func TestRemove(t *testing.T) {
	g := writer(t, "llama", cpu.Options{Threads: 1})
	if err := g.Reserve(2, 100); err != nil {
		t.Fatal(err)
	}
	request := func(id int32) Request { return Request{Prompt: []int32{id}, Options: Options{MaxTokens: 20}} }
	first, err := g.Add(request(1))
	if err != nil {
		t.Fatal(err)
	}
	second, err := g.Add(request(2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Add(request(3)); !errors.Is(err, ErrNoSlot) {
		t.Errorf("a third text in two slots: %v", err)
	}
	for range 3 {
		if err := g.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	g.Remove(first)
	if r, err := first.Result(); err != nil || r.Reason != "interrupted" || len(r.IDs) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := g.Add(request(3)); err != nil {
		t.Error(err)
	}
	for !second.Done() {
		if err := g.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want, err := writer(t, "llama", cpu.Options{Threads: 1}).Continue(t.Context(), []int32{2}, request(2).Options, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := second.Result(); r.Text != want.Text {
		t.Errorf("%q, alone %q", r.Text, want.Text)
	}
}
