package metric

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
)

// reference holds what scipy and scikit-learn say (testdata/reference.py).
type reference struct {
	Wilson []struct {
		Correct, N int
		Lo, Hi     float64
	}
	Classify []struct {
		Truth, Predicted []int
		Classes          int
		Confusion        Confusion
		Accuracy, MCC    float64
		MacroF1          float64 `json:"macro_f1"`
	}
	Paired []struct {
		OnlyA        int `json:"only_a"`
		OnlyB        int `json:"only_b"`
		N            int
		Diff, Lo, Hi float64
		McNemar      float64
	}
	Bits struct {
		Bytes   []int
		ANats   []float64 `json:"a_nats"`
		BNats   []float64 `json:"b_nats"`
		A, Diff Estimate
	}
	Calibration struct {
		Confidence     []float64
		Correct        []bool
		Bins           int
		N              []int
		Accuracy, Mean []float64
		ECE            float64
	}
}

func load(t *testing.T) (ref reference) {
	t.Helper()
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	return ref
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %.15g, want %.15g ± %g", what, got, want, tolerance)
	}
}

func TestWilson(t *testing.T) {
	for _, c := range load(t).Wilson {
		e := Wilson(c.Correct, c.N)
		near(t, "lo", e.Lo, c.Lo, 1e-12)
		near(t, "hi", e.Hi, c.Hi, 1e-12)
		near(t, "value", e.Value, float64(c.Correct)/float64(c.N), 0)
		if e.N != c.N {
			t.Errorf("N = %d, want %d", e.N, c.N)
		}
	}
	if e := Wilson(0, 0); !math.IsNaN(e.Value) || e.Lo != 0 || e.Hi != 1 {
		t.Errorf("no items: %+v", e)
	}
}

func TestClassify(t *testing.T) {
	for _, c := range load(t).Classify {
		got, err := Classify(c.Truth, c.Predicted, c.Classes, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Confusion, c.Confusion) {
			t.Errorf("confusion %v, want %v", got.Confusion, c.Confusion)
		}
		near(t, "accuracy", got.Accuracy.Value, c.Accuracy, 1e-15)
		near(t, "macro F1", got.MacroF1.Value, c.MacroF1, 1e-12)
		near(t, "MCC", got.MCC.Value, c.MCC, 1e-12)
		again, _ := Classify(c.Truth, c.Predicted, c.Classes, nil)
		if got.MacroF1.Estimate != again.MacroF1.Estimate || got.MCC.Estimate != again.MCC.Estimate {
			t.Error("the same items gave another interval")
		}
	}
	// The bootstrap of an accuracy must agree with Wilson's interval.
	c := load(t).Classify[0]
	got, _ := Classify(c.Truth, c.Predicted, c.Classes, nil)
	lo, hi := Bootstrap(len(c.Truth), 3, func(sample []int) float64 {
		hit := 0
		for _, i := range sample {
			if c.Truth[i] == c.Predicted[i] {
				hit++
			}
		}
		return float64(hit) / float64(len(sample))
	})
	near(t, "bootstrap lo", lo, got.Accuracy.Lo, 0.02)
	near(t, "bootstrap hi", hi, got.Accuracy.Hi, 0.02)
	for _, e := range []Estimate{got.MacroF1.Estimate, got.MCC.Estimate} {
		if !(e.Lo < e.Value && e.Value < e.Hi) || e.Hi-e.Lo > 0.35 || e.Hi-e.Lo < 0.05 {
			t.Errorf("interval %+v", e)
		}
	}
}

// By hand: 3 items of class 0, two hit and one called 1; 2 items of class 1,
// one hit. F1 = 2·2/(3+3) = 2/3 and 2·1/(2+2) = 1/2.
// MCC = (2·1 − 1·1)/√(3·3·2·2) = 1/6.
func TestClassifyByHand(t *testing.T) {
	got, err := Classify([]int{0, 0, 0, 1, 1}, []int{0, 0, 1, 1, 0}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "macro F1", got.MacroF1.Value, 7.0/12, 1e-15)
	near(t, "MCC", got.MCC.Value, 1.0/6, 1e-15)
	near(t, "accuracy", got.Accuracy.Value, 0.6, 1e-15)
}

func TestPairedDiff(t *testing.T) {
	for _, c := range load(t).Paired {
		a, b := make([]bool, c.N), make([]bool, c.N)
		for i := range c.N {
			switch {
			case i < c.OnlyA:
				a[i] = true
			case i < c.OnlyA+c.OnlyB:
				b[i] = true
			default:
				a[i], b[i] = i%2 == 0, i%2 == 0
			}
		}
		diff, lo, hi := PairedDiff(a, b)
		near(t, "diff", diff, c.Diff, 1e-15)
		near(t, "lo", lo, c.Lo, 1e-6)
		near(t, "hi", hi, c.Hi, 1e-6)
		near(t, "McNemar", McNemar(a, b), c.McNemar, 1e-12)

		rdiff, rlo, rhi := PairedDiff(b, a)
		near(t, "swapped diff", rdiff, -diff, 1e-15)
		near(t, "swapped lo", rlo, -hi, 1e-12)
		near(t, "swapped hi", rhi, -lo, 1e-12)

		// The promise of the comment: 0 is excluded when |b−c|/√(b+c) > 1.96.
		z := float64(c.OnlyA-c.OnlyB) / math.Sqrt(float64(max(1, c.OnlyA+c.OnlyB)))
		if Beats(a, b) != (z > z95) {
			t.Errorf("Beats(%d, %d of %d) = %v at z = %.3f", c.OnlyA, c.OnlyB, c.N, Beats(a, b), z)
		}
	}
	if d, lo, hi := PairedDiff(nil, nil); d != 0 || lo != -1 || hi != 1 {
		t.Errorf("no items: %v [%v, %v]", d, lo, hi)
	}
	all, none := []bool{true, true, true, true, true, true}, make([]bool, 6)
	if d, lo, hi := PairedDiff(all, none); d != 1 || lo >= 1 || lo <= 0 || math.Abs(hi-1) > 1e-12 {
		t.Errorf("all against none: %v [%v, %v]", d, lo, hi)
	}
	defer func() {
		if recover() == nil {
			t.Error("items of unequal number were compared")
		}
	}()
	PairedDiff(all, none[:2])
}

func TestBitsPerByte(t *testing.T) {
	c := load(t).Bits
	got, err := BitsPerByte(c.ANats, c.Bytes, 7)
	if err != nil {
		t.Fatal(err)
	}
	// scipy drew 100 000 resamples: the limits agree to a small part of the width.
	near(t, "value", got.Value, c.A.Value, 1e-12)
	near(t, "lo", got.Lo, c.A.Lo, 0.08*(c.A.Hi-c.A.Lo))
	near(t, "hi", got.Hi, c.A.Hi, 0.08*(c.A.Hi-c.A.Lo))
	diff, err := BitsPerByteDiff(c.ANats, c.BNats, c.Bytes, 7)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "diff", diff.Value, c.Diff.Value, 1e-12)
	near(t, "diff lo", diff.Lo, c.Diff.Lo, 0.08*(c.Diff.Hi-c.Diff.Lo))
	near(t, "diff hi", diff.Hi, c.Diff.Hi, 0.08*(c.Diff.Hi-c.Diff.Lo))
	if diff.Hi-diff.Lo >= got.Hi-got.Lo {
		t.Error("pairing did not narrow the interval")
	}
	if again, _ := BitsPerByte(c.ANats, c.Bytes, 7); again != got {
		t.Error("the same seed gave another interval")
	}
	if other, _ := BitsPerByte(c.ANats, c.Bytes, 8); other.Lo == got.Lo {
		t.Error("another seed gave the same interval")
	}
	// 8 bytes at ln 2 nats each are 1 bit per byte; perplexity e^(6/3).
	one, err := BitsPerByte([]float64{3 * math.Ln2, 5 * math.Ln2}, []int{3, 5}, 0)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "one bit", one.Value, 1, 1e-15)
	near(t, "one bit lo", one.Lo, 1, 1e-15)
	near(t, "perplexity", Perplexity(6, 3), math.Exp(2), 1e-12)
}

func TestCalibrate(t *testing.T) {
	c := load(t).Calibration
	got, err := Calibrate(c.Confidence, c.Correct, c.Bins)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "ECE", got.ECE, c.ECE, 1e-12)
	full := 0
	for k, b := range got.Bins {
		if b.N != c.N[k] {
			t.Errorf("bin %d (%v, %v]: %d items, want %d", k, b.Lo, b.Hi, b.N, c.N[k])
		}
		if b.N == 0 {
			continue
		}
		near(t, "bin accuracy", b.Accuracy, c.Accuracy[full], 1e-12)
		near(t, "bin confidence", b.Confidence, c.Mean[full], 1e-12)
		full++
	}
	// By hand: 0.9 right, 0.9 wrong, 0.3 wrong in two bins: ⅔·|½−0.9| + ⅓·|0−0.3|.
	got, err = Calibrate([]float64{0.9, 0.9, 0.3}, []bool{true, false, false}, 2)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "ECE by hand", got.ECE, 2.0/3*0.4+1.0/3*0.3, 1e-15)
}

func TestErrors(t *testing.T) {
	nan := math.NaN()
	for want, f := range map[string]func() error{
		"2 true labels, 1 predicted":   func() error { _, err := Classify([]int{0, 1}, []int{0}, 2, nil); return err },
		"no items":                     func() error { _, err := Classify(nil, nil, 2, nil); return err },
		"item 1: true label 2 outside": func() error { _, err := Classify([]int{0, 2}, []int{0, 0}, 2, nil); return err },
		"item 0: predicted label -1":   func() error { _, err := Classify([]int{0}, []int{-1}, 2, nil); return err },
		"the losses of 1 documents":    func() error { _, err := BitsPerByte([]float64{1}, nil, 0); return err },
		"document 1: negative log-":    func() error { _, err := BitsPerByte([]float64{1, nan}, []int{1, 1}, 0); return err },
		"no text to score":             func() error { _, err := BitsPerByteDiff([]float64{1}, []float64{2}, []int{0}, 0); return err },
		"is +Inf": func() error {
			_, err := BitsPerByteDiff([]float64{1}, []float64{math.Inf(1)}, []int{1}, 0)
			return err
		},
		"1 confidences, 2 outcomes": func() error { _, err := Calibrate([]float64{1}, []bool{true, true}, 5); return err },
		"confidence 1.5":            func() error { _, err := Calibrate([]float64{1.5}, []bool{true}, 5); return err },
		"0 bins":                    func() error { _, err := Calibrate([]float64{1}, []bool{true}, 0); return err },
		"items to score":            func() error { _, err := Calibrate(nil, nil, 5); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
