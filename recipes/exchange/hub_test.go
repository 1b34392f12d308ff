package exchange

import (
	"strings"
	"testing"

	"hone/data/hub"
)

// Of what repositories have, Import's own files are fetched, and the weights once.
func TestModelFiles(t *testing.T) {
	const about = "config.json README.md tokenizer.json tokenizer_config.json vocab.txt merges.txt spiece.model sentencepiece.bpe.model generation_config.json"
	const others = " .gitattributes onnx/model.onnx onnx/config.json tf_model.h5 flax_model.msgpack model.fp16.safetensors consolidated.safetensors original/params.json training_args.bin optimizer.pt rust_model.ot"
	for _, c := range []struct{ weights, want string }{
		{"model.safetensors pytorch_model.bin", "model.safetensors"},
		{"model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json pytorch_model-00001-of-00001.bin", "model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json"},
		{"pytorch_model-00001-of-00001.bin pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin pytorch_model.bin.index.json"},
	} {
		s := &hub.Snapshot{}
		for _, name := range strings.Fields(about + others + " " + c.weights) {
			s.Files = append(s.Files, hub.File{Path: name})
		}
		want, err := modelFiles(s)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range s.Files {
			if want(f) {
				names = append(names, f.Path)
			}
		}
		if got := strings.Join(names, " "); got != about+" "+c.want {
			t.Errorf("of %s: %s", c.weights, got)
		}
	}
}
