package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hone/eval"
	"hone/recipes"
	"hone/recipes/run"
)

func newPredict(t *terminal) *cobra.Command {
	var o run.PredictOptions
	var read readFlags
	writing := pflag.NewFlagSet("", pflag.ContinueOnError)
	c := &cobra.Command{
		Use:   "predict MODEL FILE|- [-o OUT]",
		Short: "add what a model predicts to the rows of a file",
		Long: `Adds what a model predicts of each row to the rows of a file. Rows stay in order, with all their
columns. The new columns are, as the kind of task has them:

  prediction     the label; a list of labels; a number; the chosen text; of token_labels a list with
                 the label of each word, null where a word was not read; of question_answering the
                 answer, null where none is likelier, unless the task's metrics are of SQuAD 1.1 or
                 KorQuAD, whose questions all have one; of text_to_text the text that the model writes
  finish_reason  of text_to_text: stop where the model has ended its text, or a text of --stop;
                 length where it has --max-tokens, or fills the model's context
  probability    of the prediction; of token_labels a list, null where a word has no token
  probabilities  of each label, or in their order of the choices
  entities       of token_labels whose labels are tags such as B-LOC: a list of text, type, start and
                 end, in characters of the words with a blank between each two (none where blanks are
                 words themselves), and score, the mean probability of the words' labels
  score          of question_answering the sum of the logits of the best answer's first and last token
  null_score     of question_answering the same sum of no answer, the least of all windows of the context
  start, end     of question_answering where the answer is, in characters of the context
  embedding      of retrieval the vector of the text that looks for others, as hone embed makes it; of
                 similarity prediction is the cosine of the vectors of the two texts
  truncated      true where the text was too long for the model, so that only a part was read; a context
                 is read in windows, so that this is of its question alone

MODEL is a checkpoint, a stage of a run, a Hugging Face directory or hf:ORG/NAME, with a head that
labels texts or words, finds answers, or gives a number. It reads the columns that it was trained on;
where it does not say, words, question and context, or the text. --text names others.

--abstain P leaves prediction null where it is less probable than P, and says how often; probabilities
and scores stay. Any number of labels are as probable as the least sure one, of those that apply and of
the others. Of token_labels each entity has its score, and below P no type and no labels; where labels
are no tags, each word has its probability. An answer's is 1/(1+e^(null_score−score)). Numbers and
written texts have none, and it is refused.

A model that writes texts is told by its task what stands in a prompt; one that was trained elsewhere
needs --task. It writes the likeliest token each time, and follows what else a generation_config.json
beside it says, unless options ask for something else; with --temperature it draws tokens. The texts
are the same in any order of rows. A prompt that leaves no room for its answer loses its beginning, or
of an encoder-decoder its end, and truncated is true.

` + rowsHelp,
		Example: "  printf '{\"text\": \"Package http provides HTTP\"}\\n' > new.jsonl\n  hone predict runs/quickstart/finetune new.jsonl\n  hone predict runs/quickstart/finetune new.jsonl -o labels.csv --abstain 0.9\n  hone predict runs/captions/tune captions.jsonl -o german.jsonl --num-beams 4",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := settle(&o.Write, c.Flags().Changed); err != nil {
				return recipes.Input(err)
			}
			writing.VisitAll(func(f *pflag.Flag) {
				if c.Flags().Changed(f.Name) {
					o.Asked = append(o.Asked, f.Name)
				}
			})
			return t.rows(c, args, &o.RowsOptions, &read, func(dir string, ro run.Options) (*run.Rowed, error) {
				return run.Predict(c.Context(), dir, o, ro)
			})
		},
	}
	writing.AddFlagSet(samplingFlags(&o.Write, eval.MostWritten))
	writing.AddFlagSet(beamFlags(&o.Write))
	o.Write.Temperature, writing.Lookup("temperature").DefValue = 0, "0"
	addRowsFlags(t, c, &o.RowsOptions, &read)
	f := c.Flags()
	f.AddFlagSet(writing)
	f.Float64Var(&o.Abstain, "abstain", 0, "leave null what is less probable: a prediction, the type and labels of an entity")
	f.StringVar(&o.Task, "task", "", "name or file of the task (default: the one that the model was trained for)")
	return c
}
