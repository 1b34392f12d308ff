package run

import (
	"cmp"
	"maps"
	"slices"

	"hone/checkpoint/provenance"
	"hone/data"
	"hone/eval/metric"
	"hone/eval/report"
	"hone/recipes"
)

// provenance is that of the corpora that a stage reads.
func (w *runner) provenance(s *recipes.Stage, mixture []data.Part) []provenance.Corpus {
	var list []provenance.Corpus
	for i, name := range s.Sources() {
		c := w.corpora[name].Provenance
		c.Train = w.corpora[name].Train.SHA256
		if len(mixture) > 0 {
			c.Share = mixture[i].Weight
		}
		list = append(list, c)
	}
	return list
}

// learned is the provenance in a run's report: its corpora, also as they were before a change,
// each with the steps that were trained on it; and its tokenizers, where there was more than one.
func (w *runner) learned() []report.Corpus {
	var list, tokenizers []report.Corpus
	for _, name := range slices.Sorted(maps.Keys(w.corpora)) {
		c := w.corpora[name]
		list = append(list, report.Corpus{Corpus: c.Provenance})
		if c.Train != nil {
			list[len(list)-1].Train = c.Train.SHA256
		}
	}
	note := func(list *[]report.Corpus, c report.Corpus, steps report.Steps) {
		at := slices.IndexFunc(*list, func(o report.Corpus) bool { return o.Name == c.Name && o.SHA256 == c.SHA256 })
		if at < 0 {
			at = len(*list)
			*list = append(*list, c)
		}
		(*list)[at].Steps = append((*list)[at].Steps, steps)
	}
	for _, s := range w.r.Stages {
		m := w.final[s.Name]
		before := 0
		for _, o := range m.Provenance {
			if o.Stage != s.Name {
				continue
			}
			steps := report.Steps{Stage: s.Name, First: before + 1, Last: cmp.Or(o.Step, m.Step)}
			before = steps.Last
			for _, c := range o.Corpora {
				steps := steps
				steps.Share, c.Share = metric.Number(c.Share), 0 // each stage may have another
				note(&list, report.Corpus{Corpus: c}, steps)
			}
			if o.Tokenizer != "" {
				note(&tokenizers, report.Corpus{Corpus: provenance.Corpus{Name: tokenizerInput, Source: w.r.Tokenizer.File, SHA256: o.Tokenizer}}, steps)
			}
		}
	}
	if len(tokenizers) > 1 {
		list = append(list, tokenizers...)
	}
	return list
}
