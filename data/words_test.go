package data

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
)

// fields are records of columns alone.
type fields []map[string]any

func (f fields) Rows() int64 { return int64(len(f)) }
func (f fields) Record(i int64) (corpus.Record, error) {
	return corpus.Record{Text: "a text", Fields: f[i]}, nil
}

func raw(t *testing.T, v any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Tokens and labels are those of transformers' run_ner.py (testdata/words.py), with a tokenizer that sets
// a blank before the first word, and with one that is left to do it.
func TestWordLabels(t *testing.T) {
	var ref struct {
		Words [][]string
		Tags  [][]int
		Cases []struct {
			Tokenizer json.RawMessage
			BOS, EOS  string
			Rows      []struct{ IDs, Labels []int32 }
		}
	}
	text, err := os.ReadFile("testdata/words.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	names := []string{"B-X", "I-X", "O", "B-Y"}
	var records fields
	for i, words := range ref.Words {
		var tags []string
		for _, k := range ref.Tags[i] {
			tags = append(tags, names[k])
		}
		records = append(records, map[string]any{"words": raw(t, words), "tags": raw(t, tags)})
	}
	of := task.Task{Name: "x", Kind: task.TokenLabels, Columns: task.Columns{Words: "words", Label: "tags"}}
	for _, c := range ref.Cases {
		for _, file := range []string{string(c.Tokenizer), strings.Replace(string(c.Tokenizer), `"add_prefix_space": true`, `"add_prefix_space": false`, 1)} {
			tok, err := tokenizer.Parse([]byte(file))
			if err != nil {
				t.Fatal(err)
			}
			l, err := NewLoader(Config{
				Records: records, Tokenizer: tok, Objective: OfTask(&of), Labels: names, T: 12, BatchSize: 2, MicroBatchSize: 1, Epochs: 1, BOS: c.BOS, EOS: c.EOS,
			}, Cursor{})
			if err != nil {
				t.Fatal(err)
			}
			seen, targets := 0, 0
			for {
				b, err := l.Next(context.Background())
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				var shown strings.Builder
				if err := Preview(&shown, b, tok, false); err != nil {
					t.Fatal(err)
				}
				if text := shown.String(); strings.Contains(text, "record 2,") && !strings.Contains(text, "→O") {
					t.Errorf("preview %s", text)
				}
				for _, s := range b.Seqs {
					seen++
					want := ref.Cases[0].Rows[s.Doc]
					if c.BOS != ref.Cases[0].BOS {
						want = ref.Cases[1].Rows[s.Doc]
					}
					at := int(s.Row) * b.Dec.T
					first, last := at+int(s.First), at+int(s.Last)+1
					labels := slices.Clone(want.Labels)
					for i, k := range labels {
						if k == -100 {
							labels[i] = -1
						} else {
							// As IOB2 has it: an I- that continues nothing begins an entity.
							w := b.Words[first+i]
							e, err := of.Example(&corpus.Record{Fields: records[s.Doc]})
							if err != nil {
								t.Fatal(err)
							}
							labels[i] = int32(slices.Index(names, e.Labels[w]))
							targets++
						}
					}
					if !slices.Equal(b.Dec.Tokens[first:last], want.IDs) || !slices.Equal(b.Targets[first:last], labels) {
						t.Errorf("%q: tokens %v, labels %v; want %v, %v", ref.Words[s.Doc], b.Dec.Tokens[first:last], b.Targets[first:last], want.IDs, labels)
					}
				}
			}
			if seen != len(ref.Words) || targets < 15 {
				t.Errorf("%d sentences, %d labels", seen, targets)
			}
			if n := l.Stats().Truncated; n == 0 {
				t.Error("no sentence was too long")
			}
			l.Close()
		}
	}
}
