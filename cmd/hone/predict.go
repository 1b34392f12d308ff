package main

import (
	"github.com/spf13/cobra"

	"hone/recipes/run"
)

func newPredict(t *terminal) *cobra.Command {
	var o run.PredictOptions
	var read readFlags
	c := &cobra.Command{
		Use:   "predict MODEL FILE|- [-o OUT]",
		Short: "add what a model predicts to the rows of a file",
		Long: `Adds what a model predicts of each row to the rows of a file. Rows stay in order, with all their
columns. The new columns are, as the kind of task has them:

  prediction     the label; a list of labels; a number; the chosen text; of token_labels a list with
                 the label of each word, null where a word was not read; of question_answering the
                 answer, null where none is likelier, unless the task's metrics are of SQuAD 1.1 or
                 KorQuAD, whose questions all have one
  probability    of the prediction; of token_labels a list, null where a word has no token
  probabilities  of each label, or in their order of the choices
  entities       of token_labels whose labels are tags such as B-LOC: a list of text, type, start and
                 end, in characters of the words with a blank between each two (none where blanks are
                 words themselves), and score, the mean probability of the words' labels
  score          of question_answering the sum of the logits of the best answer's first and last token
  null_score     of question_answering the same sum of no answer, the least of all windows of the context
  start, end     of question_answering where the answer is, in characters of the context
  truncated      true where the text was too long for the model, so that only a part was read; a context
                 is read in windows, so that this is of its question alone

MODEL is a checkpoint, a stage of a run, a Hugging Face directory or hf:ORG/NAME, with a head that
labels texts or words, finds answers, or gives a number. It reads the columns that it was trained on;
where it does not say, words, question and context, or the text. --text names others.

` + rowsHelp,
		Example: "  printf '{\"text\": \"Package http provides HTTP\"}\\n' > new.jsonl\n  hone predict runs/quickstart/finetune new.jsonl\n  hone predict runs/quickstart/finetune new.jsonl -o labels.csv --abstain 0.9",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return t.rows(c, args, &o.RowsOptions, &read, func(dir string, ro run.Options) (*run.Rowed, error) {
				return run.Predict(c.Context(), dir, o, ro)
			})
		},
	}
	addRowsFlags(c, &o.RowsOptions, &read)
	f := c.Flags()
	f.Float64Var(&o.Abstain, "abstain", 0, "leave prediction null where its probability is lower")
	f.StringVar(&o.Task, "task", "", "name or file of the task (default: the one that the model was trained for)")
	return c
}
