package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/recipes"
	"hone/recipes/exchange"
)

// importTiny imports a tiny model of recipes/exchange.
func importTiny(t *testing.T, name string, config map[string]any) string {
	t.Helper()
	dir, dst := modelCopy(t, name), filepath.Join(t.TempDir(), "imported")
	if config != nil {
		setJSON(t, filepath.Join(dir, checkpoint.ConfigFile), config)
	}
	if _, err := exchange.Import(t.Context(), dir, dst, quiet()); err != nil {
		t.Fatal(err)
	}
	return dst
}

// predictRows gives the rows that a model has been asked for, as lines of JSON.
func predictRows(t *testing.T, model, in string, p PredictOptions) ([]byte, *Rowed) {
	t.Helper()
	var out bytes.Buffer
	p.In, p.Stdout = in, &out
	done, err := Predict(context.Background(), model, p, Options{Console: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), done
}

type predictedRow struct {
	Prediction    *string
	Probability   float64
	Probabilities map[string]float64
	Truncated     bool
}

// rowsOf reads lines of JSON.
func rowsOf[R any](t *testing.T, text []byte) (rows []R) {
	t.Helper()
	for lines := json.NewDecoder(bytes.NewReader(text)); ; {
		var row R
		if err := lines.Decode(&row); err == io.EOF {
			return rows
		} else if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

// Probabilities of encoders and decoders, of English and Korean texts, some of them cut, are those
// of transformers.
func TestPredict(t *testing.T) {
	text, err := os.ReadFile("testdata/predict/predict.json")
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Models map[string]struct {
			Labels        []string
			Probabilities [][]float64
		}
	}
	if err := json.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	for name, want := range values.Models {
		t.Run(name, func(t *testing.T) {
			out, done := predictRows(t, importTiny(t, name, nil), sentences, PredictOptions{})
			rows := rowsOf[predictedRow](t, out)
			cut := 0
			for i, row := range rows {
				best := 0
				for k, p := range want.Probabilities[i] {
					if got := row.Probabilities[want.Labels[k]]; math.Abs(got-p) > 2e-6 {
						t.Errorf("row %d: label %s has probability %.7f, want %.7f", i, want.Labels[k], got, p)
					}
					if p > want.Probabilities[i][best] {
						best = k
					}
				}
				if row.Prediction == nil || *row.Prediction != want.Labels[best] || row.Probability != row.Probabilities[want.Labels[best]] {
					t.Errorf("row %d: %+v, want %s", i, row, want.Labels[best])
				}
				if row.Truncated {
					cut++
				}
			}
			if len(rows) != len(want.Probabilities) || int(done.Truncated) != cut || cut == 0 || cut == len(rows) {
				t.Errorf("%d rows, %d of them cut; %+v", len(rows), cut, done)
			}
		})
	}
}

// A prediction has the same bits alone and among any others, in any order.
func TestPredictSameBits(t *testing.T) {
	all, err := os.ReadFile(sentences)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(all), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	for _, name := range []string{"bert-classifier-fp16", "roberta-classifier", "gpt2-classifier-fp16"} {
		model := importTiny(t, name, nil)
		want, _ := predictRows(t, model, sentences, PredictOptions{})
		in := filepath.Join(t.TempDir(), "in.jsonl")
		var alone []byte
		for _, line := range lines[:12] {
			writeFile(t, in, []byte(line))
			one, _ := predictRows(t, model, in, PredictOptions{})
			alone = append(alone, one...)
		}
		if !bytes.HasPrefix(want, alone) {
			t.Errorf("%s: other bits alone", name)
		}
		backwards := slices.Clone(lines)
		slices.Reverse(backwards)
		writeFile(t, in, []byte(strings.Repeat(strings.Join(backwards, ""), 12))) // more than are predicted together
		got, _ := predictRows(t, model, in, PredictOptions{})
		of := strings.SplitAfter(strings.TrimSuffix(string(want), "\n"), "\n")
		of[len(of)-1] += "\n"
		slices.Reverse(of)
		if string(got) != strings.Repeat(strings.Join(of, ""), 12) {
			t.Errorf("%s: other bits in another order", name)
		}
	}
}

// Each kind of task predicts in its own columns; what was abstained from, and what has no text, is
// null.
func TestPredictKinds(t *testing.T) {
	in := filepath.Join(t.TempDir(), "in.csv")
	writeFile(t, in, []byte("id,sentence,second,neg,number\n1,good film,bad film,x,y\n2,,nothing,x,y\n"))
	for _, c := range []struct {
		name, model string
		config      map[string]any
		p           PredictOptions
		columns     []string
	}{
		{"one label", "bert-classifier-fp16", nil, PredictOptions{RowsOptions: RowsOptions{Text: []string{"sentence"}}}, []string{"prediction", "probability", "probabilities", "truncated"}},
		{"of two texts", "bert-classifier-fp16", nil, PredictOptions{RowsOptions: RowsOptions{Text: []string{"sentence", "second"}}}, []string{"prediction", "probability", "probabilities", "truncated"}},
		{"abstaining", "bert-classifier-fp16", nil, PredictOptions{RowsOptions: RowsOptions{Text: []string{"sentence"}}, Abstain: 1}, []string{"prediction", "probability", "probabilities", "truncated"}},
		{"labels", "bert-classifier-fp16", map[string]any{"problem_type": "multi_label_classification"}, PredictOptions{RowsOptions: RowsOptions{Text: []string{"sentence"}}}, []string{"prediction", "probabilities", "truncated"}},
		{"unsure of labels", "bert-classifier-fp16", map[string]any{"problem_type": "multi_label_classification"}, PredictOptions{RowsOptions: RowsOptions{Text: []string{"sentence"}}, Abstain: 1}, []string{"prediction", "probabilities", "truncated"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, done := predictRows(t, importTiny(t, c.model, c.config), in, c.p)
			var rows []map[string]any
			for lines := json.NewDecoder(bytes.NewReader(out)); ; {
				row := map[string]any{}
				if err := lines.Decode(&row); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, row)
			}
			if len(rows) != 2 {
				t.Fatalf("%s", out)
			}
			want := slices.Sorted(slices.Values(append([]string{"id", "sentence", "second", "neg", "number"}, c.columns...)))
			for i, row := range rows {
				if got := slices.Sorted(maps.Keys(row)); !slices.Equal(got, want) {
					t.Errorf("row %d has %q, want %q", i, got, want)
				}
			}
			if done.Empty != 1 || (done.Unsure == 1) != (c.p.Abstain > 0) {
				t.Errorf("%+v", done)
			}
			if rows[1]["prediction"] != nil || rows[1]["probabilities"] != nil || rows[1]["id"] != "2" || rows[1]["truncated"] != false {
				t.Errorf("the empty text: %v", rows[1])
			}
			switch p := rows[0]["prediction"].(type) {
			case nil:
				if c.p.Abstain == 0 || rows[0]["probabilities"] == nil {
					t.Errorf("%v", rows[0])
				}
			case string:
				if c.p.Abstain > 0 || !slices.Contains([]string{"neg", "neutral", "pos"}, p) {
					t.Errorf("%v", rows[0])
				}
			case []any:
				for label, v := range rows[0]["probabilities"].(map[string]any) {
					if slices.Contains(p, any(label)) != (v.(float64) > 0.5) {
						t.Errorf("%v", rows[0])
					}
				}
			}
		})
	}
}

func TestPredictRefuses(t *testing.T) {
	classifier, base := importTiny(t, "bert-classifier-fp16", nil), importTiny(t, "bert-base", nil)
	in := filepath.Join(t.TempDir(), "in.jsonl")
	for _, c := range []struct {
		model, rows string
		p           PredictOptions
		want        string
	}{
		{base, `{"text": "a"}`, PredictOptions{}, "is a base, and does not say which task it was trained for (hint: --task NAME|FILE; hone embed"},
		{classifier, `{"text": "a"}`, PredictOptions{Abstain: 2}, "--abstain 2 is no probability"},
		{classifier, `{"text": "a", "prediction": 1}`, PredictOptions{}, `it has a column "prediction" already`},
		{classifier, `{"text": "a", "truncated": 1}`, PredictOptions{}, `it has a column "truncated" already`},
		{classifier, `{"text": "a", "b": "b", "c": "c"}`, PredictOptions{RowsOptions: RowsOptions{Text: []string{"text", "b", "c"}}}, "--text names 3 columns, and a task of kind classification reads 2"},
		{classifier, "{\"text\": \"a\"}\n{\"txet\": \"b\"}", PredictOptions{}, `in.jsonl: line 2: column "text" has no text: it is null or missing`},
		{classifier, `{"txet": "a", "b": "c"}`, PredictOptions{RowsOptions: RowsOptions{Text: []string{"text"}}}, `no column "text" (did you mean "txet"?)`},
	} {
		writeFile(t, in, []byte(c.rows))
		c.p.In, c.p.Stdout = in, io.Discard
		_, err := Predict(context.Background(), c.model, c.p, Options{Console: quiet()})
		if !errors.Is(err, recipes.ErrInput) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want %q", c.rows, err, c.want)
		}
	}
}
