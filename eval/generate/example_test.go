package generate_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	"hone/data/tokenizer"
	"hone/eval/generate"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// A small model with random weights continues a prompt. With the same seed it writes the same.
func Example() {
	tok, err := tokenizer.Train(slices.Values([]string{"the cat sat on the mat"}), tokenizer.TrainOptions{VocabSize: 260, Special: []string{"<|endoftext|>"}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	config, err := model.DefaultConfig("gpt2")
	if err != nil {
		log.Fatal(err)
	}
	family := config.Family.(model.GPT2)
	family.NLayer, family.NHead, family.NEmbd, family.NPositions = 1, 2, 16, 32
	config.Family, config.VocabSize = family, tok.Size()
	config.BOSTokenID, config.EOSTokenID = nil, nil // the tokenizer's <|endoftext|> is both

	device, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer device.Close()
	network, err := model.NewNetwork(device, exec.F32, config, model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := network.Init(1); err != nil {
		log.Fatal(err)
	}

	generator, err := generate.New(network, tok, generate.Settings{Starts: true})
	if err != nil {
		log.Fatal(err)
	}
	options := generate.Options{MaxTokens: 5, Sampler: generate.Sampler{Temperature: 1, Seed: 7}}
	first, err := generator.Generate(context.Background(), "the cat", options, nil)
	if err != nil {
		log.Fatal(err)
	}
	second, err := generator.Generate(context.Background(), "the cat", options, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(first.IDs), first.Reason, slices.Equal(first.IDs, second.IDs))
	// Output: 5 length true
}
