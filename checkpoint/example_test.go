package checkpoint_test

import (
	"encoding/binary"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"

	"hone/checkpoint"
)

// A checkpoint is written whole or not at all, and its files are checked against its manifest
// when it is opened.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model")

	var data []byte
	for _, x := range []float32{1, 2, 3, 4, 5, 6} {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	weight := checkpoint.Tensor{Name: "weight", DType: "F32", Shape: []int{2, 3}, Data: data}
	err = checkpoint.Create(path, checkpoint.Manifest{Stage: "pretrain", Step: 10}, []checkpoint.File{
		checkpoint.TensorsFile(checkpoint.ModelFile, []checkpoint.Tensor{weight}),
		checkpoint.BytesFile("config.json", []byte(`{"model_type": "gpt2"}`)),
	})
	if err != nil {
		log.Fatal(err)
	}

	c, err := checkpoint.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	w, err := checkpoint.OpenWeights(c.Dir)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	for _, t := range w.Tensors() {
		fmt.Println(t.Name, t.DType, t.Shape)
	}
	fmt.Println("step", c.Manifest.Step)
	// Output:
	// weight F32 [2 3]
	// step 10
}
