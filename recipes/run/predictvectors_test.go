package run

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a model of vectors predicts is what its vectors are: those of hone embed, and their cosine.
func TestPredictVectors(t *testing.T) {
	dir := embedCases(t)[0].dst
	path := filepath.Join(t.TempDir(), "pairs.jsonl")
	rows := ""
	for _, r := range [][2]string{{"the cat sat", "a cat"}, {"the dog ran far away", "rivers flow"}, {"a", "a"}} {
		text, _ := json.Marshal(map[string]string{"one": r[0], "two": r[1]})
		rows += string(text) + "\n"
	}
	if err := os.WriteFile(path, []byte(rows), 0o666); err != nil {
		t.Fatal(err)
	}
	embedded := func(column string) (list [][]float64) {
		var out bytes.Buffer
		if _, err := Embed(t.Context(), dir, EmbedOptions{RowsOptions: RowsOptions{In: path, Stdout: &out, Text: []string{column}}}, Options{Console: quiet()}); err != nil {
			t.Fatal(err)
		}
		for _, r := range rowsOf[map[string]json.RawMessage](t, out.Bytes()) {
			var v []float64
			if err := json.Unmarshal(r["embedding"], &v); err != nil {
				t.Fatal(err)
			}
			list = append(list, v)
		}
		return list
	}
	one, two := embedded("one"), embedded("two")
	predicted := func(kind string) []map[string]json.RawMessage {
		file := filepath.Join(t.TempDir(), "task.toml")
		text := "kind = \"" + kind + "\"\nsource = \"" + path + "\"\ntext = \"one\"\ntext_pair = \"two\"\n"
		if kind == "similarity" {
			text += "label = \"score\"\n"
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		out, _ := predictRows(t, dir, path, PredictOptions{Task: file})
		if _, err := Predict(t.Context(), dir, PredictOptions{RowsOptions: RowsOptions{In: path}, Task: file, Abstain: 0.5}, Options{Console: quiet()}); err == nil || !strings.Contains(err.Error(), "--abstain") {
			t.Errorf("--abstain: %v", err)
		}
		return rowsOf[map[string]json.RawMessage](t, out)
	}
	for i, r := range predicted("retrieval") {
		var v []float64
		if err := json.Unmarshal(r["embedding"], &v); err != nil || len(v) != len(one[i]) || v[0] != one[i][0] {
			t.Errorf("row %d: %v, %v, want %v", i, v, err, one[i])
		}
	}
	for i, r := range predicted("similarity") {
		var got, ab, aa, bb float64
		if err := json.Unmarshal(r["prediction"], &got); err != nil {
			t.Fatal(err)
		}
		for k, x := range one[i] {
			ab, aa, bb = ab+x*two[i][k], aa+x*x, bb+two[i][k]*two[i][k]
		}
		if want := ab / math.Sqrt(aa*bb); math.Abs(got-want) > 1e-6 {
			t.Errorf("row %d: cosine %v, want %v", i, got, want)
		}
	}
}
