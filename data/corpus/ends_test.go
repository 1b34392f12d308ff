package corpus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/data/clean"
)

// The ends of each file are held out, in characters, as nanoGPT splits a text, and the
// document on a border is cut.
func TestHoldEnds(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	long := strings.Repeat("äbc\n", 250) // 1,000 characters, 1,250 bytes
	fasta := ">1\nACGT\n>2\nAC\n>3\nGT\n>4\nTT\n"
	for name, text := range map[string]string{"long.txt": long, "dna.fa": fasta} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	open := func(name string, shares clean.Shares, rules clean.Rules) map[string][]string {
		t.Helper()
		c, err := Prepare(t.Context(), Spec{From: filepath.Join(dir, name), Shares: shares, HoldEnds: true, Rules: rules}, cache, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		texts := map[string][]string{}
		for _, s := range c.Splits() {
			for i := range s.Rows() {
				r, err := s.Record(i)
				if err != nil {
					t.Fatal(err)
				}
				texts[s.Name] = append(texts[s.Name], strings.Clone(r.Text))
			}
		}
		return texts
	}
	got := open("long.txt", clean.Shares{Validation: 0.1}, clean.Rules{})
	if runes := []rune(long); len(got) != 2 || got["train"][0] != string(runes[:900]) || got["validation"][0] != string(runes[900:]) {
		t.Errorf("%d and %d bytes of %d", len(got["train"][0]), len(got["validation"][0]), len(long))
	}
	// A share is of the text, whole documents and parts of them: 10 characters in all.
	got = open("dna.fa", clean.Shares{Validation: 0.3, Test: 0.2}, clean.Rules{})
	if want := "ACGT A|C GT|TT"; strings.Join(got["train"], " ")+"|"+strings.Join(got["validation"], " ")+"|"+strings.Join(got["test"], " ") != want {
		t.Errorf("%q, want %s", got, want)
	}
	// Files of a directory are cut each by itself; rules apply to what is cut.
	got = open("", clean.Shares{Test: 0.2}, clean.Rules{MinLength: 3})
	if len(got["train"]) != 2 || len(got["test"]) != 1 || len([]rune(got["test"][0])) != 200 {
		t.Errorf("train %d, test %d documents", len(got["train"]), len(got["test"]))
	}
	// As hone data convert does it.
	m, err := Convert(t.Context(), filepath.Join(dir, "long.txt"), filepath.Join(cache, "converted"), ConvertOptions{Shares: clean.Shares{Test: 0.25}, HoldEnds: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := m.Splits; len(s) != 2 || s[0].Rows != 1 || s[1].Rows != 1 || s[0].TextBytes+s[1].TextBytes != int64(len(long)) {
		t.Errorf("splits %+v", s)
	}
	_, err = Prepare(t.Context(), Spec{From: filepath.Join(cache, "converted"), Shares: clean.Shares{Test: 0.25}, HoldEnds: true}, cache, nil)
	if err == nil || !strings.Contains(err.Error(), "its documents are not of files whose ends can be held out") {
		t.Errorf("ends of what is converted: %v", err)
	}
	if _, err := Convert(t.Context(), filepath.Join(dir, "long.txt"), filepath.Join(cache, "none"), ConvertOptions{HoldEnds: true}, nil); err == nil || !strings.Contains(err.Error(), "no share is given") {
		t.Errorf("ends of no size: %v", err)
	}
}
