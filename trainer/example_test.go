package trainer_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"hone/checkpoint"
	"hone/data"
	"hone/data/corpus"
	"hone/data/tokenizer"
	"hone/optim"
	"hone/trainer"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// texts are records in memory. What has Rows and Record can be trained on.
type texts []string

func (t texts) Rows() int64                           { return int64(len(t)) }
func (t texts) Record(i int64) (corpus.Record, error) { return corpus.Record{Text: t[i]}, nil }

// A small Llama is trained for two steps on texts in memory, and saved. A Trainer of the same
// directory would go on from there.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	docs := texts{"the cat sat on the mat", "the dog sat on the log", "the cat saw the dog"}
	tok, err := tokenizer.Train(slices.Values(docs), tokenizer.TrainOptions{VocabSize: 260, Special: []string{"<|endoftext|>"}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	config, err := model.DefaultConfig("llama")
	if err != nil {
		log.Fatal(err)
	}
	family := config.Family.(model.Llama)
	family.HiddenSize, family.IntermediateSize, family.NumHiddenLayers = 16, 32, 1
	family.NumAttentionHeads, family.NumKeyValueHeads, family.MaxPositionEmbeddings = 2, 1, 32
	config.Family, config.VocabSize = family, tok.Size()

	const rate = 1e-2
	opt, err := optim.New(optim.Config{Name: "adamw", LR: rate, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, MaxGradNorm: 1})
	if err != nil {
		log.Fatal(err)
	}
	device, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer device.Close()
	read := data.Config{Records: docs, Tokenizer: tok, Objective: data.Causal, T: 32, BatchSize: 2, MicroBatchSize: 1, Shuffle: true, Seed: 1}
	network, err := model.NewNetwork(device, exec.F32, config, model.Options{
		State: func(l *exec.Layout) int { return trainer.StateBytes(l, opt, read.BatchSize/read.MicroBatchSize) },
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := network.Init(1); err != nil {
		log.Fatal(err)
	}

	t, err := trainer.New(network, opt, trainer.Config{
		Dir: dir, Steps: 2, Seed: 1, Data: read,
		Schedule:    func(int) float64 { return rate },
		MaxGradNorm: 1,
		SaveDue:     func(int, time.Duration) bool { return false }, // at the end alone
		Retention:   checkpoint.Retention{Keep: 1},
		Manifest:    checkpoint.Manifest{Stage: "pretrain"},
		Say:         func(line string) { fmt.Println(line) },
		Hooks: []trainer.Hook{{
			Due: func(int, time.Duration) bool { return true },
			Do: func(_ context.Context, _ *trainer.Trainer, s trainer.StepInfo) error {
				fmt.Printf("step %d: %d tokens seen, loss %.1f\n", s.Step, s.Tokens, s.Loss)
				return nil
			},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := t.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	c, err := checkpoint.Latest(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("saved: step", c.Manifest.Step)
	// Output:
	// step 1: 64 tokens seen, loss 5.6
	// step 2: 128 tokens seen, loss 5.4
	// saved: step 2
}
