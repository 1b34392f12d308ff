package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint/provenance"
	"hone/eval/metric"
)

var out = flag.String("out", "", "write the made-up run's report.html to this file, to look at")

const recipeText = `name = "quickstart"
seed = 1

# The Go source tree's own documentation.
[corpus.godoc]
source = "goroot:"
licence = "BSD-3-Clause"

[[stage]]
name = "pretrain"
kind = "pretrain"
steps = 600
learning_rate = [0.001, 0.003]
prompts = ["// NewReader returns", "Package http "]
`

const recipeSet = `[corpus.godoc]
source = "goroot:"

[[stage]]
steps = 600
`

// madeUp is a run such as the quickstart's, with figures that nothing measured.
func madeUp() (*Run, []byte, []Sample) {
	r := rand.New(rand.NewPCG(1, 2))
	nan := math.NaN()
	run := &Run{
		Recipe: "quickstart", Seed: 1, Version: "v0.1.0",
		Description: "the whole way in minutes", Command: "hone run quickstart seed=1", Date: "2026-11-30",
		Model:   Model{Type: "gpt2", Layers: 4, Width: 192, Vocabulary: 2048, Length: 128},
		Machine: Machine{Description: "AMD EPYC 7R13, 2 cores, linux/amd64, go1.26.0", Device: "cpu", Kernels: "avx2", Threads: 2, PeakMemory: 912e6, PeakFLOPs: 196e9},
		Stages: []Stage{
			{Name: "pretrain", Kind: "pretrain", Steps: 600, Tokens: 2457600, TokensPerSecond: 11240, WallSeconds: 218.6, TrainLoss: 3.021, ValLoss: 3.187, BitsPerByte: 1.664,
				LearningRate: 3e-3, Checkpoint: "pretrain/final", Architecture: "GPT2LMHeadModel", Task: "godoc_text", Parameters: 4231680},
			{Name: "finetune", Kind: "finetune", Steps: 200, Tokens: 819200, TokensPerSecond: 12030, WallSeconds: 68.1, TrainLoss: .812, ValLoss: 1.034, BitsPerByte: metric.Missing,
				ValAccuracy: new(metric.Number(.721)), LearningRate: 1e-3, Checkpoint: "finetune/final", Architecture: "GPT2ForSequenceClassification", Task: "godoc_family", Parameters: 4235776,
				Trials: []Trial{{LearningRate: 3e-4, Seed: 1, Curve: "finetune/lr-0.0003", Metric: "val_accuracy", Value: .694}, {LearningRate: 1e-3, Seed: 1, Curve: "finetune/lr-0.001", Metric: "val_accuracy", Value: .721, Chosen: true}}},
			{Name: "scratch", Kind: "finetune", Steps: 200, Tokens: 819200, TokensPerSecond: 12110, WallSeconds: 67.6, TrainLoss: 1.411, ValLoss: 1.598, BitsPerByte: metric.Missing,
				ValAccuracy: new(metric.Number(.553)), LearningRate: 1e-3, Checkpoint: "scratch/final", Architecture: "GPT2ForSequenceClassification", Task: "godoc_family", Parameters: 4235776},
			{Name: "evaluate", Kind: "evaluate", TokensPerSecond: metric.Missing, WallSeconds: 21.4, TrainLoss: metric.Missing, ValLoss: metric.Missing, BitsPerByte: metric.Missing},
		},
		RecipeText: recipeText, RecipeSet: recipeSet,
		Provenance: []Corpus{{provenance.Corpus{Name: "godoc", Source: "goroot: the Go source tree, go1.26.0", Licence: "BSD-3-Clause", Consent: "published under an open licence", SHA256: strings.Repeat("8f3a1c09", 8), Documents: 15873, Bytes: 5120344}, []Steps{{"pretrain", 1, 100, 0.25}}}},
		Data: []Data{{Corpus: "godoc", NGram: 5,
			Splits: []Split{{"train", 13492, 4371022, 9870, metric.Missing}, {"validation", 794, 251310, 581, .0614}, {"test", 1587, 498012, 1162, .0597}},
			Drops:  []Count{{"exact duplicates", 1204}, {"near duplicates", 2087}, {"shorter than 60 characters", 21950}, {"licence text", 312}, {"generated files", 288}}}},
	}
	labels := []string{"archive", "cmp", "compress", "crypto", "database", "debug", "encoding", "go", "image", "internal", "io", "math", "net", "os", "reflect", "runtime", "strings", "syscall", "testing", "time"}
	c := metric.ByLabel{Stage: "finetune", Task: "test labels", Labels: labels}
	c.Confusion = make(metric.Confusion, len(labels))
	correct, n := 0, 0
	for t := range labels {
		size := 20 + r.IntN(60) + 120*(t%4/3)
		c.Confusion[t] = make([]int, len(labels))
		for range size {
			p := t
			if r.Float64() > .72 {
				p = (t + 1 + r.IntN(1+r.IntN(len(labels)-1))) % len(labels)
			}
			c.Confusion[t][p]++
			n++
			if p == t {
				correct++
			}
		}
		run.Data[0].Labels = append(run.Data[0].Labels, Count{labels[t], int64(size * 10)})
	}
	acc := metric.Wilson(correct, n)
	run.Evaluations = []metric.Evaluation{
		{Stage: "pretrain", Task: "validation text", Metric: "bits_per_byte", Estimate: estimate(1.664, 1.631, 1.699, 794), Baselines: []metric.Baseline{
			{Name: "zstd_primed", Estimate: estimate(2.012, nan, nan, 794)},
			{Name: "kneser_ney_5", Estimate: estimate(1.598, 1.562, 1.637, 794), Diff: estimate(.066, .051, .081, 794)}}},
		{Stage: "finetune", Task: "test labels", Metric: "accuracy", Estimate: acc, Baselines: []metric.Baseline{
			{Name: "majority", Estimate: metric.Wilson(n/9, n), Diff: estimate(acc.Value-.111, acc.Value-.14, acc.Value-.08, n)},
			{Name: "naive_bayes", Estimate: metric.Wilson(correct+6, n), Diff: estimate(-.003, -.021, .015, n)},
			{Name: "random_init", Estimate: metric.Wilson(correct*3/5, n), Diff: estimate(acc.Value*.4, acc.Value*.4-.03, acc.Value*.4+.03, n)}}},
		{Stage: "finetune", Task: "test labels", Metric: "macro_f1", Estimate: estimate(.668, .64, .695, n)},
		{Stage: "finetune", Task: "test labels", Metric: "mcc", Estimate: estimate(.691, .66, .72, n)},
	}
	for k := range 10 {
		lo := float64(k) / 10
		b := metric.Bin{Lo: lo, Hi: lo + .1, N: int(20 + 30*math.Pow(float64(k)-3, 2)/4), Confidence: lo + .05 + r.Float64()*.02}
		if k == 0 {
			b = metric.Bin{Hi: .1}
		}
		b.Accuracy = b.Confidence * (.82 + .02*float64(k%3))
		c.Calibration.Bins = append(c.Calibration.Bins, b)
	}
	c.Calibration.ECE = .081
	c.Wrong = []metric.Mistake{
		{Text: "Read reads up to len(p) bytes into p. It returns the number of bytes read (0 <= n <= len(p)) and any error encountered.\n\n\tfor {\n\t\tn, err := r.Read(buf)\n\t}", Path: "net/http/internal/chunked.go:81", True: "net", Predicted: "io", Probability: .994},
		{Text: "A Duration represents the elapsed time between two instants as an int64 nanosecond count.", Path: "internal/trace/event.go:12", True: "internal", Predicted: "time", Probability: .981},
		{Text: strings.Repeat("Sum returns the checksum of the data. ", 50), Path: "hash/maphash/maphash.go:9", True: "internal", Predicted: "crypto", Probability: .975},
	}
	run.Classifications = []metric.ByLabel{c}

	var log bytes.Buffer
	enc := json.NewEncoder(&log)
	for _, s := range []struct {
		name        string
		steps       int
		from, to    float64
		lr          float64
		classifier  bool
		resumedFrom int
	}{{"pretrain", 600, 8.3, 2.9, 3e-3, false, 300}, {"finetune/lr-0.0003", 200, 3, 1.05, 3e-4, true, 0}, {"finetune/lr-0.001", 200, 3, .8, 1e-3, true, 0}, {"scratch", 200, 3, 1.4, 1e-3, true, 0}} {
		for k := 1; k <= s.steps; k++ {
			if k == s.resumedFrom {
				enc.Encode(Event{Event: "resumed", Step: k, Stage: s.name, Detail: "from " + s.name + "/checkpoints/step-000300"})
			}
			f := float64(k) / float64(s.steps)
			loss := s.to + (s.from-s.to)*math.Exp(-6*f)
			if k%2 == 0 {
				enc.Encode(Step{k, s.name, int64(k) * 4096, metric.Number(loss + .12*r.NormFloat64()), metric.Number(s.lr * math.Min(float64(k)/30, .1+.45*(1+math.Cos(math.Pi*f)))),
					metric.Number(.4 + 2*math.Exp(-20*f) + .1*math.Abs(r.NormFloat64())), metric.Number(11000 + 300*r.NormFloat64()), .61, metric.Number(k) * .36})
			}
			if k%50 == 0 {
				v := Validation{Step: k, Stage: s.name, Loss: metric.Number(loss + .1), BitsPerByte: metric.Number(1.2 + loss/6), Accuracy: metric.Missing}
				if s.classifier {
					v.BitsPerByte, v.Accuracy = metric.Missing, metric.Number(.72-.1*(s.to-.8)-.5*math.Exp(-5*f))
				}
				enc.Encode(v)
			}
		}
	}
	log.WriteString(`{"step":200,"stage":"scr`)
	samples := []Sample{
		{"pretrain", 300, "// NewReader returns", " a new Reader that reads from the the buffer of the file.", "", .8, 1},
		{"pretrain", 600, "// NewReader returns", " a new Reader that decompresses data read from r.\nIf r does not also implement io.ByteReader, the decompressor may read\nmore data than necessary from r.", "", .8, 1},
		{"pretrain", 600, "", "Package parser implements a parser for regular expressions used by the\ntype checker.", "", .8, 2},
	}
	return run, log.Bytes(), samples
}

func render(t *testing.T, run *Run, log []byte, samples []Sample) string {
	t.Helper()
	m, err := ReadMetrics(bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteHTML(&b, "runs/quickstart", run, m, samples); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// tags parses the page, which is written so that an XML parser of HTML's habits
// reads it, and returns its text and what each element says.
func tags(t *testing.T, page string) (text string, elements []xml.StartElement) {
	t.Helper()
	// The script and the style are not XML.
	page = regexp.MustCompile(`(?s)<(script|style)>.*?</(script|style)>`).ReplaceAllString(page, "<$1></$1>")
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict = false
	d.AutoClose = []string{"meta", "hr", "br", "link", "img"}
	d.Entity = xml.HTMLEntity
	var b strings.Builder
	for {
		token, err := d.Token()
		if err == io.EOF {
			return b.String(), elements
		}
		if err != nil {
			t.Fatalf("the page does not parse: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements = append(elements, token.Copy())
		case xml.CharData:
			b.Write(token)
		}
	}
}

func TestPage(t *testing.T) {
	run, log, samples := madeUp()
	page := render(t, run, log, samples)
	if *out != "" {
		if err := os.WriteFile(*out, []byte(page), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, elements := tags(t, page)
	for _, want := range []string{
		"the whole way in minutes", "GPT-2: 4.23 M parameters, 4 layers of width 192, a vocabulary of 2\u202f048, sequences of up to 128 tokens",
		"godoc (goroot: the Go source tree, go1.26.0), 13\u202f492 train, 794 validation, 1\u202f587 test documents, 5.12 MB, BSD-3-Clause",
		"on 4.10 M tokens in 6 min 16 s, all stages together", "2026-11-30", "hone run quickstart seed=1",
		"Bits per byte", "Bits per byte of text that the model would need as a compressor", "Lower is better.", "the pretrained model", "[1.631, 1.699], n = 794",
		"Kneser–Ney 5-gram", "zstd", "most frequent label", "naive Bayes", "same network, not pretrained", "with the training text as its history",
		"1.598", "[1.562, 1.637]", "not beaten: it is better", "no clear difference", "beaten", "best", "Macro F1", "0.668", "MCC",
		"0.721", "0.553", // fine-tuning's validation
		"The keys that were set", "all keys, defaults included",
		"hone generate runs/quickstart/pretrain --prompt \"// NewReader returns\"", "hone eval runs/quickstart/finetune --task godoc_family",
		"hone export runs/quickstart/pretrain quickstart-pretrain", "AutoModelForSequenceClassification.from_pretrained(\"quickstart-finetune\")",
		"Loss", "Learning rate", "Throughput", "Gradient norm", "Validation accuracy", "learning rate 0.001 (chosen), validation",
		"resumed – from pretrain/checkpoints/step-000300", "1 line of metrics.jsonl could not be read",
		"Expected calibration error 0.081", "Most wrong", "99.4 % sure", "net/http/internal/chunked.go:81", "more characters",
		"decompresses data read from r", "earlier in training (1)",
		"6.1 % of the distinct word 5-grams of the validation split", "near duplicates", "2\u202f087", "BSD-3-Clause", strings.Repeat("8f3a1c09", 8),
		"AMD EPYC 7R13", "avx2", "912 MB", "196 GFLOP/s", "# The Go source tree's own documentation.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, code := range []string{"zstd_primed", "kneser_ney_5", "naive_bayes", "random_init", "macro_f1", "bits_per_byte"} {
		if strings.Contains(text, code) {
			t.Errorf("the page says %q, a name in code", code)
		}
	}
	if story, results := strings.Index(text, "the whole way in minutes"), strings.Index(text, "Bits per byte of text that the model"); story > results || results > strings.Index(text, "Gradient norm") {
		t.Error("the page does not open with the story, and then the results")
	}
	ids := map[string]bool{}
	for _, e := range elements {
		for _, a := range e.Attr {
			if a.Name.Local == "id" {
				ids[a.Value] = true
			}
		}
	}
	paths := 0
	for _, e := range elements {
		for _, a := range e.Attr {
			switch name := a.Name.Local; {
			case name == "src" || name == "srcset" || name == "data" || e.Name.Local == "link":
				t.Errorf("the page loads something: <%s %s=%q>", e.Name.Local, name, a.Value)
			case name == "href" && (!strings.HasPrefix(a.Value, "#") || !ids[a.Value[1:]]):
				t.Errorf("link to %q", a.Value)
			case name == "d":
				paths++
				if !regexp.MustCompile(`^(M[-0-9.]+ [-0-9.]+(h0|(L[-0-9.]+ [-0-9.]+)*))+$`).MatchString(a.Value) {
					t.Errorf("path %.80q", a.Value)
				}
			}
		}
	}
	if paths < 20 {
		t.Errorf("%d paths in all charts", paths)
	}
	if again := render(t, run, log, samples); again != page {
		t.Error("the same run gave another page")
	}
	for _, bad := range []string{"NaN", "Inf", "ZgotmplZ", "<no value>", "%!", "http:", "https:", "@import", "url("} {
		if i := strings.Index(page, bad); i >= 0 {
			t.Errorf("the page holds %q: %q", bad, page[max(0, i-60):i+20])
		}
	}
	if len(page) > 1<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

// The page can be made again from the files that lie beside it.
func TestPageFromFiles(t *testing.T) {
	run, log, samples := madeUp()
	dir := t.TempDir()
	var b bytes.Buffer
	if err := WriteJSON(&b, run); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b.Bytes(), []byte("NaN")) {
		t.Error("report.json holds NaN")
	}
	l, err := OpenLog(filepath.Join(dir, SamplesFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		if err := l.Write(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{RunFile: b.Bytes(), MetricsFile: log} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run2, m2, samples2, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := WriteHTML(&again, "runs/quickstart", run2, m2, samples2); err != nil {
		t.Fatal(err)
	}
	if again.String() != render(t, run, log, samples) {
		t.Error("the page made from files is another")
	}
}

func TestTextIsEscaped(t *testing.T) {
	const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>`
	run := &Run{
		Recipe: evil, Version: evil, Description: evil, Command: evil, Date: evil, Model: Model{Type: evil}, RecipeSet: "k = " + evil, Machine: Machine{Description: evil, Device: evil, Kernels: evil}, RecipeText: evil + "\n[" + evil + "]\n#" + evil + "\nk = " + evil,
		Stages: []Stage{{Name: evil, Kind: evil, Checkpoint: evil, Architecture: "GPT2LMHeadModel", Task: evil, Trials: []Trial{{LearningRate: 1, Curve: evil, Metric: evil, Value: 1, Chosen: true}}}},
		Evaluations: []metric.Evaluation{
			{Stage: evil, Task: evil, Metric: evil, Estimate: estimate(1, 0, 2, 3), Baselines: []metric.Baseline{{Name: evil, Estimate: estimate(1, 0, 2, 3)}}},
			{Stage: evil, Task: evil, Metric: evil}},
		Provenance: []Corpus{{provenance.Corpus{Name: evil, Source: evil, Licence: evil, Consent: evil, Collected: evil, SHA256: evil, Train: evil, Documents: 1, Bytes: 1, Cleaning: map[string]int64{evil: 1}}, nil}},
		Classifications: []metric.ByLabel{{Stage: evil, Task: evil, Labels: []string{evil, "b"}, Confusion: metric.Confusion{{1, 1}, {1, 1}}, Calibration: metric.Calibration{Bins: []metric.Bin{{Lo: 0, Hi: 1, N: 4, Confidence: .5, Accuracy: .5}}},
			Wrong: []metric.Mistake{{Text: evil, Path: evil, True: evil, Predicted: evil, Probability: .5}}}},
		Data: []Data{{Corpus: evil, Splits: []Split{{Name: evil, Overlap: .5}}, Drops: []Count{{evil, 1}}, Labels: []Count{{evil, 1}}, Skipped: 1, Unread: []string{evil}}},
	}
	var log bytes.Buffer
	enc := json.NewEncoder(&log)
	enc.Encode(Step{Step: 1, Stage: evil, Loss: 1})
	enc.Encode(Step{Step: 1, Stage: evil + "/x</script>", Loss: 1})
	enc.Encode(Validation{Step: 1, Stage: evil, Loss: 1})
	enc.Encode(Event{Event: evil, Stage: evil, Detail: evil})
	samples := []Sample{{evil, 1, evil, evil, evil, 1, 1}, {evil, 2, evil, evil, "", 1, 1}}
	page := render(t, run, log.Bytes(), samples)
	if strings.Contains(page, "<img") || strings.Contains(page, "alert(1)</script>") {
		t.Error("a text became markup")
	}
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("%d scripts, want the page's own", n)
	}
	text, elements := tags(t, page)
	if !strings.Contains(text, "skipped · 1 records") {
		t.Error("skipped records are not shown")
	}
	if n := strings.Count(text, evil); n < 30 {
		t.Errorf("the text is shown as it is %d times", n)
	}
	for _, e := range elements {
		for _, a := range e.Attr {
			if strings.HasPrefix(a.Name.Local, "on") {
				t.Errorf("<%s> has a handler", e.Name.Local)
			}
		}
	}
}

// What can be done with a model follows from what it is.
func TestUses(t *testing.T) {
	accuracy := metric.Number(.9)
	run := &Run{Recipe: "r", Stages: []Stage{
		{Name: "own", Checkpoint: "c", Architecture: "LlamaForSequenceClassification", ValAccuracy: &accuracy, BitsPerByte: metric.Missing, TaskFile: "kind = \"a\"\nsource = \"b\""},
		{Name: "spans", Checkpoint: "c", Architecture: "T5ForConditionalGeneration", BitsPerByte: metric.Missing},
		{Name: "masked", Checkpoint: "c", Architecture: "BertForMaskedLM", BitsPerByte: metric.Missing},
		{Name: "palm", Checkpoint: "c", Architecture: "PaLMForCausalLM", BitsPerByte: 2, TaskFile: "kind = \"c\""},
		{Name: "labels", Kind: "evaluate"},
	}}
	var commands []string
	files := 0
	for _, u := range run.Uses("my runs/r", nil) {
		if u.Program {
			files++
			continue
		}
		commands = append(commands, u.Lines...)
	}
	want := []string{
		`hone generate "my runs/r/spans" --prompt 'A text <extra_id_0> a gap'`, `hone generate "my runs/r/palm"`,
		`hone export "my runs/r/own" r-own`, `hone export "my runs/r/spans" r-spans`, `hone export "my runs/r/masked" r-masked`, `hone export "my runs/r/palm" r-palm`,
	}
	if !slices.Equal(commands, want) {
		t.Errorf("%q, want %q", commands, want)
	}
	// Two tasks (own, palm), and all but PaLM in transformers.
	if files != 5 {
		t.Errorf("%d files", files)
	}
	if got := ShellQuote("it's"); got != `'it'\''s'` {
		t.Error(got)
	}
}

// Models that have the same figure stand in one row, beside each baseline once.
func TestResultOfTwoModels(t *testing.T) {
	run := &Run{Stages: []Stage{{Name: "adamw", Kind: "pretrain"}, {Name: "muon", Kind: "pretrain"}}}
	for name, v := range map[string]float64{"adamw": 2.2, "muon": 1.8} {
		run.Evaluations = append(run.Evaluations, metric.Evaluation{Stage: name, Task: "validation text", Metric: "bits_per_byte",
			Estimate: estimate(v, v-.1, v+.1, 50), Baselines: []metric.Baseline{{Name: "zstd_primed", Estimate: estimate(2, math.NaN(), math.NaN(), 50)}}})
	}
	slices.SortFunc(run.Evaluations, func(a, b metric.Evaluation) int { return strings.Compare(a.Stage, b.Stage) })
	p := &page{Run: run}
	p.results()
	if len(p.Results) != 1 || len(p.Results[0].Rows) != 3 || p.Results[0].Value != "1.800" || !strings.HasSuffix(p.Results[0].Note, ", muon") {
		t.Fatalf("%+v", p.Results)
	}
	if outs := fmt.Sprint(p.Results[0].Rows[2].Standings); outs != "[{adamw: not beaten: it is better loses} {muon: beaten beats}]" {
		t.Error(outs)
	}
}

func TestPageOfLittle(t *testing.T) {
	nan := metric.Missing
	inf := metric.Number(math.Inf(1))
	lines := func(list ...any) []byte {
		var b bytes.Buffer
		for _, l := range list {
			json.NewEncoder(&b).Encode(l)
		}
		return b.Bytes()
	}
	many := make([]string, maxMatrix+1)
	wide := make(metric.Confusion, len(many))
	for k := range many {
		many[k], wide[k] = fmt.Sprint("class ", k), make([]int, len(many))
	}
	wide[3][4] = 7
	for name, c := range map[string]struct {
		run *Run
		log []byte
		say string
	}{
		"nothing":         {&Run{}, nil, "Machine"},
		"one step":        {&Run{}, lines(Step{Step: 1, Stage: "s", Loss: 2, LR: 0}), "Loss"},
		"step 0":          {&Run{}, lines(Step{Step: 0, Stage: "s", Loss: 2}), "not in report.json"},
		"all NaN":         {&Run{}, lines(Step{Step: 1, Stage: "s", Loss: nan, LR: nan}, Step{Step: 2, Stage: "s", Loss: inf}), "s"},
		"one NaN":         {&Run{}, lines(Step{Step: 1, Stage: "s", Loss: 1}, Step{Step: 2, Stage: "s", Loss: nan}, Step{Step: 3, Stage: "s", Loss: 1}), "1 logged step was not finite"},
		"extremes":        {&Run{}, lines(Step{Step: -3, Stage: "s", Loss: 1e308, LR: 5e-324, GradNorm: 1e-320}, Step{Step: 1 << 50, Stage: "s", Loss: -1e308, LR: 5e-324, GradNorm: 1e30}), "1e+30"},
		"a constant":      {&Run{}, lines(Step{Step: 1, Stage: "s", Loss: 2, LR: 1e-12}, Step{Step: 2, Stage: "s", Loss: 2, LR: 1e-12}), "Learning rate"},
		"validation only": {&Run{}, lines(Validation{Step: 3, Stage: "s", Loss: 2, BitsPerByte: nan, Accuracy: nan}), "validation"},
		"event only":      {&Run{}, lines(Event{Event: "interrupted", Step: 3, Stage: "s"}), "step 3: interrupted"},
		"missing figures": {&Run{Stages: []Stage{{Name: "s", TrainLoss: nan, ValLoss: inf, TokensPerSecond: nan, WallSeconds: nan, BitsPerByte: nan}},
			Evaluations: []metric.Evaluation{{Metric: "accuracy", Estimate: metric.Wilson(0, 0), Baselines: []metric.Baseline{{Name: "majority", Estimate: metric.Wilson(0, 0)}}}},
			Machine:     Machine{PeakFLOPs: nan}}, nil, "not compared"},
		"no baseline":  {&Run{Evaluations: []metric.Evaluation{{Task: "test labels", Metric: "accuracy", Estimate: estimate(.75, .7, .8, 40)}}}, nil, "0.750 [0.700, 0.800], n = 40"},
		"unfinished":   {&Run{Unfinished: true}, nil, "This run is not finished"},
		"many classes": {&Run{Classifications: []metric.ByLabel{{Labels: many, Confusion: wide}}}, nil, "65 classes are too many for a matrix"},
		"empty bins":   {&Run{Classifications: []metric.ByLabel{{Labels: []string{"a"}, Confusion: metric.Confusion{{0}}, Calibration: metric.Calibration{Bins: make([]metric.Bin, 3)}}}}, nil, "Confusion matrix"},
	} {
		page := render(t, c.run, c.log, nil)
		text, _ := tags(t, page)
		if !strings.Contains(text, c.say) {
			t.Errorf("%s: the page does not say %q", name, c.say)
		}
		for _, bad := range []string{"NaN", "Inf", "ZgotmplZ", "%!"} {
			if i := strings.Index(page, bad); i >= 0 {
				t.Errorf("%s: the page holds %q: %q", name, bad, page[max(0, i-60):i+20])
			}
		}
		var b bytes.Buffer
		if err := WriteJSON(&b, c.run); err != nil || !json.Valid(b.Bytes()) {
			t.Errorf("%s: report.json: %v", name, err)
		}
		if err := WriteText(&b, c.run); err != nil {
			t.Errorf("%s: text: %v", name, err)
		}
	}
	if err := WriteHTML(io.Discard, "runs/quickstart", &Run{}, nil, nil); err != nil {
		t.Errorf("no metrics: %v", err)
	}
}

func TestWriteText(t *testing.T) {
	run, _, _ := madeUp()
	run.Stages[0].Checkpoint = "x"
	run.Recipe = "quick\x1b[31mstart"
	var b bytes.Buffer
	if err := WriteText(&b, run); err != nil {
		t.Fatal(err)
	}
	if testing.Verbose() {
		t.Log("\n" + b.String())
	}
	text := b.String()
	if strings.Contains(text, "\x1b") {
		t.Error("a name steers the terminal")
	}
	for _, want := range []string{"Kneser–Ney 5-gram", "no clear difference", "0.721",
		"3 min 39 s", "[1.562, 1.637]", "not beaten: it is better", "1\u202f204 exact duplicates", "6.1 % of the distinct word 5-grams of the validation split"} {
		if !strings.Contains(text, want) {
			t.Errorf("the table does not say %q:\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasSuffix(line, " \n") {
			t.Errorf("%q ends with a space", line)
		}
	}
}

func TestAxis(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		n      int
		want   string
	}{
		{0, 600, 5, "0 200 400 600"},
		{2.9, 8.3, 5, "2 4 6 8 10"},
		{0, 0.7, 4, "0.0 0.2 0.4 0.6 0.8"},
		{0, 11800, 4, "0 5 k 10 k 15 k"},
		{-1, 1, 4, "−1.0 −0.5 0 0.5 1.0"},
		{5, 5, 4, "4.5 5.0 5.5"},
	} {
		a := newAxis(c.lo, c.hi, c.n)
		var got []string
		for _, k := range a.ticks(a.hi, 1) {
			got = append(got, k.Text)
		}
		if s := strings.Join(got, " "); strings.ReplaceAll(s, "0.0 ", "0 ") != strings.ReplaceAll(c.want, "0.0 ", "0 ") {
			t.Errorf("axis of [%g, %g]: %s, want %s", c.lo, c.hi, s, c.want)
		}
		if a.lo > c.lo || a.hi < c.hi {
			t.Errorf("axis [%g, %g] does not cover [%g, %g]", a.lo, a.hi, c.lo, c.hi)
		}
	}
}

func TestThinKeepsSpikes(t *testing.T) {
	points := make([]point, 100000)
	for i := range points {
		points[i] = point{float64(i), 1}
	}
	points[31415].y, points[92653].y, points[58979].y = 99, -99, math.NaN()
	got := thin(points, 300)
	lo, hi, _ := bounds(got)
	gaps := 0
	for i, p := range got {
		if !metric.Number(p.y).Known() {
			gaps++
		}
		if i > 0 && got[i-1].x >= p.x {
			t.Fatalf("point %d at %g after %g", i, p.x, got[i-1].x)
		}
	}
	if len(got) > 1000 || lo != -99 || hi != 99 || gaps != 1 {
		t.Errorf("%d points in [%g, %g], %d gaps", len(got), lo, hi, gaps)
	}
}

func TestSmooth(t *testing.T) {
	// A straight line stays one, ends and gaps included.
	var line []point
	for i := range 50 {
		line = append(line, point{float64(i), float64(2*i) - 7})
	}
	line[3].y, line[49].y = math.NaN(), math.Inf(1)
	for i, p := range smooth(line, 4) {
		if i == 3 || i == 49 {
			if metric.Number(p.y).Known() {
				t.Errorf("the gap at %d became %g", i, p.y)
			}
		} else if math.Abs(p.y-float64(2*i)+7) > 1e-9 {
			t.Errorf("point %d is %g", i, p.y)
		}
	}
	// By hand: lines through 4, 1, 2 (mean 7/3, slope −1), through all four (mean
	// 13/4, slope 0.7) twice, and through 1, 2, 6 (mean 3, slope 2.5).
	got := smooth([]point{{0, 4}, {1, 1}, {2, 2}, {3, 6}}, 2)
	for i, want := range []float64{10.0 / 3, 2.9, 3.6, 5.5} {
		if math.Abs(got[i].y-want) > 1e-12 {
			t.Errorf("point %d is %g, want %g", i, got[i].y, want)
		}
	}
}

func TestFormat(t *testing.T) {
	for got, want := range map[string]string{
		count(0): "0", count(999): "999", count(1000): "1\u202f000", count(-1234567): "−1\u202f234\u202f567",
		short(999): "999", short(999.7): "1.00 k", short(2457600): "2.46 M", short(math.NaN()): "–", short(196e9): "196 G", short(0.5): "0.5", short(12030): "12.0 k", short(9999): "10.0 k", short(-3e30): "−3e+30",
		bytesShort(999): "999 B", bytesShort(912e6): "912 MB",
		duration(9.94): "9.9 s", duration(59.6): "1 min 00 s", duration(218.6): "3 min 39 s", duration(7322): "2 h 02 min", duration(metric.Missing): "–",
		percent(.0614): "6.1 %", signed(-.0004): "0.000", signed(.5): "+0.500", superscript(-4): "⁻⁴",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
