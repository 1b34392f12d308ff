package task

import (
	"context"
	"crypto/sha256"
	"fmt"

	"hone/data/corpus"
)

// Counts are what a split of a task has.
type Counts struct {
	Examples, Null, Unlabelled int64
	Labels                     map[string]int64 // examples of each label, of tasks with labels of a set
	Least, Greatest, Mean      float64          // of numbers
	Choices                    [2]int           // the least and the greatest number of choices
}

// Survey reads all examples of a split. Its error is that of the first record which the task
// cannot read, with its place.
func (t *Task) Survey(ctx context.Context, split corpus.Records) (*Counts, error) {
	c := &Counts{Labels: map[string]int64{}}
	for i := range split.Rows() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := split.Record(i)
		if err != nil {
			return nil, err
		}
		e, err := t.Example(&r)
		if err != nil {
			return nil, fmt.Errorf("task %s: %s: %w", t.Name, corpus.Where(split, i, &r), err)
		}
		switch {
		case e.Null:
			c.Null++
			continue
		case !e.HasLabel:
			c.Unlabelled++
			continue
		}
		switch t.Kind.Labels {
		case OneOf:
			c.Labels[e.Label]++
		case AnyOf, EachOf:
			for _, l := range e.Labels {
				c.Labels[l]++
			}
		}
		if c.Examples == 0 {
			c.Least, c.Greatest, c.Choices = e.Value, e.Value, [2]int{len(e.Choices), len(e.Choices)}
		}
		c.Examples++
		c.Choices = [2]int{min(c.Choices[0], len(e.Choices)), max(c.Choices[1], len(e.Choices))}
		c.Least, c.Greatest = min(c.Least, e.Value), max(c.Greatest, e.Value)
		c.Mean += (e.Value - c.Mean) / float64(c.Examples)
	}
	return c, nil
}

// Shared counts the examples of a split whose text, both texts or choices included, is that of an
// example in another, which the task of reads.
func (t *Task) Shared(ctx context.Context, of *Task, train, split corpus.Records) (n int64, err error) {
	read := func(t *Task, records corpus.Records, each func(key [sha256.Size]byte)) error {
		for i := range records.Rows() {
			if err := ctx.Err(); err != nil {
				return err
			}
			r, err := records.Record(i)
			if err != nil {
				return err
			}
			e, err := t.Example(&r)
			if err != nil {
				return fmt.Errorf("task %s: %s: %w", t.Name, corpus.Where(records, i, &r), err)
			}
			each(sha256.Sum256(fmt.Appendf(nil, "%q %q %q", e.Text, e.Pair, e.Choices)))
		}
		return nil
	}
	held := map[[sha256.Size]byte]int64{}
	if err := read(t, split, func(key [sha256.Size]byte) { held[key]++ }); err != nil {
		return 0, err
	}
	err = read(of, train, func(key [sha256.Size]byte) {
		n += held[key]
		delete(held, key)
	})
	return n, err
}
