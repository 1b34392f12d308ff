package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"hone/eval/generate"
)

// samplingFlags are the flags of how a text is sampled and where it ends: unless the user says, after
// so many tokens.
func samplingFlags(o *generate.Options, tokens int) *pflag.FlagSet {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.IntVar(&o.MaxTokens, "max-tokens", tokens, "greatest number of tokens to generate")
	f.IntVar(&o.MinTokens, "min-tokens", 0, "least number of tokens before a token that ends the text")
	f.Float64Var(&o.Temperature, "temperature", 0.8, "temperature of the sampling; 0: always the likeliest token")
	f.IntVar(&o.TopK, "top-k", 0, "sample from so many of the likeliest tokens; 0: from all")
	f.Float64Var(&o.TopP, "top-p", 0, "sample from the likeliest tokens that together have this probability; 0: from all")
	f.Float64Var(&o.MinP, "min-p", 0, "sample from tokens at least this share as likely as the likeliest; 0: from all")
	f.Float64Var(&o.TypicalP, "typical-p", 0, "sample from the tokens of about average information that together have this probability; 0: from all")
	f.Float64Var(&o.RepetitionPenalty, "repetition-penalty", 1, "make tokens of prompt and text less likely by this factor of their logits; 1: none")
	f.Float64Var(&o.FrequencyPenalty, "frequency-penalty", 0, "subtract this from a token's logit for each time that it was written")
	f.Float64Var(&o.PresencePenalty, "presence-penalty", 0, "subtract this from the logits of tokens that were written")
	f.IntVar(&o.NoRepeatNGram, "no-repeat-ngram", 0, "let no so many tokens stand a second time in prompt and text; 0: they may")
	f.Var((*biases)(&o.Bias), "logit-bias", "add to the logit of a token, by its id; -inf: never write it. ID,ID=BIAS: of the last one where the others stand before it. Can be given several times")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the sampling")
	f.StringArrayVar(&o.Stop, "stop", nil, "text at which the generation ends; can be given several times")
	f.Int32SliceVar(&o.StopTokens, "stop-token", nil, "token at which the generation ends, by its id; can be given several times")
	f.Var(&choice{&o.Slide, "stop", "slide"}, "context", "what becomes of a text that fills the model's context: it ends there (stop), or goes on without its older half (slide)")
	return f
}

// beamFlags are the flags of a beam search.
func beamFlags(o *generate.Options) *pflag.FlagSet {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.IntVar(&o.NumBeams, "num-beams", 1, "search for the likeliest text with so many beams; more than 1 means temperature 0")
	f.Float64Var(&o.LengthPenalty, "length-penalty", 1, "divide the score of a text by its tokens to this power: above 0 favours longer texts")
	f.StringVar((*string)(&o.EarlyStopping), "early-stopping", "false", "end a search with as many texts as beams: at once (true), when a better one is unlikely (false) or impossible (never)")
	return f
}

// settle refuses flags that cannot be followed, alone or with others. It is asked before the model is
// opened, and again with what the model's files say.
func settle(o *generate.Options, given func(flag string) bool) error {
	if given("num-beams") && o.NumBeams > 1 && !given("temperature") {
		o.Temperature = 0
	}
	var errs []error
	refuse := func(flag string, wrong bool, why string) {
		if wrong && given(flag) {
			errs = append(errs, fmt.Errorf("--%s %s", flag, why))
		}
	}
	for _, flag := range []string{"top-k", "top-p", "min-p", "typical-p"} {
		refuse(flag, o.NumBeams > 1, fmt.Sprintf("with %d beams: a beam search draws nothing", o.NumBeams))
		refuse(flag, o.NumBeams <= 1 && o.Temperature == 0, "with temperature 0, which always takes the likeliest token")
	}
	// Which mean 1 only where nothing is said of them.
	refuse("repetition-penalty", o.RepetitionPenalty == 0, "0: want 0.01 to 100")
	refuse("num-beams", o.NumBeams == 0, "0: want 1 or more")
	refuse("n", o.N == 0, "0: want 1 or more")
	return errors.Join(append(errs, o.Validate(0))...)
}

// biases are the flag of logit biases, given once or several times.
type biases []generate.Bias

func (b *biases) String() string { return strings.Join(b.GetSlice(), " ") }

// Set adds a bias, or changes that of the same tokens.
func (b *biases) Set(word string) error {
	ids, add, ok := strings.Cut(word, "=")
	var bias generate.Bias
	var err error
	if bias.Add, err = strconv.ParseFloat(add, 64); !ok || err != nil {
		return fmt.Errorf("%q: want ID=BIAS, as in 50=-1.5", word)
	}
	for _, id := range strings.Split(ids, ",") {
		n, err := strconv.ParseInt(id, 10, 32)
		if err != nil || n < 0 {
			return fmt.Errorf("%q: %q is not the id of a token", word, id)
		}
		bias.IDs = append(bias.IDs, int32(n))
	}
	if i := slices.IndexFunc(*b, func(o generate.Bias) bool { return slices.Equal(o.IDs, bias.IDs) }); i >= 0 {
		(*b)[i] = bias
		return nil
	}
	*b = append(*b, bias)
	return nil
}

func (b *biases) Type() string { return "ID=BIAS" }

// Append, Replace and GetSlice make it a list of words, as other flags that can be given several times.
func (b *biases) Append(word string) error { return b.Set(word) }

func (b *biases) Replace(words []string) error {
	var now biases
	for _, word := range words {
		if err := now.Set(word); err != nil {
			return err
		}
	}
	*b = now
	return nil
}

func (b *biases) GetSlice() []string {
	var words []string
	for _, bias := range *b {
		var ids []string
		for _, id := range bias.IDs {
			ids = append(ids, strconv.Itoa(int(id)))
		}
		words = append(words, strings.Join(ids, ",")+"="+strconv.FormatFloat(bias.Add, 'g', -1, 64))
	}
	return words
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
