package run

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"hone/checkpoint"
)

// Exactly what is not frozen moves, and six steps equal three, a resume and three more.
func TestFreeze(t *testing.T) {
	f := &tuner{notes(t), filepath.Join(t.TempDir(), "cache")}
	const keys = "steps = 6\neval_every = 6\nsave_every = 1\nsave_total_limit = 9\nlearning_rate = 0.01\n"
	read := func(dir string, step int) map[string][]byte {
		c, err := checkpoint.Open(checkpoint.StepDir(filepath.Join(dir, "tune"), step))
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Tensors(checkpoint.ModelFile)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		all := map[string][]byte{}
		for _, x := range s.Tensors() {
			got, err := s.Read(x.Name, nil)
			if err != nil {
				t.Fatal(err)
			}
			all[x.Name] = got.Data
		}
		return all
	}
	for freeze, frozen := range map[string]func(name string) bool{
		`["embeddings"]`:             func(name string) bool { return strings.Contains(name, ".wte.") || strings.Contains(name, ".wpe.") },
		`["layers:0"]`:               func(name string) bool { return strings.Contains(name, ".h.0.") },
		`["embeddings", "layers:0"]`: func(name string) bool { return !strings.Contains(name, "ln_f") && !strings.Contains(name, "score") },
	} {
		dir, halted := t.TempDir(), t.TempDir()
		if _, _, err := f.run(t, dir, 3, keys+"freeze = "+freeze, "", 0); err != nil {
			t.Fatal(err)
		}
		first, last := read(dir, 1), read(dir, 6)
		for name := range first {
			if same := bytes.Equal(first[name], last[name]); same != frozen(name) {
				t.Errorf("%s: %s stays the same: %v", freeze, name, same)
			}
		}
		if _, _, err := f.run(t, halted, 3, keys+"freeze = "+freeze, "tune", 3); err == nil {
			t.Fatal("not interrupted")
		}
		if _, _, err := f.run(t, halted, 3, keys+"freeze = "+freeze, "", 0); err != nil {
			t.Fatal(err)
		}
		for name, x := range read(halted, 6) {
			if !bytes.Equal(x, last[name]) {
				t.Errorf("%s: %s is another after an interruption", freeze, name)
			}
		}
	}
	if _, _, err := f.run(t, t.TempDir(), 3, keys+`freeze = ["layers:0-1"]`, "", 0); err == nil || !strings.Contains(err.Error(), "layer 1 of a model of 1") {
		t.Error(err)
	}
}
