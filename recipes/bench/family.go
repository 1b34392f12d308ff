package bench

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"text/tabwriter"
	"time"

	"hone/trainer/exec/cpu"
)

// A Family is the step of a model family, compared with that of a GPT-2 with as many parameters.
type Family struct {
	Name            string  `json:"name"`
	Parameters      int     `json:"parameters"`
	Tokens          int     `json:"tokens"` // of a step, encoder and decoder
	TokensPerSecond float64 `json:"tokens_per_second"`
	OverGPT         float64 `json:"tokens_per_second_over_gpt"`
	Work            float64 `json:"gflop"` // of a step, what cannot be left out
	WorkOverGPT     float64 `json:"flops_over_gpt"`
	Formula         string  `json:"formula,omitempty"` // of the FLOPs, of a family that has another than GPT's
}

// splitFamilies separates the models that are measured alone or beside a peer from families at
// equal parameters, which come with a GPT-2.
func splitFamilies(list []Config) (sizes, families []Config) {
	gpt := benchFamilyConfigs[0]
	for _, c := range list {
		switch {
		case c == gpt:
		case slices.Contains(benchFamilyConfigs, c):
			families = append(families, c)
		default:
			sizes = append(sizes, c)
		}
	}
	if len(families) > 0 || slices.Contains(list, gpt) {
		families = slices.Insert(families, 0, gpt)
	}
	return sizes, families
}

// measureFamilies times the steps of families in turns, so that other work of the machine affects
// all of them alike.
func measureFamilies(ctx context.Context, dev *cpu.Device, list []Config, b *Result, o Options) error {
	meters := make([]meter, len(list))
	next := make([]func() (point, error, bool), len(list))
	for i, c := range list {
		meters[i].config = c
		var stop func()
		next[i], stop = iter.Pull2(timedSteps(ctx, dev, c, o.bf16()))
		defer stop()
	}
	turns := b.turns()
	began := time.Now()
	for round := 1; ; round++ {
		o.Say(fmt.Sprintf("bench: families, turn %d, %.0f s", round, time.Since(began).Seconds()))
		for i := range list {
			p, err, _ := next[i]()
			if err != nil {
				return err
			}
			meters[i].add(p)
			turns.add(p.info.Seconds)
		}
		spent, limit := time.Since(began).Seconds(), o.Seconds*float64(len(list))
		if n := round - warmUp; n >= 5 && spent > limit || n >= 3 && spent > 1.5*limit {
			break
		}
	}
	var first Family
	var rate float64
	for i := range meters {
		s := meters[i].result(b, turns)
		b.Steps = append(b.Steps, *s)
		f := Family{
			Name: s.Name, Parameters: s.Parameters, Tokens: s.tokens(), TokensPerSecond: s.TokensPerSecond,
		}
		f.Formula, _ = s.formula()
		for _, op := range s.Ops {
			f.Work += op.GFLOP
		}
		if i == 0 {
			first, rate = f, f.Work/s.Milliseconds
		}
		f.OverGPT, f.WorkOverGPT = f.TokensPerSecond/first.TokensPerSecond, f.Work/s.Milliseconds/rate
		b.Families = append(b.Families, f)
	}
	return nil
}

// formula is that of a step's FLOPs with its value, where it is not 6N + 12LCT per token.
func (c Config) formula() (text string, flops float64) {
	decRows, encRows := c.rows()
	d, e := float64(decRows), float64(encRows)
	C, F, L, T, V := float64(c.Dim), float64(c.Inner), float64(c.Layers), float64(c.T), float64(c.V)
	switch c.Family {
	case "t5":
		l, t := L/2, d/float64(c.B)
		text = fmt.Sprintf("6·R·l(6C² + 3CF) + 6·R'·(l(6C² + 3CF) + VC) + 12·lC·(R·T + R'·T' + R'·T): "+
			"R = %d rows of T = %d in the encoder, R' = %d of T' = %.0f in the decoder, l = %.0f layers in each; "+
			"the decoder's keys and values of the encoder are of R rows", encRows, c.T, decRows, t, l)
		return text, 6*e*l*(6*C*C+3*C*F) + 6*d*(l*(6*C*C+3*C*F)+V*C) + 12*l*C*(e*T+d*t+d*T)
	case "xlnet":
		text = fmt.Sprintf("6·R·(L·2C² + (2L-1)·(2C² + 2CF) + VC) + 4·LC²·(2T-1) + (2L-1)·RC·(12T + 6·(2T-1)): "+
			"R = %d rows; keys and values are of one stream, the rest of two, but for the last layer; scores of 2T-1 distances", decRows)
		return text, 6*d*(L*2*C*C+(2*L-1)*(2*C*C+2*C*F)+V*C) + 4*L*C*C*(2*T-1) + (2*L-1)*d*C*(12*T+6*(2*T-1))
	}
	return "", 0
}

func (b *Result) printFamilies(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "family\tM parameters\ttokens a step\ttokens/s\t÷ GPT's\tGFLOP a step\tFLOP/s ÷ GPT's\t")
	for _, f := range b.Families {
		fmt.Fprintf(t, "%s\t%.2f\t%d\t%.0f\t%.2f\t%.1f\t%.2f\t\n", f.Name, float64(f.Parameters)/1e6, f.Tokens, f.TokensPerSecond, f.OverGPT, f.Work, f.WorkOverGPT)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range b.Families {
		if f.Formula != "" {
			if _, err := fmt.Fprintf(w, "%s: FLOPs of a step, with the full square of attention: %s\n", f.Name, f.Formula); err != nil {
				return err
			}
		}
	}
	return nil
}
