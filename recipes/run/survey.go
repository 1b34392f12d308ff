package run

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"text/tabwriter"
	"unicode/utf8"

	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/recipes"
)

// A PlanSplit is a split of a corpus in a Plan.
type PlanSplit struct {
	Corpus     string  `json:"corpus"`
	Split      string  `json:"split"`
	Files      int     `json:"files"`
	Documents  int64   `json:"documents"`
	TextBytes  int64   `json:"text_bytes"`
	Tokens     float64 `json:"tokens"` // about
	Unlabelled int64   `json:"unlabelled,omitempty"`
	// Shared is how many texts of a held-out split, of Compared, are in a training split too.
	Shared   int64 `json:"shared,omitempty"`
	Compared int64 `json:"compared,omitempty"`
}

// A surveyed recipe is one whose corpora have been read through.
type surveyed struct {
	r       *recipes.Recipe
	names   []string
	splits  [][]corpus.SplitSurvey // of each corpus
	perByte []float64              // tokens, of each corpus
	around  int                    // special tokens around each document
}

// survey reads through all corpora of a recipe.
func survey(ctx context.Context, r *recipes.Recipe, corpora map[string]*corpus.Corpus, o Options) (*surveyed, error) {
	v := &surveyed{r: r, names: slices.Sorted(maps.Keys(corpora)), around: 1}
	if t := r.Tokenizer; t.BOS != "" && t.EOS != "" {
		v.around = 2
	}
	tok, err := plannedTokenizer(r)
	if err != nil {
		return nil, recipes.Input(err)
	}
	var list []*corpus.Corpus
	for _, name := range v.names {
		c := corpora[name]
		list = append(list, c)
		n, err := tokensPerByte(r, ctx, tok, c.Splits()[0])
		if err != nil {
			return nil, recipes.Input(err)
		}
		v.perByte = append(v.perByte, n)
	}
	bar := o.Bar("reading documents", "documents")
	defer bar.Close()
	v.splits, err = corpus.Survey(ctx, list, recipes.Progress(bar))
	return v, recipes.Input(err)
}

// tokensPerByte estimates the tokens per byte of a split. They are counted in some documents where
// the tokenizer is there, or where its tokens have a fixed number of characters.
func tokensPerByte(r *recipes.Recipe, ctx context.Context, tok tokenizer.Tokenizer, split *corpus.Split) (float64, error) {
	const most, enough = 256, 1 << 20 // documents, bytes
	count := func(text string) int { return len(tok.Encode(nil, text)) }
	if _, ok := tok.(planned); ok {
		each := map[string]int{"char": 1, "kmer": r.Tokenizer.K}[r.Tokenizer.Kind]
		if each == 0 {
			return 1 / BytesPerToken, nil
		}
		count = func(text string) int { return (utf8.RuneCountInString(text) + each - 1) / each }
	}
	tokens, bytes := 0, 0
	n := min(split.Rows(), most)
	for i := range n {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		rec, err := split.Record(i * split.Rows() / n)
		if err != nil {
			return 0, err
		}
		text := rec.Text[:min(len(rec.Text), enough)]
		tokens, bytes = tokens+count(text), bytes+len(text)
		if bytes >= enough {
			break
		}
	}
	if tokens == 0 {
		return 1 / BytesPerToken, nil
	}
	return float64(tokens) / float64(bytes), nil
}

// plan lists the splits.
func (v *surveyed) plan() (list []PlanSplit) {
	for i, splits := range v.splits {
		for _, s := range splits {
			p := PlanSplit{
				Corpus: v.names[i], Split: s.Name, Files: s.Files, Documents: s.Documents, TextBytes: s.TextBytes,
				Tokens: math.Round(s.Tokens(v.perByte[i], 0, 0)), Unlabelled: s.Unlabelled,
			}
			if v.tasked(v.names[i]) { // whose examples have been read, and what they lack said
				p.Unlabelled = 0
			}
			if s.Shared != nil {
				p.Shared, p.Compared = s.Shared.Shared, s.Shared.Rows
			}
			list = append(list, p)
		}
	}
	return list
}

// tasked says that a corpus is read by tasks with columns of their own.
func (v *surveyed) tasked(name string) bool {
	return slices.ContainsFunc(v.r.Stages, func(s recipes.Stage) bool { return s.TaskOf() != nil && slices.Contains(s.Sources(), name) })
}

// warnings are about the corpora, whatever the stages do with them.
func (v *surveyed) warnings() (list []string) {
	for i, splits := range v.splits {
		for _, s := range splits {
			if x := s.Shared; x != nil && x.Shared > 0 {
				list = append(list, fmt.Sprintf("corpus %s: %d of the %d texts of split %s are in a training split too: a model may have memorised them (hint: dedup = \"exact\" leaves them out of training)",
					v.names[i], x.Shared, x.Rows, s.Name))
			}
			if s.TooLong > 0 {
				list = append(list, fmt.Sprintf("corpus %s: %d of the %d documents of split %s are longer than %d bytes, and are left out (hint: separator cuts plain text into documents)",
					v.names[i], s.TooLong, s.Documents, s.Name, corpus.MaxDocBytes))
			}
		}
	}
	return list
}

// stage estimates how many documents a step of a stage sees, and how many epochs its steps are.
// warning says what is wrong with that; "": nothing.
func (v *surveyed) stage(s *recipes.Stage, windows bool) (documentsPerStep, epochs float64, warning string) {
	step := float64(s.BatchSize * s.SequenceLength)
	documents, tokens, long, bytes := 0.0, 0.0, 0.0, 0.0
	for i, name := range v.names {
		if !slices.Contains(s.Sources(), name) {
			continue
		}
		for _, t := range v.splits[i] {
			if t.Name != "train" {
				continue
			}
			share, most := 1.0, 0
			if of := data.TaskOf(s.Learns()); of != nil { // the end of a longer document is cut
				most = s.SequenceLength
				if of.Kind.Labels == task.OneOf { // others are in columns of their own
					share = 1 - float64(t.Unlabelled)/float64(max(1, t.Documents))
				}
			}
			documents += float64(t.Documents-t.TooLong) * share
			tokens += t.Tokens(v.perByte[i], v.around, most) * share
			long += t.LongerThan(int64(step/v.perByte[i])) * float64(t.TextBytes)
			bytes += float64(t.TextBytes)
		}
	}
	if documents == 0 || tokens == 0 {
		return 0, 0, fmt.Sprintf("stage %s: there are no documents to train on", s.Name)
	}
	documentsPerStep = step / (tokens / documents)
	if !s.Learns().OfText() {
		documentsPerStep = min(documentsPerStep, float64(s.BatchSize*s.MaxSequences))
	}
	epochs = documentsPerStep * float64(s.Steps) / documents
	if windows { // a row is of one document, at least
		documentsPerStep = max(documentsPerStep, min(documents, float64(s.BatchSize)))
	} else if s.Learns().OfText() && v.r.Model.Memory(s.Head()) == 0 && long > bytes/2 {
		warning = fmt.Sprintf("stage %s: a step of %.0f tokens sees about %.2g documents of %.0f tokens each, so that its %d rows come mostly from one document (hint: separator = \"\\n\\n\" makes documents of the paragraphs of plain text; random_windows = true begins rows at random places)",
			s.Name, step, documentsPerStep, tokens/documents, s.BatchSize)
	}
	return documentsPerStep, epochs, warning
}

// counted says how many documents a step of a stage sees, and how many epochs its steps are, from the rows that some
// documents of its task fill; 0: they cannot be counted, for the tokenizer is not there yet, or there is a mixture.
func counted(ctx context.Context, r *recipes.Recipe, s *recipes.Stage, corpora map[string]*corpus.Corpus) (documentsPerStep, epochs float64, err error) {
	tok, err := plannedTokenizer(r)
	if _, planned := tok.(planned); err != nil || planned || len(s.Mixture) > 0 {
		return 0, 0, err
	}
	train := stageCorpus(corpora, s).Train
	read := trainConfig(r, s, corpora, tok)
	read.Records = few{train, min(sampled, train.Rows())}
	n, err := data.Count(ctx, read)
	if err != nil || n.Documents == 0 {
		return 0, 0, err
	}
	documentsPerStep = float64(s.BatchSize*s.SequenceLength) * float64(n.Documents) / float64(n.Positions)
	documents := float64(train.Rows()) * float64(n.Documents) / float64(min(sampled, train.Rows()))
	return documentsPerStep, documentsPerStep * float64(s.Steps) / documents, nil
}

// maxWindowBytes is the greatest text whose tokens are kept in memory without a key that says so.
const maxWindowBytes = 256 << 20

// windows reports whether the rows of a stage begin at random places of its corpus: where
// random_windows says so; and where it is not given and documents are longer on average than a
// step, so that all rows of a step would come from one.
func windows(r *recipes.Recipe, s *recipes.Stage, c *corpus.Corpus) bool {
	switch {
	case s.RandomWindows != nil:
		return *s.RandomWindows
	case !s.Learns().OfText() || len(s.Mixture) > 0 || s.NextSentence || r.Model.Memory(s.Head()) > 0 || c.Train == nil:
		return false
	}
	mean, err := c.Train.MeanBytes()
	if err != nil {
		return false // the loader will report it
	}
	return mean/BytesPerToken > float64(s.BatchSize*s.SequenceLength) && mean*float64(c.Train.Rows()) <= maxWindowBytes
}

// windowsNote says that the rows of a stage begin at random places although no key asks for it.
func windowsNote(s *recipes.Stage) string {
	return fmt.Sprintf("stage %s: documents are longer than a step of %d tokens, so that its %d rows would all come from one document: rows begin at random places of the text instead (random_windows = false reads documents in order)",
		s.Name, s.BatchSize*s.SequenceLength, s.BatchSize)
}

// printSplits prints the splits as a table.
func printSplits(w io.Writer, list []PlanSplit) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "corpus\tsplit\tfiles\tdocuments\twithout label\ttokens, about\ttokens/document\tin training too")
	for _, s := range list {
		shared := "–"
		if s.Split != "train" {
			shared = fmt.Sprintf("%d of %d", s.Shared, s.Compared)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%.0f\t%.0f\t%s\n", s.Corpus, s.Split, s.Files, s.Documents, s.Unlabelled, s.Tokens, s.Tokens/float64(max(1, s.Documents)), shared)
	}
	return t.Flush()
}
