package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// squadReader reads the questions of a file in the form of SQuAD 1 and 2, which KorQuAD 1 and XQuAD have
// too: articles of paragraphs of a context with questions. A row is a question, with the columns
// that the data set has on the hub: id, title, context, question, and answers, a struct of the lists text
// and answer_start (in characters of the context). Where a question is marked as impossible, its
// lists are empty; where it has no answers at all, they are null.
type squadReader struct {
	articles *jsonReader
	article  int
	left     []squadRow // of the article
}

type squadRow struct {
	id, title, context, question string
	answers                      []squadAnswer
	null                         bool
}

type squadAnswer struct {
	Text  *string `json:"text"`
	Start *int64  `json:"answer_start"`
}

func newSQuADReader(r io.Reader) *squadReader { return &squadReader{articles: newJSONReader(r, nil)} }

func (q *squadReader) columns() []Column {
	text := arrow.ListOfField(arrow.Field{Name: "item", Type: arrow.BinaryTypes.String, Nullable: true})
	start := arrow.ListOfField(arrow.Field{Name: "item", Type: arrow.PrimitiveTypes.Int64, Nullable: true})
	t := arrow.StructOf(arrow.Field{Name: "text", Type: text, Nullable: true}, arrow.Field{Name: "answer_start", Type: start, Nullable: true})
	return append(textColumns("id", "title", "context", "question"), Column{Name: "answers", Type: typeName(t), Nullable: true, arrow: t})
}

func (q *squadReader) count() int64 { return -1 }
func (q *squadReader) close() error { return nil }

func (q *squadReader) next(s *Scanner) (*Batch, error) {
	b := newRowBuilder(s)
	for !b.full() {
		if len(q.left) == 0 {
			err := q.load(s)
			if err == io.EOF {
				if b.rows == 0 {
					return nil, io.EOF
				}
				break
			}
			if err != nil {
				return nil, err
			}
			continue
		}
		row := &q.left[0]
		q.left = q.left[1:]
		for i, c := range s.selected {
			if c < 4 {
				text := [...]string{row.id, row.title, row.context, row.question}[c]
				b.Field(i).(*array.StringBuilder).Append(text)
				b.bytes += len(text)
				continue
			}
			to := b.Field(i).(*array.StructBuilder)
			if row.null {
				to.AppendNull()
				continue
			}
			to.Append(true)
			texts, starts := to.FieldBuilder(0).(*array.ListBuilder), to.FieldBuilder(1).(*array.ListBuilder)
			texts.Append(true)
			starts.Append(true)
			for _, a := range row.answers {
				texts.ValueBuilder().(*array.StringBuilder).Append(*a.Text)
				starts.ValueBuilder().(*array.Int64Builder).Append(*a.Start)
				b.bytes += len(*a.Text) + 8
			}
		}
		b.rows++
	}
	return b.batch(), nil
}

// load reads the questions of the next article.
func (q *squadReader) load(s *Scanner) error {
	if q.articles.values == nil {
		q.articles.values = &valueReader{lines: newLineReader(q.articles.in, s.table.opt.bound()), path: []string{"data"}}
	}
	text, where, err := q.articles.read(s)
	if err != nil {
		return err // also of one article: the rest of its file cannot be trusted
	}
	q.article++
	var a struct {
		Title      string `json:"title"`
		Paragraphs []struct {
			Context *string `json:"context"`
			QAs     []struct {
				ID         json.RawMessage `json:"id"`
				Question   *string         `json:"question"`
				Answers    *[]squadAnswer  `json:"answers"`
				Impossible bool            `json:"is_impossible"`
			} `json:"qas"`
		} `json:"paragraphs"`
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("%s: article %d: %w", where, q.article, err)
	}
	q.left = q.left[:0]
	for p, paragraph := range a.Paragraphs {
		for i, qa := range paragraph.QAs {
			row := squadRow{id: string(bytes.Trim(qa.ID, `"`)), title: a.Title, null: qa.Answers == nil && !qa.Impossible}
			fault := ""
			switch {
			case paragraph.Context == nil:
				fault = "has no context"
			case qa.Question == nil:
				fault = "has no question"
			default:
				row.context, row.question = *paragraph.Context, *qa.Question
			}
			if qa.Answers != nil && !qa.Impossible {
				row.answers = *qa.Answers
			}
			for _, answer := range row.answers {
				if answer.Text == nil || answer.Start == nil {
					fault = "has an answer without text or answer_start"
				}
			}
			if fault != "" {
				if err := s.skip(fmt.Errorf("%s: article %d: question %d of paragraph %d (%s) %s", where, q.article, i+1, p+1, row.id, fault)); err != nil {
					return err
				}
				continue
			}
			q.left = append(q.left, row)
		}
	}
	return nil
}

var squadHead = regexp.MustCompile(`^\s*\{\s*("version"\s*:\s*"[^"]*"\s*,\s*)?"data"\s*:\s*\[\s*\{\s*("title"\s*:\s*"[^"]*"\s*,\s*)?"paragraphs"\s*:\s*\[`)

// looksSQuAD reports whether a JSON file begins as one of questions.
func looksSQuAD(head []byte) bool { return squadHead.Match(bytes.TrimPrefix(head, []byte("\ufeff"))) }
