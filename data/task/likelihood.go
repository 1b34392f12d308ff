package task

import "hone/data/corpus"

// Likelihood is the task of predicting whole texts, which measures their probability.
var Likelihood Kind = likelihood{}

type likelihood struct{}

func (likelihood) String() string    { return "likelihood" }
func (likelihood) Head() string      { return "language model" }
func (likelihood) Problem() string   { return "" }
func (likelihood) Labels() Labels    { return None }
func (likelihood) Keys() []string    { return []string{"text"} }
func (likelihood) Metrics() []string { return []string{"bits_per_byte"} }

func (likelihood) Baselines() []string { return []string{"zstd_primed", "kneser_ney_5", "markov"} }

// Example gives the whole text, all of which is predicted.
func (likelihood) Example(t *Task, r *corpus.Record) (Example, error) { return t.text(r) }
