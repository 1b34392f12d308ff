package eval

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// scikit-learn's TfidfVectorizer and LogisticRegression on the same texts (testdata/tfidf.py).
func TestTFIDFReference(t *testing.T) {
	var ref struct {
		Cases []struct {
			Classes           int
			Pairs, Characters bool
			C                 float64
			Features          int
			Train             Labelled
			Texts, Seconds    []string
			Probs             [][]float64
		}
	}
	text, err := os.ReadFile("testdata/tfidf.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	for _, c := range ref.Cases {
		m := &TFIDF{pairs: c.Pairs, classes: c.Classes}
		for k := range c.Classes {
			m.labels = append(m.labels, k)
		}
		m.vectors = fitVectors(append(slices.Clone(c.Train.Texts), c.Train.Seconds...), c.Characters, 1<<20)
		if m.features() != c.Features {
			t.Fatalf("%d features, want %d", m.features(), c.Features)
		}
		var rows []sparse
		for i, s := range c.Train.Texts {
			rows = append(rows, m.row(s, c.Train.second(i)))
		}
		m.model = fitLogistic(rows, c.Train.Labels, m.features(), c.Classes, c.C, 1e-10, 10000, nil)
		for i, s := range c.Texts {
			_, probs := m.Predict(s, c.Seconds[i])
			for k, p := range probs {
				if math.Abs(p-c.Probs[i][k]) > 1e-6 {
					t.Errorf("%d classes, pairs %v, characters %v: %q: P(%d) = %v, want %v", c.Classes, c.Pairs, c.Characters, s, k, p, c.Probs[i][k])
				}
			}
		}
	}
}

func TestFitTFIDF(t *testing.T) {
	var train Labelled
	for range 8 {
		train.Texts = append(train.Texts, "walked slowly", "talked loudly", "walks slow", "talking loud")
		train.Labels = append(train.Labels, 0, 2, 0, 2)
	}
	// Only parts of words tell them apart.
	val := Labelled{Texts: []string{"walking", "talker"}, Labels: []int{0, 2}}
	m, err := FitTFIDF(train, val, 4)
	if err != nil {
		t.Fatal(err)
	}
	label, probs := m.Predict("the walker", "")
	if label != 0 || probs[0] < 0.5 || probs[1] != 0 || probs[3] != 0 || !strings.Contains(m.Chosen(), "characters") {
		t.Errorf("label %d, probabilities %v; %s", label, probs, m.Chosen())
	}
	one := Labelled{Texts: []string{"a word", "a word"}, Labels: []int{1, 1}}
	if m, err := FitTFIDF(one, one, 2); err != nil || m.classes != 2 {
		t.Errorf("one class: %v", err)
	} else if label, probs := m.Predict("x", ""); label != 1 || probs[1] != 1 {
		t.Errorf("one class: label %d of %v", label, probs)
	}
	for want, f := range map[string]func() (*TFIDF, error){
		"train: 1 texts, 0 labels":                   func() (*TFIDF, error) { return FitTFIDF(Labelled{Texts: []string{"a"}}, train, 3) },
		"validation: item 1: label 2 outside [0, 2)": func() (*TFIDF, error) { return FitTFIDF(one, val, 2) },
		"no words in 1 texts": func() (*TFIDF, error) {
			return FitTFIDF(Labelled{Texts: []string{""}, Labels: []int{0}}, one, 3)
		},
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
