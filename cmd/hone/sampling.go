package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"hone/eval/generate"
)

// samplingFlags are the flags of how a text is sampled and where it ends: unless the user says, after
// so many tokens.
func samplingFlags(o *generate.Options, tokens int) *pflag.FlagSet {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.IntVar(&o.MaxTokens, "max-tokens", tokens, "greatest number of tokens to generate")
	f.Float64Var(&o.Temperature, "temperature", 0.8, "temperature of the sampling; 0: always the likeliest token")
	f.IntVar(&o.TopK, "top-k", 0, "sample from so many of the likeliest tokens; 0: from all")
	f.Float64Var(&o.TopP, "top-p", 0, "sample from the likeliest tokens that together have this probability; 0: from all")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the sampling")
	f.StringArrayVar(&o.Stop, "stop", nil, "text at which the generation ends; can be given several times")
	f.Var(&choice{&o.Slide, "stop", "slide"}, "context", "what becomes of a text that fills the model's context: it ends there (stop), or goes on without its older half (slide)")
	return f
}

// A choice is a flag with one of two words, of which the second means true.
type choice struct {
	value         *bool
	first, second string
}

func (c *choice) String() string {
	if c.value != nil && *c.value {
		return c.second
	}
	return c.first
}

func (c *choice) Set(word string) error {
	if word != c.first && word != c.second {
		return fmt.Errorf("unknown %q (known: %s, %s)", word, c.first, c.second)
	}
	*c.value = word == c.second
	return nil
}

func (c *choice) Type() string { return c.first + "|" + c.second }
