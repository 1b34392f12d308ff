package checkpoint

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"hone/checkpoint/provenance"
)

type note struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
}

// TestSealed flips each bit of a sealed file, cuts it everywhere and lengthens it.
func TestSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "note.json")
	want := note{"validation", []float64{0.5, 1.25}}
	if err := WriteSealed(path, &want); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := func(text []byte) (note, error) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
		var got note
		err := ReadSealed(path, &got)
		return got, err
	}
	if got, err := read(text); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range 8 * len(text) {
		flipped := bytes.Clone(text)
		flipped[i/8] ^= 1 << (i % 8)
		if got, err := read(flipped); !errors.Is(err, ErrDamaged) {
			t.Errorf("bit %d of byte %d flipped: %+v, %v", i%8, i/8, got, err)
		}
	}
	for n := range text {
		if got, err := read(text[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at %d: %+v, %v", n, got, err)
		}
	}
	if got, err := read(append(bytes.Clone(text), '}')); !errors.Is(err, ErrDamaged) {
		t.Errorf("lengthened: %+v, %v", got, err)
	}
	if got, err := read([]byte(`{"name": "never sealed", "values": [1]}`)); err != nil || got.Name != "never sealed" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestContinue holds what the provenance of a stage is that goes on.
func TestContinue(t *testing.T) {
	begun := Origin{Stage: "finetune", RecipeSHA256: "r1", Tokenizer: "t1", Corpora: []provenance.Corpus{{Name: "c", SHA256: "old", Train: "x"}}}
	m := Manifest{Stage: "finetune", Step: 50, Provenance: []Origin{{Stage: "pretrain", Step: 9}, begun}}
	same := begun
	same.RecipeSHA256 = "r2" // more steps
	chain, changed := m.Continue([]Origin{{Stage: "pretrain", Step: 10}, same})
	if want := []Origin{{Stage: "pretrain", Step: 9}, same}; changed || !reflect.DeepEqual(chain, want) {
		t.Errorf("the same data: %+v, %v", chain, changed)
	}
	other := begun
	other.Corpora = []provenance.Corpus{{Name: "c", SHA256: "new", Train: "y"}}
	chain, changed = m.Continue([]Origin{{Stage: "pretrain", Step: 9}, other})
	had := begun
	had.Step = 50
	if want := []Origin{{Stage: "pretrain", Step: 9}, had, other}; !changed || !reflect.DeepEqual(chain, want) {
		t.Errorf("other data: %+v, %v", chain, changed)
	}
	other = begun
	other.Tokenizer = "t2"
	if _, changed = m.Continue([]Origin{other}); !changed {
		t.Error("another tokenizer is no change")
	}
	old := Manifest{Step: 50, Provenance: []Origin{{Stage: "finetune", Corpora: []provenance.Corpus{{Name: "c", SHA256: "old"}}}}}
	if _, changed = old.Continue([]Origin{begun}); changed {
		t.Error("a hash that was not noted is a change")
	}
}
