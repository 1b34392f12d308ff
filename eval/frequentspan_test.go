package eval

import (
	"math"
	"slices"
	"testing"
)

func TestFrequentSpan(t *testing.T) {
	m, err := FitFrequentSpan([]Span{
		{Left: 1, Right: 2, Tokens: []int32{5}}, {Left: 1, Right: 2, Tokens: []int32{6, 7}}, {Left: 1, Right: 2, Tokens: []int32{6, 7}},
		{Left: 1, Right: 3, Tokens: []int32{5}}, {Left: 1, Right: 4, Tokens: []int32{5}},
		{Left: 8, Right: 2, Tokens: []int32{9}}, {Left: 8, Right: 2, Tokens: []int32{4}}, {Left: 8, Right: 2, Tokens: []int32{3, 3}},
		{Left: -1, Right: 3, Tokens: []int32{2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		left, right int32
		want        []int32
	}{
		{1, 2, []int32{6, 7}},  // between the two
		{1, 9, []int32{5}},     // behind the left one
		{8, 2, []int32{4}},     // of equally frequent ones the shorter, then the lower
		{11, 2, []int32{6, 7}}, // before the right one
		{11, 12, []int32{5}},   // anywhere
		{-1, 7, []int32{2}},    // nothing to the left is a neighbour as others are
	} {
		if got := m.Predict(test.left, test.right); !slices.Equal(got, test.want) {
			t.Errorf("between %d and %d: %v, want %v", test.left, test.right, got, test.want)
		}
	}
	if got := m.Anywhere(); !slices.Equal(got, []int32{5}) {
		t.Errorf("anywhere: %v, want 5", got)
	}
	if _, err := FitFrequentSpan(nil); err == nil {
		t.Error("fitted to nothing")
	}
}

func TestUnigram(t *testing.T) {
	m, err := FitUnigram([]Target{{Token: 1}, {Token: 1}, {Token: 0}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	for token, p := range []float64{2. / 7, 3. / 7, 1. / 7, 1. / 7} {
		if got := math.Exp(-m.Nats(int32(token))); math.Abs(got-p) > 1e-15 {
			t.Errorf("P(%d) = %v, want %v", token, got, p)
		}
	}
	if _, err := FitUnigram([]Target{{Token: 4}}, 4); err == nil {
		t.Error("fitted to an id outside the vocabulary")
	}
}
