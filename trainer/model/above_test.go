package model

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"hone/trainer/exec"
)

// In every family, embeddings lie n+2 below the head, layer i of n lies n+1-i below it, what stands behind the last
// layer one, and heads are heads. A decoder's layers stand above those of its encoder. What is frozen changes nothing.
func TestAbove(t *testing.T) {
	layer := regexp.MustCompile(`(?:^|\.)(h|layers|layer|block)\.([0-9]+)\.`)
	for _, family := range ModelTypes {
		for _, h := range []Head{LanguageModel, Classifier, TokenClassifier, QuestionAnswering} {
			c, err := SmallConfig(family)
			if err != nil {
				t.Fatal(err)
			}
			if !c.Has(h) {
				continue
			}
			c.VocabSize = 20
			c.SetLabels([]string{"x", "y"})
			if c.Problem() == "" {
				c.ProblemType = SingleLabel
			}
			for _, trainable := range []func(string) bool{nil, c.InHead} {
				l, err := NewLayout(c, exec.F32, Options{Head: h, Trainable: trainable})
				if err != nil {
					t.Fatalf("%s, %v: %v", family, h, err)
				}
				layers, encoders := 0, 0
				for _, p := range l.Params {
					if m := layer.FindStringSubmatch(p.Name); m != nil {
						i, _ := strconv.Atoi(m[2])
						layers = max(layers, i+1)
					}
				}
				if family == "t5" && h != TokenClassifier {
					encoders = layers
				}
				seen := map[int]int{}
				for _, p := range l.Params {
					want := layers + encoders + 2 // before the layers
					switch m := layer.FindStringSubmatch(p.Name); {
					case c.InHead(p.Name):
						want = 0
					case m != nil && !strings.Contains(p.Name, "relative_attention_bias"):
						i, _ := strconv.Atoi(m[2])
						if want = layers + encoders + 1 - i; strings.Contains(p.Name, "decoder.") {
							want -= encoders
						}
					case strings.Contains(p.Name, "decoder.block.0."):
						want = layers + 1 // the table of distances of its layers
					case strings.Contains(p.Name, "encoder.final"):
						want = encoders + 1
					case !strings.Contains(p.Name, "emb") && !strings.Contains(p.Name, "wte") && !strings.Contains(p.Name, "wpe") && !strings.Contains(p.Name, "shared") && m == nil:
						want = 1 // a final norm
					}
					if seen[want]++; p.Above != want {
						t.Errorf("%s, %v: %s lies %d below the head, want %d", family, h, p.Name, p.Above, want)
					}
				}
				if layers < 2 || seen[2] == 0 || seen[layers+encoders+2] == 0 {
					t.Errorf("%s, %v: %d layers, %v", family, h, layers, seen)
				}
			}
		}
	}
}
