package metric

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
)

// tasks holds what the outside implementations say (testdata/metrics.py).
type tasks struct {
	WeightedF1 []struct {
		Truth, Predicted []int
		Classes          int
		F1               float64
	} `json:"weighted_f1"`
	MultiLabel []struct {
		Truth, Predicted              [][]bool
		Exact, Micro, Macro, Weighted float64
	}
	Ranking []struct {
		Positive  []bool
		Score     []float64
		AUROC, AP float64
	}
	Regression []struct {
		Truth, Predicted            []float64
		Pearson, Spearman, MSE, MAE float64
	}
	Entities []struct {
		Scheme           string
		Truth, Predicted [][]string
		F1               float64
		Precision        float64
		Recall           float64
		Macro            Number
		Weighted         float64
	}
	KLUE []struct {
		Labels           []string
		Truth, Predicted [][]string
		Entity, Char     float64
	}
	Answers []struct {
		Script    string
		Predicted []string
		Answers   [][]string
		Exact, F1 float64
		HasExact  float64 `json:"has_exact"`
		HasF1     float64 `json:"has_f1"`
		NoAnswer  float64 `json:"no_answer"`
	}
	Numeric []struct {
		Rule           string
		Texts, Answers []string
		Right          []bool
	}
	Translation []struct {
		Texts      []string
		References [][]string
		BLEU       float64
		BLEUChar   float64 `json:"bleu_char"`
		CHRF       float64
		CHRFpp     float64 `json:"chrf++"`
		BLEUSign   string  `json:"bleu_signature"`
		CharSign   string  `json:"bleu_char_signature"`
		CHRFSign   string  `json:"chrf_signature"`
		CHRFppSign string  `json:"chrf++_signature"`
	}
	ROUGE []struct {
		Tokenizer  string
		Text       string
		References []string
		F1         []float64
	}
	Brier struct {
		Probabilities [][]float64
		Truth         []int
		Brier         float64
	}
	Retrieval []struct {
		K       int
		Queries []struct {
			Ranking
			NDCG, MRR, Recall float64
		}
	}
}

func loadTasks(t *testing.T) (ref tasks) {
	t.Helper()
	text, err := os.ReadFile("testdata/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	for i, v := 0, reflect.ValueOf(ref); i < v.NumField(); i++ {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 {
			t.Fatalf("no reference values of %s", v.Type().Field(i).Name)
		}
	}
	return ref
}

// figure fails the test unless a figure has a value, and an interval around it.
func figure(t *testing.T, f Figure, want float64) {
	t.Helper()
	if !math.IsNaN(want) || !math.IsNaN(f.Value) {
		near(t, f.Name, f.Value, want, 1e-12*max(1, math.Abs(want)))
	}
	if f.Definition == "" || f.N < 1 {
		t.Errorf("%s of %d items: %q", f.Name, f.N, f.Definition)
	}
	if !math.IsNaN(f.Lo) && !(f.Lo <= f.Value+1e-12 && f.Value <= f.Hi+1e-12) {
		t.Errorf("%s = %v outside its interval [%v, %v]", f.Name, f.Value, f.Lo, f.Hi)
	}
}

func TestWeightedF1(t *testing.T) {
	for _, c := range loadTasks(t).WeightedF1 {
		got, err := Classify(c.Truth, c.Predicted, c.Classes, nil)
		if err != nil {
			t.Fatal(err)
		}
		figure(t, got.WeightedF1, c.F1)
	}
}

func TestMultiLabels(t *testing.T) {
	for _, c := range loadTasks(t).MultiLabel {
		got, err := MultiLabels(c.Truth, c.Predicted, nil)
		if err != nil {
			t.Fatal(err)
		}
		figure(t, got.ExactMatch, c.Exact)
		figure(t, got.MicroF1, c.Micro)
		figure(t, got.MacroF1, c.Macro)
		figure(t, got.WeightedF1, c.Weighted)
	}
}

func TestRanking(t *testing.T) {
	for _, c := range loadTasks(t).Ranking {
		a, err := AUROC(c.Positive, c.Score, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := AveragePrecision(c.Positive, c.Score, nil)
		if err != nil {
			t.Fatal(err)
		}
		figure(t, a, c.AUROC)
		figure(t, p, c.AP)
	}
}

func TestRegress(t *testing.T) {
	for _, c := range loadTasks(t).Regression {
		got, err := Regress(c.Truth, c.Predicted, nil)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "Pearson", got.Pearson.Value, c.Pearson, 1e-9) // of the numbers near 1e6, scipy's own digits
		figure(t, got.Spearman, c.Spearman)
		figure(t, got.MSE, c.MSE)
		figure(t, got.MAE, c.MAE)
	}
	got, err := Regress([]float64{1, 2, 3}, []float64{2, 2, 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(got.Pearson.Value) || !math.IsNaN(got.Spearman.Value) || !math.IsNaN(got.Pearson.Lo) {
		t.Errorf("a constant has the correlations %v and %v", got.Pearson.Estimate, got.Spearman.Estimate)
	}
}

func TestScoreTags(t *testing.T) {
	for _, c := range loadTasks(t).Entities {
		scheme := Conlleval
		for s, name := range Schemes {
			if name == c.Scheme {
				scheme = Scheme(s)
			}
		}
		got, err := ScoreTags(c.Truth, c.Predicted, scheme, nil)
		if err != nil {
			t.Fatal(err)
		}
		figure(t, got.F1, c.F1)
		figure(t, got.Precision, c.Precision)
		figure(t, got.Recall, c.Recall)
		figure(t, got.MacroF1, float64(c.Macro))
		figure(t, got.WeightedF1, c.Weighted)
	}
	// seqeval's README: the default finds entities that strict IOB2 does not.
	truth, predicted := [][]string{{"B-NP", "I-NP", "O"}}, [][]string{{"I-NP", "I-NP", "O"}}
	lenient, _ := ScoreTags(truth, predicted, Conlleval, nil)
	strict, _ := ScoreTags(truth, predicted, IOB2, nil)
	if lenient.F1.Value != 1 || strict.F1.Value != 0 || strict.F1.Name != "entity_f1_iob2" {
		t.Errorf("lenient %v, strict %v", lenient.F1.Value, strict.F1.Value)
	}
}

func TestKLUE(t *testing.T) {
	for _, c := range loadTasks(t).KLUE {
		entity, char, err := KLUE(c.Truth, c.Predicted, c.Labels, nil)
		if err != nil {
			t.Fatal(err)
		}
		figure(t, entity, c.Entity)
		figure(t, char, c.Char)
	}
}

func TestScoreAnswers(t *testing.T) {
	for _, c := range loadTasks(t).Answers {
		script := SQuAD
		for s, name := range QAScripts {
			if name == c.Script {
				script = QAScript(s)
			}
		}
		got, err := ScoreAnswers(c.Predicted, c.Answers, script, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s %q against %q", c.Script, c.Predicted, c.Answers)
		figure(t, got.ExactMatch, c.Exact)
		figure(t, got.F1, c.F1)
		if script == SQuAD2 {
			figure(t, *got.HasExactMatch, c.HasExact)
			figure(t, *got.HasF1, c.HasF1)
			if got.NoAnswer != nil {
				figure(t, *got.NoAnswer, c.NoAnswer)
			}
		}
	}
}

func TestNumericMatch(t *testing.T) {
	for _, c := range loadTasks(t).Numeric {
		rule := Strict
		if c.Rule == NumberRules[Flexible] {
			rule = Flexible
		}
		f, err := NumericMatch(c.Texts, c.Answers, rule, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range f.Scores {
			if (s == 1) != c.Right[i] {
				t.Errorf("%s: %q against %q: right is %v", c.Rule, c.Texts[i], c.Answers[i], s)
			}
		}
	}
}

func TestTranslation(t *testing.T) {
	for _, c := range loadTasks(t).Translation {
		for _, m := range []struct {
			score     func() (Figure, error)
			want      float64
			signature string
		}{
			{func() (Figure, error) { return BLEU(c.Texts, c.References, Tok13a, nil) }, c.BLEU, c.BLEUSign},
			{func() (Figure, error) { return BLEU(c.Texts, c.References, TokChar, nil) }, c.BLEUChar, c.CharSign},
			{func() (Figure, error) { return CHRF(c.Texts, c.References, false, nil) }, c.CHRF, c.CHRFSign},
			{func() (Figure, error) { return CHRF(c.Texts, c.References, true, nil) }, c.CHRFpp, c.CHRFppSign},
		} {
			f, err := m.score()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%q", c.Texts)
			near(t, f.Name, f.Value, m.want, 1e-10)
			if !strings.HasSuffix(f.Definition, m.signature) {
				t.Errorf("%q; want the signature %q", f.Definition, m.signature)
			}
		}
	}
}

func TestScoreROUGE(t *testing.T) {
	for _, c := range loadTasks(t).ROUGE {
		tok := ROUGEScore
		if c.Tokenizer == "unicode" {
			tok = ROUGEUnicode
		}
		got, err := ScoreROUGE([]string{c.Text}, [][]string{c.References}, tok, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %q", c.Tokenizer, c.Text)
		for k, f := range got.Figures() {
			figure(t, f, c.F1[k])
		}
	}
	// Nothing of a Korean reference is left: no figure, and in part: it is said.
	if _, err := ScoreROUGE([]string{"고양이"}, [][]string{{"고양이 개"}}, ROUGEScore, nil); err == nil || !strings.Contains(err.Error(), "rouge1_unicode") {
		t.Errorf("a Korean text: %v", err)
	}
	got, err := ScoreROUGE([]string{"the café"}, [][]string{{"the cafe"}}, ROUGEScore, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Lost != 1 || !strings.Contains(got.One.Definition, "drops other letters of 1 of") {
		t.Errorf("%d texts lose letters: %s", got.Lost, got.One.Definition)
	}
}

func TestBrier(t *testing.T) {
	c := loadTasks(t).Brier
	f, err := Brier(c.Probabilities, c.Truth, nil)
	if err != nil {
		t.Fatal(err)
	}
	figure(t, f, c.Brier)
}

func TestScoreRetrieval(t *testing.T) {
	for _, c := range loadTasks(t).Retrieval {
		var list []Ranking
		var ndcg, mrr, recall []float64
		for _, q := range c.Queries {
			list = append(list, q.Ranking)
			ndcg, mrr, recall = append(ndcg, q.NDCG), append(mrr, q.MRR), append(recall, q.Recall)
		}
		got, err := ScoreRetrieval(list, c.K, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range [][]float64{ndcg, mrr, recall} {
			f := []Figure{got.NDCG, got.MRR, got.Recall}[k]
			for i, s := range f.Scores {
				near(t, f.Name, s, want[i], 1e-12)
			}
		}
	}
}

// ECE's interval contains the true error of a model that is right with the probability that it states,
// 0, where the percentile interval does not.
func TestECE(t *testing.T) {
	c := load(t).Calibration
	f, err := ECE(c.Confidence, c.Correct, c.Bins, nil)
	if err != nil {
		t.Fatal(err)
	}
	figure(t, f, c.ECE)
	state := uint64(3)
	conf, right := make([]float64, 300), make([]bool, 300)
	for i := range conf {
		conf[i] = 0.3 + 0.7*uniform(&state)
		right[i] = uniform(&state) < conf[i]
	}
	if f, err = ECE(conf, right, 10, nil); err != nil {
		t.Fatal(err)
	}
	if f.Lo > 0.01 || f.Value < 0.02 {
		t.Errorf("a calibrated model has ECE %+v", f.Estimate)
	}
}

func uniform(state *uint64) float64 {
	*state = *state*6364136223846793005 + 1442695040888963407
	return float64(*state>>11) / (1 << 53)
}

// Items of a group are right together, by half: an interval that treats them as independent contains the
// true share in too few samples, and one over groups in about 95 %.
func TestGroups(t *testing.T) {
	state, samples := uint64(1), 400
	covered := map[string]int{}
	for range samples {
		var groups Groups
		var right []bool
		for g := range 40 {
			p := 0.9
			if uniform(&state) < 0.5 {
				p = 0.3
			}
			for range 6 {
				groups, right = append(groups, g), append(right, uniform(&state) < p)
			}
		}
		for name, g := range map[string]Groups{"alone": nil, "grouped": groups} {
			f, err := Share("accuracy", "", right, g)
			if err != nil {
				t.Fatal(err)
			}
			if f.Lo <= 0.6 && 0.6 <= f.Hi {
				covered[name]++
			}
		}
	}
	if a, g := float64(covered["alone"])/float64(samples), float64(covered["grouped"])/float64(samples); a > 0.85 || g < 0.92 || g > 0.98 {
		t.Errorf("the true share is in %.3f of the intervals of independent items and in %.3f of those of groups", a, g)
	}
	// Each item three times over is no more than each once.
	truth := []int{0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1}
	predicted := []int{0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1}
	var t3, p3 []int
	var of Groups
	for i := range truth {
		for range 3 {
			t3, p3, of = append(t3, truth[i]), append(p3, predicted[i]), append(of, i)
		}
	}
	once, err := Classify(truth, predicted, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	thrice, err := Classify(t3, p3, 2, of)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "macro F1", thrice.MacroF1.Lo, once.MacroF1.Lo, 1e-12)
	near(t, "macro F1", thrice.MacroF1.Hi, once.MacroF1.Hi, 1e-12)
	// Nothing found is no certainty that nothing can be.
	none, err := ScoreTags([][]string{{"B-X"}, {"B-X"}, {"O"}}, [][]string{{"O"}, {"O"}, {"O"}}, IOB2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := Wilson(0, 3); none.F1.Lo != 0 || none.F1.Hi != want.Hi {
		t.Errorf("no entity is found: %+v", none.F1.Estimate)
	}
	// All right, in few groups: no certainty.
	f, err := Share("accuracy", "", []bool{true, true, true, true}, Groups{0, 0, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	if want := Wilson(2, 2); f.Lo != want.Lo || f.Hi != 1 {
		t.Errorf("all right in two groups: %+v", f.Estimate)
	}
}

func TestDifference(t *testing.T) {
	share := func(right ...bool) *Figure {
		f, err := Share("accuracy", "", right, nil)
		if err != nil {
			t.Fatal(err)
		}
		return &f
	}
	a, b := share(true, true, true, false, true), share(true, false, true, false, false)
	diff, lo, hi := PairedDiff([]bool{true, true, true, false, true}, []bool{true, false, true, false, false})
	if d := Difference(a, b); d != (Estimate{Value: diff, Lo: lo, Hi: hi, N: 5}) {
		t.Errorf("difference of shares %+v", d)
	}
	texts := []string{"a b c d e", "f g h i j", "k l m n o", "p q r s t", "u v w x y"}
	var refs [][]string
	for _, s := range texts {
		refs = append(refs, []string{s})
	}
	mine, err := CHRF(texts, refs, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := CHRF([]string{"a b c d x", "f g h i x", "k l m n x", "p q r s x", "u v w x x"}, refs, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	against := mine.Against("copy", &theirs)
	e := Evaluation{Metric: mine.Name, Estimate: mine.Estimate, Baselines: []Baseline{against}}
	if d := against.Diff; d.Value != mine.Value-theirs.Value || d.Lo <= 0 || d.Hi < d.Value || e.Outcome(&e.Baselines[0]) != Better {
		t.Errorf("difference of chrF %+v", d)
	}
	if same := Difference(&mine, &mine); same.Lo != 0 || same.Hi != 0 || same.Value != 0 {
		t.Errorf("a model less itself: %+v", same)
	}
	defer func() {
		if recover() == nil {
			t.Error("figures of unequal items were compared")
		}
	}()
	Difference(a, &mine)
	Difference(a, share(true))
}

func TestFigureErrors(t *testing.T) {
	nan := math.NaN()
	yes := []bool{true, true}
	for want, f := range map[string]func() error{
		"no items":                    func() error { _, err := Share("a", "", nil, nil); return err },
		"the groups of 1 items for 2": func() error { _, err := Share("a", "", yes, Groups{0}); return err },
		"item 1: group 7 outside":     func() error { _, err := Share("a", "", yes, Groups{0, 7}); return err },
		"all 2 items are of one kind": func() error { _, err := AUROC(yes, []float64{1, 2}, nil); return err },
		"item 1: the score is not a":  func() error { _, err := AveragePrecision(yes, []float64{1, nan}, nil); return err },
		"item 0: true number NaN":     func() error { _, err := Regress([]float64{nan}, []float64{1}, nil); return err },
		"item 1: 1 true and 2":        func() error { _, err := MultiLabels([][]bool{yes, yes[:1]}, [][]bool{yes, yes}, nil); return err },
		`item 0: tag "E-X" is none of IOB2`: func() error {
			_, err := ScoreTags([][]string{{"E-X"}}, [][]string{{"O"}}, IOB2, nil)
			return err
		},
		`tag "X-Y": want O, or B-`: func() error { _, err := ScoreTags([][]string{{"O"}}, [][]string{{"X-Y"}}, Conlleval, nil); return err },
		"item 0: 1 true tags, 2": func() error {
			_, err := ScoreTags([][]string{{"O"}}, [][]string{{"O", "O"}}, Conlleval, nil)
			return err
		},
		"the question has no ans": func() error { _, err := ScoreAnswers([]string{"x"}, [][]string{nil}, KorQuAD, nil); return err },
		"item 1: 2 references": func() error {
			_, err := BLEU([]string{"x", "y"}, [][]string{{"a"}, {"b", "c"}}, Tok13a, nil)
			return err
		},
		"item 0 has no reference": func() error { _, err := ScoreROUGE([]string{"x"}, [][]string{nil}, ROUGEScore, nil); return err },
		"true label 2 outside":    func() error { _, err := Brier([][]float64{{1, 0}}, []int{2}, nil); return err },
		"query 0 has no relevant": func() error { _, err := ScoreRetrieval([]Ranking{{}}, 3, nil); return err },
		"the first 0 documents":   func() error { _, err := ScoreRetrieval([]Ranking{{}}, 0, nil); return err },
		"not both among the 1 lab": func() error {
			_, _, err := KLUE([][]string{{"O"}}, [][]string{{"B-X"}}, []string{"O"}, nil)
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestLower(t *testing.T) {
	for text, want := range map[string]string{ // as Python 3.11 says
		"ΟΔΥΣΣΕΥΣ":   "οδυσσευς",
		"Σ":          "σ",
		"ΑΣ. Σ ΑΣΑ'": "ας. σ ασα'",
		"İ":          "i̇",
		"ΑΣ'Α":       "ασ'α",
		"Straße ÄÖ":  "straße äö",
	} {
		if got := lower(text); got != want {
			t.Errorf("lower %q = %q, want %q", text, got, want)
		}
	}
	if got := split("a\u00a0b\x1cc\u2003d"); !reflect.DeepEqual(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("split %q", got)
	}
}
