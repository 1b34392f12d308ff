package data

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// Windows lie within documents, fill their rows, come from anywhere with the same chance,
// and hold what stands in the text; a cursor goes on where it was.
func TestRandomWindows(t *testing.T) {
	long := strings.Repeat("abcdefghijklmnopqrstuvwxyz0123456789", 3)
	c := inMemory{{Text: long}, {Null: true}, {Text: "SHORT"}, {Text: ""}, {Text: strings.ToUpper(long)}}
	for _, o := range everyObjective {
		if o == classification {
			continue
		}
		cfg := testConfig(c, o)
		cfg.Windows, cfg.Epochs = true, 0
		l := open(t, cfg, Cursor{})
		all := drain(t, l, 40)
		for i := range all {
			checkRows(t, &all[i])
		}
		again := drain(t, open(t, cfg, all[24].Cursor), 15)
		for i := range again {
			if !equal(&again[i], &all[25+i]) {
				t.Fatalf("%v: batch %d is another one after resuming", o, 25+i)
			}
		}
		cfg.Seed++
		if other := drain(t, open(t, cfg, Cursor{}), 1); equal(&other[0], &all[0]) {
			t.Errorf("%v: the same windows with another seed", o)
		}
	}

	cfg := testConfig(c, Causal)
	cfg.Windows, cfg.Epochs = true, 0
	starts := map[string]int{}
	targets := 0
	const batches = 3000
	for _, b := range drain(t, open(t, cfg, Cursor{}), batches) {
		for _, s := range b.Seqs {
			at, last := int(s.Row)*b.Dec.T+int(s.First), int(s.Row)*b.Dec.T+int(s.Last)
			text := c[s.Doc].Text
			first := b.Dec.Tokens[at]
			ids := append([]int32{0}, append(byteTokenizer{}.Encode(nil, text), 0)...)
			window := append(slices.Clone(b.Dec.Tokens[at:last+1]), b.Targets[last])
			if !slices.Equal(b.Targets[at:last], b.Dec.Tokens[at+1:last+1]) || !contains(ids, window) {
				t.Fatalf("%v is no stretch of record %d", window, s.Doc)
			}
			if n := last - at + 1; n == b.Dec.T && s.Doc == 0 {
				starts[string(rune(first))]++
			}
			targets += last - at + 1
		}
	}
	if want := batches * cfg.BatchSize * cfg.T; targets != want {
		t.Errorf("%d targets, want full rows: %d", targets, want)
	}
	// The document's 109 targets have 94 windows of 16, each of 36 letters 2 or 3 of them,
	// and the start 1: about 5,200 windows over it.
	for first, n := range starts {
		if n < 30 || n > 250 {
			t.Errorf("%d windows begin with %q", n, first)
		}
	}
	if len(starts) != 37 {
		t.Errorf("windows begin with %d different tokens, want 37", len(starts))
	}
}

func contains(ids, window []int32) bool {
	for i := range len(ids) - len(window) + 1 {
		if slices.Equal(ids[i:i+len(window)], window) {
			return true
		}
	}
	return false
}

func TestRandomWindowsOfNothing(t *testing.T) {
	cfg := testConfig(inMemory{{Null: true}}, Causal)
	cfg.Windows, cfg.Epochs = true, 0
	if _, err := open(t, cfg, Cursor{}).Next(t.Context()); err == nil || err == io.EOF || !strings.Contains(err.Error(), "nothing to learn from in 1 records") {
		t.Errorf("error %v", err)
	}
	cfg.Epochs = 1
	if _, err := NewLoader(cfg, Cursor{}); err == nil || !strings.Contains(err.Error(), "random windows are of a single corpus") {
		t.Errorf("error %v", err)
	}
}
