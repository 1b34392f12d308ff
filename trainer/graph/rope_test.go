package graph

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// The frequencies are those of Hugging Face's Llama, which are float32 (testdata/rope.py).
func TestFrequenciesAgainstTransformers(t *testing.T) {
	text, err := os.ReadFile("testdata/rope.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Plain, Llama3 []float64 }
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	plain, scaled := Frequencies(64, 10000), Frequencies(64, 500000)
	Llama3Scaling{Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, Context: 8192}.Apply(scaled)
	for name, pair := range map[string][2][]float64{"plain": {plain, want.Plain}, "llama3": {scaled, want.Llama3}} {
		got, want := pair[0], pair[1]
		if len(got) != 32 || len(want) != 32 {
			t.Fatalf("%s: %d frequencies, want %d", name, len(got), len(want))
		}
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-6*want[i] {
				t.Errorf("%s: frequency %d is %v, want %v", name, i, got[i], want[i])
			}
		}
	}
	kept, divided, between := 0, 0, 0
	for i, f := range Frequencies(64, 500000) {
		switch scaled[i] {
		case f:
			kept++
		case f / 8:
			divided++
		default:
			between++
		}
	}
	if kept == 0 || divided == 0 || between == 0 {
		t.Errorf("%d frequencies kept, %d divided, %d between: the reference tests some only", kept, divided, between)
	}
}
