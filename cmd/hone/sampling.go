package main

import (
	"github.com/spf13/pflag"

	"hone/eval/generate"
)

// samplingFlags are the flags of how a text is sampled and where it ends.
func samplingFlags(o *generate.Options) *pflag.FlagSet {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.IntVar(&o.MaxTokens, "max-tokens", 100, "greatest number of tokens to generate")
	f.Float64Var(&o.Temperature, "temperature", 0.8, "temperature of the sampling; 0: always the likeliest token")
	f.IntVar(&o.TopK, "top-k", 0, "sample from so many of the likeliest tokens; 0: from all")
	f.Float64Var(&o.TopP, "top-p", 0, "sample from the likeliest tokens that together have this probability; 0: from all")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the sampling")
	f.StringArrayVar(&o.Stop, "stop", nil, "text at which the generation ends; can be given several times")
	return f
}
