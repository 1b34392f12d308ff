package generate

import (
	"fmt"
	"slices"
	"testing"

	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// smolLM2 has the shape of SmolLM2-135M, with random weights.
func smolLM2(b *testing.B) *Generator {
	b.Helper()
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { dev.Close() })
	g := random(b, dev, `"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
		"num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192, "tie_word_embeddings": true`, model.Options{Inference: true})
	g.Ends = nil
	return g
}

// A round of so many texts, each behind a prompt of 100 tokens; and the reading of prompts.
func BenchmarkRound(b *testing.B) {
	g := smolLM2(b)
	for _, texts := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprintf("texts=%d", texts), func(b *testing.B) {
			if err := g.Reserve(texts, 2048); err != nil {
				b.Fatal(err)
			}
			for i := range texts {
				if _, err := g.Add(Request{Prompt: slices.Repeat([]int32{int32(i + 1), 3, 5, 7}, 25), Options: Options{MaxTokens: 100000}}); err != nil {
					b.Fatal(err)
				}
			}
			for g.texts[texts-1].first.IsZero() {
				if err := g.Step(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := g.Step(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*texts)/b.Elapsed().Seconds(), "tokens/s")
			for len(g.texts) > 0 {
				g.Remove(g.texts[0])
			}
		})
	}
	first := int32(30) // of each prompt another one, or nothing would be read
	for _, tokens := range []int{16, 128, 512} {
		b.Run(fmt.Sprintf("prompt=%d", tokens), func(b *testing.B) {
			for range b.N {
				first++
				prompt := slices.Repeat([]int32{first, 3, 5, 7}, tokens/4)
				if _, err := g.Continue(b.Context(), prompt, Options{MaxTokens: 1}, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*tokens)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
