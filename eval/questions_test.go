package eval

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"hone/data/task"
	"hone/eval/metric"
)

// No answer is given where the first token of a window is likelier than the best answer, if questions may have
// none; and questions of one context are one group.
func TestExam(t *testing.T) {
	x := &exam{
		list:   []task.Example{{Pair: "Anna Berg", Answers: []string{"Anna"}}, {Pair: "Anna Berg"}, {Pair: "Otto", Answers: []string{"Otto"}}},
		groups: metric.Groups{0, 0, 1}, script: metric.SQuAD2,
	}
	list := []Found{{First: 0, Last: 4, Score: 3, None: 1}, {First: 5, Last: 9, Score: 1, None: 2}, {First: 0, Last: 4, Score: 2, None: 2}}
	answers := x.answers(list)
	if answers[0] != "Anna" || answers[1] != "" || answers[2] != "Otto" {
		t.Errorf("answers %q", answers)
	}
	figures, err := x.figures(answers)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range figures {
		names = append(names, f.Name)
		if f.Value != 1 || f.Hi != 1 || f.Lo > 0.5 {
			t.Errorf("%s %+v", f.Name, f.Estimate)
		}
	}
	if len(names) != 5 || names[0] != "squad2_f1" {
		t.Errorf("figures %q", names)
	}
	x.script = metric.SQuAD
	if answers := x.answers(list); answers[1] != "Berg" {
		t.Errorf("answers of SQuAD 1 %q", answers)
	}
}

// Answers have their places in characters, not bytes, of the context.
func TestFoundValues(t *testing.T) {
	const text = "나는 é강원도 산"
	first := strings.Index(text, "강원")
	for _, c := range []struct {
		f       Found
		mayLack bool
		least   float64
		want    string
		unsure  int
	}{
		{Found{First: first, Last: first + len("강원"), Score: 3, None: 1}, true, 0, `["강원",3,1,4,6]`, 0},
		{Found{First: first, Last: first + len("강원"), Score: 1, None: 3}, true, 0, `[null,1,3,null,null]`, 0},
		{Found{First: first, Last: first + len("강원"), Score: 1, None: 3}, false, 0, `["강원",1,3,4,6]`, 0},
		{Found{First: 0, Last: len(text), Score: 1, None: 1}, true, 0, `["나는 é강원도 산",1,1,0,9]`, 0},
		{Found{Score: math.Inf(-1), None: 1}, false, 0, `[null,null,1,null,null]`, 0},
		// The probability of scores 3 and 1 is that of logits, 0.881.
		{Found{First: first, Last: first + len("강원"), Score: 3, None: 1}, true, 0.88, `["강원",3,1,4,6]`, 0},
		{Found{First: first, Last: first + len("강원"), Score: 3, None: 1}, true, 0.89, `[null,3,1,null,null]`, 1},
		{Found{First: first, Last: first + len("강원"), Score: 1, None: 3}, false, 0.12, `[null,1,3,null,null]`, 1},
		{Found{First: first, Last: first + len("강원"), Score: 1, None: 3}, true, 0.12, `[null,1,3,null,null]`, 0},
	} {
		row, unsure := c.f.values(text, c.mayLack, c.least)
		got, err := json.Marshal(row)
		if err != nil || string(got) != c.want || unsure != c.unsure {
			t.Errorf("%+v: %s, %d unsure, %v; want %s", c.f, got, unsure, err, c.want)
		}
	}
}

// Entities have their places in characters, not bytes, of the text of the words, with a blank between two or without;
// a word that has not been read has no label, and a word without a token no probability.
func TestTaggedValues(t *testing.T) {
	names := []string{"B-LOC", "I-LOC", "B-PER", "O"}
	loc, in, per, o := []float64{.75, .1, .1, .05}, []float64{.25, .5, .2, .05}, []float64{0, .25, .5, .25}, []float64{0, 0, 0, 1}
	for _, c := range []struct {
		words  []string
		d      Tagged
		least  float64
		want   string
		unsure int
	}{
		{[]string{"나는", "강원도", "산", "é", "Anna"}, Tagged{Probs: [][]float64{o, loc, in, o, per}}, 0,
			`[["O","B-LOC","I-LOC","O","B-PER"],[1,0.75,0.5,1,0.5],[["강원도 산","LOC",3,8,0.625],["Anna","PER",11,15,0.5]]]`, 0},
		{[]string{"나는", "강원도", "산", "é", "Anna"}, Tagged{Probs: [][]float64{o, loc, in, o, per}}, .625,
			`[["O","B-LOC","I-LOC","O",null],[1,0.75,0.5,1,0.5],[["강원도 산","LOC",3,8,0.625],["Anna",null,11,15,0.5]]]`, 1},
		{[]string{"나는", "강원도", "산", "é", "Anna"}, Tagged{Probs: [][]float64{o, loc, in, o, per}}, .7,
			`[["O",null,null,"O",null],[1,0.75,0.5,1,0.5],[["강원도 산",null,3,8,0.625],["Anna",null,11,15,0.5]]]`, 2},
		{[]string{"에", " ", "강", " ", "원", "또"}, Tagged{Probs: [][]float64{o, nil, loc, nil, in}, Cut: true}, 0,
			`[["O","O","B-LOC","I-LOC","I-LOC",null],[1,null,0.75,null,0.5,null],[["강 원","LOC",2,5,0.625]]]`, 0},
		{[]string{"도", "산"}, Tagged{Probs: [][]float64{in}}, 0, `[["I-LOC","O"],[0.5,null],[["도","LOC",0,1,0.5]]]`, 0},
	} {
		row, unsure := c.d.values(c.words, names, areTags(names), c.least)
		got, err := json.Marshal(row)
		if err != nil || string(got) != c.want || unsure != c.unsure {
			t.Errorf("%q: %s, %d unsure, %v; want %s", c.words, got, unsure, err, c.want)
		}
	}
	for least, want := range map[float64]string{0: `[["VERB","NOUN",null],[0.75,0.5,null]]`, .6: `[["VERB",null,null],[0.75,0.5,null]]`} {
		row, unsure := (&Tagged{Probs: [][]float64{{.25, .75}, {.5, .5}}}).values([]string{"가", "나", "다"}, []string{"NOUN", "VERB"}, false, least)
		got, err := json.Marshal(row)
		if err != nil || string(got) != want || (unsure == 1) != (least > 0) {
			t.Errorf("parts of speech: %s, %d unsure, %v; want %s", got, unsure, err, want)
		}
	}
}

// A word without a token continues the entity that its neighbours are of.
func TestTaggedLabels(t *testing.T) {
	names := []string{"B-A", "I-A", "O"}
	b, i, o := []float64{.8, .1, .1}, []float64{.1, .8, .1}, []float64{.1, .1, .8}
	d := Tagged{Probs: [][]float64{b, nil, i, nil, o, nil}}
	got := d.Labels([]string{"강", " ", "원", " ", "은", "\u200b", "또"}, names)
	for k, want := range []string{"B-A", "I-A", "I-A", "O", "O", "O", "O"} {
		if got[k] != want {
			t.Errorf("labels %q: word %d is not %s", got, k, want)
		}
	}
	if got := (&Tagged{}).Labels([]string{"a"}, []string{"NOUN", "VERB"}); got[0] != "" {
		t.Errorf("a word behind the row's end is %q", got[0])
	}
	g := &tagging{words: [][]string{{"강", " ", "원"}}, truth: [][]string{{"B-A", "I-A", "I-A"}}, predicted: [][]string{{"B-A", "I-A", "I-A"}}, names: names}
	figures, err := g.figures()
	if err != nil || len(figures) != 6 || figures[3].Name != "klue_entity_macro_f1" || figures[5].Name != "accuracy" {
		t.Errorf("%d figures, %v", len(figures), err)
	}
	g.names = []string{"NOUN", "VERB"}
	g.truth, g.predicted = [][]string{{"NOUN", "VERB", "NOUN"}}, [][]string{{"NOUN", "VERB", ""}}
	if figures, err = g.figures(); err != nil || len(figures) != 1 || figures[0].Value != 2.0/3 {
		t.Errorf("%+v, %v", figures, err)
	}
}
