package run

import (
	"cmp"
	"maps"
	"slices"

	"hone/checkpoint"
	"hone/data"
	"hone/data/corpus"
	"hone/eval/report"
	"hone/recipes"
)

// provenance is of all that a stage reads.
func (w *runner) provenance(s *recipes.Stage, mixture []data.Part) []checkpoint.Corpus {
	var list []checkpoint.Corpus
	for i, name := range s.Sources() {
		p := w.corpora[name].Provenance
		c := checkpoint.Corpus{
			Name: p.Name, Source: p.Source, Licence: p.Licence, Consent: p.Consent, Collected: p.Collected,
			SHA256: p.SHA256, Train: w.corpora[name].Train.SHA256, Documents: p.Rows, Cleaning: leftOut(w.corpora[name].Manifest),
		}
		if len(mixture) > 0 {
			c.Share = mixture[i].Weight
		}
		list = append(list, c)
	}
	return list
}

// learned is the provenance of a run's report: its corpora as they are, and what steps of
// its stages had before they were changed, each with these steps; of tokenizers, where
// there was more than one.
func (w *runner) learned() []report.Corpus {
	var list, tokenizers []report.Corpus
	for _, name := range slices.Sorted(maps.Keys(w.corpora)) {
		p := w.corpora[name].Provenance
		list = append(list, report.Corpus{
			Name: p.Name, Source: p.Source, Licence: p.Licence, Consent: p.Consent, SHA256: p.SHA256, Rows: p.Rows, Bytes: p.Bytes,
		})
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
				note(&list, report.Corpus{Name: c.Name, Source: c.Source, Licence: c.Licence, Consent: c.Consent, SHA256: c.SHA256, Rows: c.Documents}, steps)
			}
			if o.Tokenizer != "" {
				note(&tokenizers, report.Corpus{Name: tokenizerInput, Source: w.r.Tokenizer.File, SHA256: o.Tokenizer}, steps)
			}
		}
	}
	if len(tokenizers) > 1 {
		list = append(list, tokenizers...)
	}
	return list
}

// leftOut counts what the cleaning of a corpus has left out, by reason.
func leftOut(m *corpus.Manifest) map[string]int64 {
	if m == nil {
		return nil
	}
	counts := map[string]int64{}
	maps.Copy(counts, m.Drops)
	if d := m.Duplicates; d != nil {
		counts["exact duplicate"], counts["near duplicate"] = int64(d.Exact), int64(d.Near)
	}
	maps.DeleteFunc(counts, func(_ string, n int64) bool { return n == 0 })
	return counts
}
