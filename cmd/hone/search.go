package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hone/recipes"
	"hone/recipes/run"
)

func newSearch(t *terminal) *cobra.Command {
	var o run.SearchOptions
	var read readFlags
	var prompt, text string
	c := &cobra.Command{
		Use:   "search MODEL CORPUS --query TEXT",
		Short: "find the texts of a file that are nearest to a query",
		Long: `Finds the rows of CORPUS whose texts are nearest to a query in meaning, by the cosine of the
vectors that MODEL makes of both. Every row is compared, so that results are exact.

CORPUS is a file that hone embed has added vectors to, with the file .embedding.json beside it, which
says which model has made them: another model's are refused. Or it is a file of texts, in any format
of hone embed: their vectors are made once, and kept in the cache.

Where MODEL has prompts named "query" and "document", "passage" or "corpus", they stand before the
texts of the two sides; else its default prompt does. A plain text file of queries has one in each
line. With --json, stdout has the list queries, with each query and its hits: rank, row, score, text.`,
		Example: "  printf '{\"text\": \"cats sleep by day\"}\\n{\"text\": \"rivers flow to the sea\"}\\n' > articles.jsonl\n  hone embed all-MiniLM-L6-v2 articles.jsonl -o articles.arrow\n  hone search all-MiniLM-L6-v2 articles.arrow --query 'how do cats sleep' --top 5\n  echo 'where does a river end' > questions.txt\n  hone search all-MiniLM-L6-v2 articles.jsonl --queries questions.txt --json",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if o.Top < 1 {
				return recipes.Input(fmt.Errorf("search: --top %d: want 1 or more", o.Top))
			}
			if c.Flags().Changed("prompt") {
				o.Prompt = &prompt
			}
			if text != "" {
				o.Text = []string{text}
			}
			for _, q := range o.Queries {
				if strings.TrimSpace(q) == "" {
					return recipes.Input(errors.New("search: an empty query"))
				}
			}
			if err := read.set(&o.Read); err != nil {
				return err
			}
			dir, ro, err := modelOf(c.Context(), t, args[0])
			if err != nil {
				return err
			}
			o.Corpus = args[1]
			found, err := run.Search(c.Context(), dir, o, ro)
			if err != nil {
				return err
			}
			if t.json {
				return t.printJSON(map[string]any{"queries": found})
			}
			for i, f := range found {
				if i > 0 {
					fmt.Fprintln(t.out)
				}
				if len(found) > 1 {
					fmt.Fprintln(t.out, f.Query)
				}
				fmt.Fprintf(t.out, "%5s  %6s  %s\n", "row", "cosine", "text")
				for _, h := range f.Hits {
					fmt.Fprintf(t.out, "%5d  %6.3f  %s\n", h.Row, h.Score, oneLine(h.Text, 100))
				}
			}
			return nil
		},
	}
	t.adapterFlag(c)
	f := c.Flags()
	f.StringArrayVar(&o.Queries, "query", nil, "what to look for; may be given several times")
	f.StringVar(&o.File, "queries", "", "file of queries, in the column text or the only one of strings")
	f.IntVar(&o.Top, "top", 10, "number of rows that are shown for each query")
	f.StringVar(&text, "text", "", "name of the column of CORPUS with the text")
	f.StringVar(&o.Pooling, "pooling", "", "as in hone embed, for a model that does not say")
	f.StringVar(&prompt, "prompt", "", `name of the model's prompt that stands before each query; "": none (default: query, or the one that the model says)`)
	read.add(c)
	return c
}

// oneLine is the beginning of a text, of so many characters at most, in a line.
func oneLine(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
