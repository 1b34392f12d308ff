package run

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hone/data/corpus"
	"hone/eval"
	"hone/recipes"
	"hone/trainer/model"
)

// labelsOf are the classes that a stage tells apart, in the order of its model: those of the
// trained head that it starts from, where they are the corpus's; else those of the corpus.
func labelsOf(r *recipes.Recipe, s *recipes.Stage, c *corpus.Corpus) []string {
	if order, err := keptLabels(r, s, c); err == nil {
		return order
	}
	return c.Labels
}

// keptLabels are the labels of the classifier that a stage starts from, by the corpus's names;
// an error says why its head is of no use.
func keptLabels(r *recipes.Recipe, s *recipes.Stage, c *corpus.Corpus) ([]string, error) {
	if s.Kind != "finetune" || !r.IsBase(s) || r.Base.Head != model.Classifier {
		return nil, fmt.Errorf("%s has no head for it", s.From)
	}
	return matchLabels(c, r.Base.Config.Labels())
}

// matchLabels finds the labels of a corpus among those of a model, by name: it returns the
// model's, in their order, as the corpus spells them. Case makes no difference where no two
// names differ by it alone; LABEL_0, LABEL_1…, as transformers calls classes without names,
// are 0, 1….
func matchLabels(c *corpus.Corpus, labels []string) ([]string, error) {
	order := slices.Clone(labels)
	var missing []string
	for _, name := range c.Labels {
		at := slices.Index(labels, name)
		if at < 0 {
			at = onlyIndex(labels, func(l string) bool { return strings.EqualFold(l, name) })
		}
		if at < 0 && unnamed(labels) {
			at = slices.Index(labels, "LABEL_"+name)
		}
		if at < 0 || order[at] != labels[at] { // or two of the corpus are one of the model
			missing = append(missing, name)
			continue
		}
		order[at] = name
	}
	if len(missing) > 0 || len(c.Labels) == 0 {
		return nil, fmt.Errorf("the labels of corpus %s (%s) are not those of the model (%s): it has no %s",
			c.Provenance.Name, recipes.Listed(c.Labels), recipes.Listed(labels), recipes.Listed(missing))
	}
	return order, nil
}

// onlyIndex is the place of the only string that is meant; -1: there is none, or several.
func onlyIndex(list []string, meant func(string) bool) int {
	at := slices.IndexFunc(list, meant)
	if at >= 0 && slices.ContainsFunc(list[at+1:], meant) {
		return -1
	}
	return at
}

// unnamed tells whether labels are those of a model whose classes have no names.
func unnamed(labels []string) bool {
	for i, l := range labels {
		if l != "LABEL_"+strconv.Itoa(i) {
			return false
		}
	}
	return true
}

// unlabelled is an error where a split that needs labels has none.
func unlabelled(c *corpus.Corpus, split *corpus.Split, what string) error {
	if split == nil || split.Labelled() > 0 {
		return nil
	}
	return fmt.Errorf("no document of split %s of corpus %s has a label %s (hint: label names the column)", split.Name, c.Provenance.Name, what)
}

// canFit checks that a corpus has what baselines are fitted to.
func canFit(c *corpus.Corpus, names []string) error {
	for _, name := range names {
		if name == eval.BaselineRandomInit {
			continue
		}
		need := []*corpus.Split{c.Train}
		if name == eval.BaselineNaiveBayes || name == eval.BaselineMarkov {
			need = append(need, c.Validation)
		}
		for i, s := range need {
			if s == nil || s.Rows() == 0 {
				return fmt.Errorf("baseline %s is fitted to split %s, where corpus %s has no documents", name, []string{"train", "validation"}[i], c.Provenance.Name)
			}
		}
		if name != eval.BaselineNaiveBayes && name != eval.BaselineMajority {
			continue
		}
		for _, s := range need {
			if err := unlabelled(c, s, "for baseline "+name); err != nil {
				return err
			}
		}
	}
	return nil
}

// labelled checks that stages have the labels that they need, and evaluations those of their
// models.
func labelled(r *recipes.Recipe, corpora map[string]*corpus.Corpus) error {
	for i := range r.Stages {
		s := &r.Stages[i]
		c := stageCorpus(corpora, s)
		switch s.Kind {
		case "finetune":
			for _, need := range []struct {
				split *corpus.Split
				what  string
			}{{c.Train, "to learn"}, {c.Validation, "to watch the training with"}} {
				if err := unlabelled(c, need.split, need.what); err != nil {
					return fmt.Errorf("stage %s: %w", s.Name, err)
				}
			}
			if len(c.Labels) < 2 {
				return fmt.Errorf("stage %s: corpus %s has %d labels; classification needs 2 or more", s.Name, c.Provenance.Name, len(c.Labels))
			}
		case "evaluate":
			if err := canFit(c, s.Baselines); err != nil {
				return fmt.Errorf("stage %s: %w", s.Name, err)
			}
			for _, name := range s.Models {
				m, err := r.Stage(name)
				if err != nil || m.Kind != "finetune" {
					continue
				}
				split := c.Validation
				if s.Split == "test" {
					split = c.Test
				}
				if err := unlabelled(c, split, "to compare with"); err != nil {
					return fmt.Errorf("stage %s: %w", s.Name, err)
				}
				if _, err := matchLabels(c, labelsOf(r, m, stageCorpus(corpora, m))); err != nil {
					return fmt.Errorf("stage %s: %s: %w", s.Name, name, err)
				}
			}
		}
	}
	return nil
}
