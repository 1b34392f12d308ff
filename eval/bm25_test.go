package eval

import (
	"math"
	"slices"
	"testing"
)

// TestBM25 has the numbers worked out by hand.
func TestBM25(t *testing.T) {
	m := NewBM25([]string{"The cat sat; the cat slept.", "A dog slept", "birds"})
	got := m.Search("CAT slept cat?", 5)
	// Lengths 6, 3, 1: mean 10/3. "cat" is in one document, twice; "slept" in two.
	weight := func(f, length float64) float64 { return f * 2.2 / (f + 1.2*(0.25+0.75*length/(10.0/3))) }
	cat, slept := math.Log(1+2.5/1.5), math.Log(1+1.5/2.5)
	want := []Hit{{0, 2*cat*weight(2, 6) + slept*weight(1, 6)}, {1, slept * weight(1, 3)}}
	if len(got) != 2 {
		t.Fatalf("found %v", got)
	}
	for i := range want {
		if got[i].Number != want[i].Number || math.Abs(got[i].Score-want[i].Score) > 1e-12 {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
	if got := m.Search("cat slept", 1); len(got) != 1 {
		t.Errorf("%v, want one", got)
	}
	if got := m.Search("fish", 3); len(got) != 0 {
		t.Errorf("%v for a word that is nowhere", got)
	}
}

func TestSearchTerms(t *testing.T) {
	for text, want := range map[string][]string{
		"Don't STOP 42x":  {"don", "t", "stop", "42x"},
		"서울은 큰 도시":        {"서울", "울은", "큰", "도시"},
		"GPU를 東京tower で1": {"gpu", "를", "東京", "tower", "で", "1"},
		" -- ":            nil,
	} {
		if got := slices.Collect(searchTerms(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
