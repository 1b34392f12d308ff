package report

import (
	"bytes"
	"encoding/csv"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"hone/checkpoint/provenance"
	"hone/eval/metric"
)

func TestCompare(t *testing.T) {
	run, _, _ := madeUp()
	other := &Run{Recipe: "dna-mini", Stages: []Stage{{Name: "pretrain", WallSeconds: 60, Tokens: 9, Parameters: 7}, {Name: "text", WallSeconds: 2}},
		Evaluations: []metric.Evaluation{{Stage: "pretrain", Task: "test characters", Metric: "bits_per_character", Estimate: estimate(1.9, 1.8, 2, 5),
			Baselines: []metric.Baseline{{Name: "markov", Estimate: estimate(1.95, 1.9, 2, 5), Diff: estimate(-.05, -.06, -.04, 5)}}}}}
	c := Compare([]*Run{run, other}, []string{"runs/quickstart", "runs/dna"})
	figures := 0
	for _, e := range run.Evaluations {
		figures += max(1, len(e.Baselines))
	}
	if len(c.Rows) != figures+1 || len(c.Seeds) != 0 || len(c.Pairs) != 0 {
		t.Fatalf("%d rows, want %d; %d of seeds, %d pairs", len(c.Rows), figures+1, len(c.Seeds), len(c.Pairs))
	}
	if r := c.Rows[figures]; r.Run != "dna" || r.Recipe != "dna-mini" || r.Baseline != "markov" || r.Against != 1.95 || r.Diff != -.05 || r.Outcome != "beats" || r.Seconds != 62 || r.Tokens != 9 || r.Parameters != 7 {
		t.Errorf("%+v", r)
	}
	for format, wants := range map[string][]string{
		"":         {"quickstart  pretrain", "dna         pretrain  test characters", "−0.050 [−0.060, −0.040]  beaten", "not beaten"},
		"markdown": {"| run | model |", "|---|---|", "| dna | pretrain | test characters | bits per character | 1.900 | [1.800, 2.000] | Markov model | 1.950 | −0.050 [−0.060, −0.040] | beaten | 1 min 02 s |"},
		"latex":    {`\begin{tabular}{lllllllllll}`, `95 \% interval`, `dna & pretrain & test characters & bits per character & 1.900 & {}[1.800, 2.000] & Markov model & 1.950 & $-$0.050 [$-$0.060, $-$0.040] & beaten & 1 min 02 s \\`, `\end{tabular}`},
		"csv":      {"run,recipe,seed,learning_rate,", "dna,dna-mini,0,,pretrain,test characters,bits_per_character,1.9,1.8,2,5,markov,1.95,-0.05,-0.06,-0.04,beats,7,9,62"},
	} {
		var b bytes.Buffer
		if err := c.Write(&b, format); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%q lacks %q:\n%s", format, want, &b)
			}
		}
		if format == "csv" {
			if rows, err := csv.NewReader(&b).ReadAll(); err != nil || len(rows) != figures+2 {
				t.Errorf("%d rows of CSV, %v", len(rows), err)
			}
		}
	}
}

// Three runs of one recipe, two of which differ in the seed alone, on the same documents.
func TestCompareSeeds(t *testing.T) {
	make := func(seed uint64, rate float64, rateText string, right ...float64) *Run {
		n, sum := len(right), 0.0
		items := &metric.Items{Sums: right}
		for i, r := range right {
			sum += r
			items.Records, items.Sizes = append(items.Records, int64(i)), append(items.Sizes, 1)
		}
		return &Run{
			Recipe: "pets", Seed: seed, RecipeText: "name = \"pets\"\nseed = " + string(rune('0'+seed)) + "\n\n[[stage]]\nname = \"cats\"\nlearning_rate = " + rateText + "\n",
			Provenance: []Corpus{{Corpus: provenance.Corpus{Name: "pets", SHA256: "ab"}}},
			Stages:     []Stage{{Name: "cats", LearningRate: rate}},
			Evaluations: []metric.Evaluation{{Stage: "cats", Task: "test labels", Metric: "accuracy", Items: items,
				Estimate: estimate(sum/float64(n), 0, 1, n)}},
		}
	}
	a := make(1, 1e-3, "0.001", 1, 1, 0, 0)
	b := make(2, 1e-3, "0.001", 1, 1, 1, 0)
	c := make(1, 3e-3, "0.003", 0, 1, 0, 0)
	dir := t.TempDir()
	dirs := []string{filepath.Join(dir, "x", "pets"), filepath.Join(dir, "y", "pets"), filepath.Join(dir, "fast")}
	got := Compare([]*Run{a, b, c}, dirs)
	if names := got.Rows[0].Run + " " + got.Rows[1].Run + " " + got.Rows[2].Run; names != "x/pets y/pets fast" {
		t.Errorf("runs are called %s", names)
	}
	// By hand: 0.5 and 0.75 have the mean 0.625 and the deviation 0.125·√2.
	if len(got.Seeds) != 1 || got.Seeds[0].Mean != .625 || math.Abs(float64(got.Seeds[0].SD)-.125*math.Sqrt2) > 1e-15 || len(got.Seeds[0].Runs) != 2 {
		t.Errorf("seeds %+v", got.Seeds)
	}
	if len(got.Pairs) != 2 || got.Pairs[0].Run != "y/pets" || got.Pairs[0].Against != "x/pets" || got.Pairs[0].Diff != .25 || got.Pairs[0].diff.N != 4 || !got.Pairs[0].DiffCI95[0].Known() {
		t.Errorf("pairs %+v", got.Pairs)
	}
	var text bytes.Buffer
	if err := got.Write(&text, ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"run     seed   rate", "x/pets     1  0.001", "fast       1  0.003", "0.625", "0.177", "+0.250"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
	// Other documents, or another corpus, are no pairs.
	b.Evaluations[0].Items.Records[3] = 9
	c.Provenance[0].SHA256 = "cd"
	if got := Compare([]*Run{a, b, c}, dirs); got.Pairs[0].diff.N != 0 || got.Pairs[1].diff.N != 0 || got.Pairs[0].DiffCI95[0].Known() {
		t.Errorf("pairs of other documents: %+v", got.Pairs)
	}
}

// The page of a comparison has the runs, their figures, their curves over one another and the keys that differ; what
// comes from outside is escaped, and nothing is loaded.
func TestComparisonPage(t *testing.T) {
	a, text, _ := madeUp()
	b, _, _ := madeUp()
	log, err := ReadMetrics(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	b.Recipe = "other <b>"
	a.RecipeText = "seed = 1\n[[stage]]\nname = \"pretrain\"\nsteps = 10\nsame = 3\nmine = 4\n"
	b.RecipeText = "seed = 2\n[[stage]]\nname = \"pretrain\"\nsteps = 20\nsame = 3\n"
	c := Compare([]*Run{a, b}, []string{"runs/first", "runs/second"})
	c.Logs = []*Metrics{log, log}
	var page strings.Builder
	if err := c.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"first, training", "second, training", "first, validation", "other &lt;b&gt;", "Settings that differ",
		`<th class="nw">stage.pretrain.steps</th><td><code>10</code></td><td><code>20</code></td>`, "A key that not all", "stage.pretrain.mine", "var curves = [[",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, none := range []string{"stage.pretrain.same", "<b>", "http://", "https://", " src="} {
		if strings.Contains(page.String(), none) {
			t.Errorf("the page has %q", none)
		}
	}
	if n := strings.Count(page.String(), `<th class="nw">first</th>`); n != 1 {
		t.Errorf("run first is listed %d times", n)
	}
	c.Logs = nil
	page.Reset()
	if err := c.WriteHTML(&page); err != nil || strings.Contains(page.String(), "<h2>Training</h2>") {
		t.Errorf("without logs: %v", err)
	}
}
