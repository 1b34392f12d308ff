package eval

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"hone/eval/metric"
)

func TestFitMean(t *testing.T) {
	mean, err := FitMean(Rated{Texts: []string{"a", "b", "c"}, Values: []float64{1, 2, 6}})
	if err != nil || mean != 3 {
		t.Errorf("mean %v, %v", mean, err)
	}
	if _, err := FitMean(Rated{}); err == nil || !strings.Contains(err.Error(), "train: no numbers") {
		t.Error(err)
	}
}

// By hand: the shares are 2·1/4 = 0.5, 0 and 1, the line through 1, 0 and 2 is 2·share.
func TestWordOverlap(t *testing.T) {
	train := Rated{Texts: []string{"A cat", "dog", "one Two"}, Seconds: []string{"a mouse", "bird", "two, one"}, Values: []float64{1, 0, 2}}
	m, err := FitWordOverlap(train, train)
	if err != nil {
		t.Fatal(err)
	}
	if m.characters || math.Abs(m.slope-2) > 1e-12 || math.Abs(m.at) > 1e-12 {
		t.Errorf("%+v", m)
	}
	if v := m.Predict("a b c d", "a b x y"); math.Abs(v-1) > 1e-12 {
		t.Errorf("half of the words in common: %v", v)
	}
	if v := m.Predict("", ""); v != 2 {
		t.Errorf("two texts without words: %v", v)
	}
	// Endings hide what words have in common.
	korean := Rated{Texts: []string{"고양이가", "고양이는", "나무를"}, Seconds: []string{"고양이를", "나무가", "나무는"}, Values: []float64{5, 0, 5}}
	if m, err = FitWordOverlap(korean, korean); err != nil || !m.characters {
		t.Errorf("%+v, %v", m, err)
	}
	for want, f := range map[string]func() error{
		"validation: 1 texts, 0 numbers": func() error { _, err := FitWordOverlap(train, Rated{Texts: []string{"a"}}); return err },
		"train: the texts are no pairs": func() error {
			_, err := FitWordOverlap(Rated{Texts: []string{"a"}, Values: []float64{1}}, train)
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestFrequentLabel(t *testing.T) {
	m, err := FitFrequentLabel([][]string{{"Paris", "is", "Paris", "is"}, {"paris", "May", "May"}}, [][]string{{"B-LOC", "O", "B-LOC", "O"}, {"O", "O", "B-DT"}})
	if err != nil {
		t.Fatal(err)
	}
	// paris in lower case is LOC twice of three times; PARIS is looked up so; May is a tie.
	want := []string{"B-LOC", "O", "B-LOC", "O", "O"}
	if got := m.Predict([]string{"Paris", "paris", "PARIS", "May", "unseen"}); !reflect.DeepEqual(got, want) {
		t.Errorf("labels %v, want %v", got, want)
	}
	if _, err := FitFrequentLabel([][]string{{"a"}}, [][]string{nil}); err == nil || !strings.Contains(err.Error(), "sentence 0: 1 words, 0 labels") {
		t.Error(err)
	}
	if _, err := FitFrequentLabel(nil, nil); err == nil {
		t.Error("fitted to nothing")
	}
}

func TestSlidingWindow(t *testing.T) {
	context := "The town lies in the north. Its bridge was built by Anna Berg in 1902 for trains. The mayor is Otto Lund today."
	train := []Question{
		{"Who built the bridge of the town?", context, []string{"Anna Berg"}},
		{"Who is the mayor today?", context, []string{"Otto Lund"}},
		{"What does it cost?", context, nil},
	}
	m, err := FitSlidingWindow(train, 100, metric.SQuAD)
	if err != nil {
		t.Fatal(err)
	}
	if m.words != 2 {
		t.Errorf("answers of %d words", m.words)
	}
	if first, last := m.Predict("Who is the mayor today?", context); context[first:last] != "Otto Lund" {
		t.Errorf("answer %q", context[first:last])
	}
	if first, last := m.Predict("Who?", " — "); first != 0 || last != 0 {
		t.Errorf("an answer [%d, %d) in no words", first, last)
	}
	if first, last := m.Predict("Wer?", "Otto"); first != 0 || last != 4 {
		t.Errorf("an answer [%d, %d) in one word", first, last)
	}
	korean := "다리는 1902년에 지어졌다. 시장은 김철수이다."
	m = &SlidingWindow{words: 1, characters: true}
	if first, last := m.Predict("시장의 이름은?", korean); korean[first:last] != "김철수이다" {
		t.Errorf("answer %q", korean[first:last])
	}
	if _, err := FitSlidingWindow(train[2:], 100, metric.SQuAD); err == nil || !strings.Contains(err.Error(), "no answers in 1 questions") {
		t.Error(err)
	}
}

// NLTK's IBMModel1 on the same sentences (testdata/dictionary.py).
func TestDictionary(t *testing.T) {
	var ref struct {
		Source, Target []string
		Steps          int
		Best           map[string][2]any
	}
	text, err := os.ReadFile("testdata/dictionary.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	m, err := FitDictionary(ref.Source, ref.Target, ref.Steps)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.best) != len(ref.Best) {
		t.Errorf("%d words, want %d", len(m.best), len(ref.Best))
	}
	for f, want := range ref.Best {
		if got := m.best[f]; got.word != want[0] || math.Abs(got.probability-want[1].(float64)) > 1e-9 {
			t.Errorf("%s is %+v, want %v", f, got, want)
		}
	}
	if got := m.Predict("Das Haus ist klein, Berta!"); got != "The house is small, berta!" {
		t.Errorf("translation %q", got)
	}
	if m.Predict("") != "" {
		t.Error("a translation of nothing")
	}
	for want, f := range map[string]func() error{
		"1 sentences, 0 translations": func() error { _, err := FitDictionary([]string{"a"}, nil, 5); return err },
		"no words in 1 pairs":         func() error { _, err := FitDictionary([]string{""}, []string{"a"}, 5); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestLead(t *testing.T) {
	text := "  Dr. e.g. this works (3.5 %). \"It does!\" He said so…  and went on.\nA line\n\n한국어 문장이다. 둘째 문장."
	want := []string{"Dr. e.g. this works (3.5 %).", "\"It does!\"", "He said so…  and went on.", "A line", "한국어 문장이다.", "둘째 문장."}
	if got := splitSentences(text); !reflect.DeepEqual(got, want) {
		t.Errorf("sentences %q", got)
	}
	if got := Lead(text, 1); got != want[0] {
		t.Errorf("first sentence %q", got)
	}
	if got := Lead(text, 3); got != strings.Join(want[:3], "\n") {
		t.Errorf("three sentences %q", got)
	}
	if Lead("", 3) != "" {
		t.Error("a summary of nothing")
	}
}

func TestChoices(t *testing.T) {
	if got := RandomChoice([]int{2, 4}); got[0] != 0.5 || got[1] != 0.25 {
		t.Errorf("random choice %v", got)
	}
	if got := LongestChoice([]string{"ab", "나무가", "abc"}); got != 1 {
		t.Errorf("longest choice %d", got)
	}
}
