package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestMajority(t *testing.T) {
	m, err := FitMajority([]int{2, 0, 2, 1, 2, 0}, 4)
	if err != nil {
		t.Fatal(err)
	}
	label, probs := m.Predict("anything")
	if want := []float64{1.0 / 3, 1.0 / 6, 0.5, 0}; label != 2 || !reflect.DeepEqual(probs, want) {
		t.Errorf("label %d, probabilities %v; want 2, %v", label, probs, want)
	}
	if m, _ := FitMajority([]int{1, 0}, 2); m.label != 0 {
		t.Errorf("tie: label %d, want the lowest", m.label)
	}
	if _, err := FitMajority(nil, 2); err == nil {
		t.Error("fitted to nothing")
	}
	if _, err := FitMajority([]int{0, 2}, 2); err == nil || !strings.Contains(err.Error(), "item 1: label 2 outside [0, 2)") {
		t.Errorf("label outside: %v", err)
	}
}

// scikit-learn's MultinomialNB on the same texts (testdata/naivebayes.py).
func TestNaiveBayesReference(t *testing.T) {
	var ref struct {
		Train, Validation, Test Labelled
		Alpha                   float64
		Predicted               []int
		Probs                   [][]float64
	}
	text, err := os.ReadFile("testdata/naivebayes.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	m, err := FitNaiveBayes(ref.Train, ref.Validation, 4)
	if err != nil {
		t.Fatal(err)
	}
	if m.Alpha() != ref.Alpha {
		t.Errorf("alpha %v, want %v", m.Alpha(), ref.Alpha)
	}
	for i, text := range ref.Test.Texts {
		label, probs := m.Predict(text)
		if label != ref.Predicted[i] {
			t.Errorf("%q: label %d, want %d", text, label, ref.Predicted[i])
		}
		for c, p := range probs {
			if math.Abs(p-ref.Probs[i][c]) > 1e-10 {
				t.Errorf("%q: P(%d) = %v, want %v", text, c, p, ref.Probs[i][c])
			}
		}
	}
}

// By hand, α = 1 being the only choice: class 0 has 2 of 3 texts and the words
// a a b, class 1 one text and the words b c.
// P(0)·P(a|0) = 2/3 · 3/6 and P(1)·P(a|1) = 1/3 · 1/5: P(0|a) = 5/6.
func TestNaiveBayesByHand(t *testing.T) {
	saved := alphas
	alphas = []float64{1}
	defer func() { alphas = saved }()
	train := Labelled{Texts: []string{"A, a", "b", "b c"}, Labels: []int{0, 0, 1}}
	m, err := FitNaiveBayes(train, train, 3)
	if err != nil {
		t.Fatal(err)
	}
	label, probs := m.Predict("a1 zzz")
	if label != 0 || math.Abs(probs[0]-5.0/6) > 1e-12 || math.Abs(probs[1]-1.0/6) > 1e-12 {
		t.Errorf("label %d, probabilities %v", label, probs)
	}
	if probs[2] != 0 {
		t.Errorf("a class without texts has probability %v", probs[2])
	}
	for want, f := range map[string]func() (*NaiveBayes, error){
		"train: 1 texts, 0 labels": func() (*NaiveBayes, error) { return FitNaiveBayes(Labelled{Texts: []string{"a"}}, train, 3) },
		"validation: no texts":     func() (*NaiveBayes, error) { return FitNaiveBayes(train, Labelled{}, 3) },
		"train: item 2: label 1":   func() (*NaiveBayes, error) { return FitNaiveBayes(train, train, 1) },
		"no words in 1 texts": func() (*NaiveBayes, error) {
			return FitNaiveBayes(Labelled{Texts: []string{"1 2"}, Labels: []int{0}}, train, 3)
		},
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestZstdPrimed(t *testing.T) {
	// Words in pseudo-random order: what repeats is the text itself.
	var train []string
	state := uint64(9)
	for range 3000 {
		var b strings.Builder
		for range 25 {
			state = state*6364136223846793005 + 1442695040888963407
			fmt.Fprintf(&b, "w%x ", state>>48)
		}
		train = append(train, b.String())
	}
	texts := append([]string(nil), train[:20]...) // some 400 kB back
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	cold, err := ZstdPrimed(nil, texts, true)
	if err != nil {
		t.Fatal(err)
	}
	primed, err := ZstdPrimed(train, texts, true)
	if err != nil {
		t.Fatal(err)
	}
	if cold.Bytes != size || primed.Bytes != size {
		t.Errorf("bytes %d and %d, want %d", cold.Bytes, primed.Bytes, size)
	}
	if cold.BitsPerByte < 2 || primed.Compressed > 60 {
		t.Errorf("unprimed %+v, primed with the same texts %+v", cold, primed)
	}
	if want := 8 * float64(primed.Compressed) / float64(size); primed.BitsPerByte != want {
		t.Errorf("bits per byte %v, want %v", primed.BitsPerByte, want)
	}
	if again, _ := ZstdPrimed(train, texts, true); again != primed {
		t.Errorf("a second time %+v, the first %+v", again, primed)
	}
	if _, err := ZstdPrimed(train, []string{""}, true); err == nil {
		t.Error("compressed no text")
	}
}

func TestVerify(t *testing.T) {
	if err := verify([]byte("no zstd frame"), nil, []byte("x")); err == nil {
		t.Error("garbage passed")
	}
	cold, err := compressDictionary(nil, []byte("text"), nil)
	if err != nil || cold < 4 {
		t.Errorf("%d bytes, %v", cold, err)
	}
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x09, 0x00, 0x00, 'a'} // one raw block
	if err := verify(frame, nil, []byte("a")); err != nil {
		t.Error(err)
	}
	if err := verify(frame, nil, []byte("b")); err == nil {
		t.Error("another text passed")
	}
}
