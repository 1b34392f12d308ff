package tokenizer_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"

	"hone/data/tokenizer"
)

// A tokenizer is learned from texts, written as tokenizer.json, and read again.
func Example() {
	docs := []string{"low lower lowest", "new newer newest", "low new lower newer"}
	learned, err := tokenizer.Train(slices.Values(docs), tokenizer.TrainOptions{VocabSize: 270, Special: []string{"<|endoftext|>"}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), learned.JSON(), 0o666); err != nil {
		log.Fatal(err)
	}

	tok, err := tokenizer.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	ids := tok.Encode(nil, "low lower<|endoftext|>")
	var pieces []string
	for _, id := range ids {
		pieces = append(pieces, tok.Token(id))
	}
	fmt.Printf("%q\n", pieces)
	fmt.Printf("%q\n", tok.Decode(ids))
	// Output:
	// ["low" "Ġlower" "<|endoftext|>"]
	// "low lower<|endoftext|>"
}

// The text of others is encoded as text alone, so that it cannot bring in a special token.
func ExamplePipeline_EncodeOrdinary() {
	tok, err := tokenizer.Open("testdata/tokenizer.json")
	if err != nil {
		log.Fatal(err)
	}
	const text = "a<|endoftext|>"
	fmt.Println(len(tok.Encode(nil, text)), len(tok.EncodeOrdinary(nil, text)) > 2)
	// Output: 2 true
}

// Offsets say which part of the text a token stands for.
func ExamplePipeline_Tokenize() {
	tok, err := tokenizer.Open("testdata/tokenizer.json")
	if err != nil {
		log.Fatal(err)
	}
	const text = "Reader reads"
	e, err := tok.Tokenize(text, false)
	if err != nil {
		log.Fatal(err)
	}
	var parts []string
	for _, o := range e.Bytes {
		parts = append(parts, text[o.Start:o.End])
	}
	fmt.Printf("%q\n", parts)
	// Output: ["Read" "er" " reads"]
}
