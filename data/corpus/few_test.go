package corpus

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Of a training split there can be a few documents of each label, by the seed; other splits stay whole.
func TestFewOfEach(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"train", "test"} {
		var text strings.Builder
		for i := range 40 {
			fmt.Fprintf(&text, "{\"text\": \"%d\", \"label\": \"%s\"}\n", i, map[bool]string{true: "rare", false: "usual"}[i%20 == 7])
		}
		writeText(t, filepath.Join(dir, name+".jsonl"), text.String())
	}
	draw := func(n int, seed uint64) (texts, fewer []string) {
		c, err := Prepare(context.Background(), Spec{From: dir}, t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		whole := c.Train.SHA256
		fewer, err = c.FewOfEach(context.Background(), n, seed, func(r *Record) (string, bool, error) { return r.Label, r.HasLabel, nil })
		if err != nil || c.Test.Rows() != 40 || c.Train.SHA256 == whole {
			t.Fatalf("%v, %d documents of the test split", err, c.Test.Rows())
		}
		if m := c.Manifest; m == nil || m.Splits[0].Rows != c.Train.Rows() || m.Labels[0].Train+m.Labels[1].Train != c.Train.Rows() {
			t.Errorf("the manifest counts %+v, of %d documents", m, c.Train.Rows())
		}
		for i := range c.Train.Rows() {
			r, err := c.Train.Record(i)
			n, _ := strconv.Atoi(r.Text)
			if err != nil || !strings.HasSuffix(c.Train.Where(i), fmt.Sprintf("train.jsonl: line %d", n+1)) {
				t.Fatalf("record %d: %q, %v, at %s", i, r.Text, err, c.Train.Where(i))
			}
			texts = append(texts, r.Label+r.Text)
		}
		if _, err := c.Train.Record(c.Train.Rows()); err == nil {
			t.Error("a record behind the last one is given")
		}
		return texts, fewer
	}
	one, fewer := draw(2, 1)
	if len(one) != 4 || len(fewer) > 0 || !slices.Contains(one, "rare7") || !slices.Contains(one, "rare27") {
		t.Errorf("drew %v, fewer of %v", one, fewer)
	}
	if again, _ := draw(2, 1); !slices.Equal(again, one) {
		t.Errorf("the same seed drew %v, then %v", one, again)
	}
	if other, _ := draw(2, 2); slices.Equal(other, one) {
		t.Errorf("another seed drew %v too", other)
	}
	if most, fewer := draw(3, 1); len(most) != 5 || !slices.Equal(fewer, []string{"rare"}) {
		t.Errorf("drew %v, fewer of %v", most, fewer)
	}
}
