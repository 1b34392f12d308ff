package corpus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// FewOfEach keeps of the training split n documents of each label, drawn by seed, as label says what the label of a
// record is; ok is false for one without. It gives the labels that have fewer.
func (c *Corpus) FewOfEach(ctx context.Context, n int, seed uint64, label func(r *Record) (name string, ok bool, err error)) (fewer []string, err error) {
	type drawn struct {
		rank [sha256.Size]byte
		row  int64
	}
	of := map[string][]drawn{}
	for i := range c.Train.Rows() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := c.Train.Record(i)
		if err != nil {
			return nil, err
		}
		name, ok, err := label(&r)
		if err != nil {
			return nil, fmt.Errorf("data: %s: %w", Where(c.Train, i, &r), err)
		}
		if !ok {
			continue
		}
		key := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, seed), uint64(i))
		of[name] = append(of[name], drawn{sha256.Sum256(key), i})
	}
	var rows []int64
	bytesOf, labels := int64(0), map[string]int64{}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		list := of[name]
		slices.SortFunc(list, func(a, b drawn) int { return bytes.Compare(a.rank[:], b.rank[:]) })
		if len(list) < n {
			fewer = append(fewer, name)
		}
		for _, d := range list[:min(n, len(list))] {
			rows = append(rows, d.row)
		}
	}
	slices.Sort(rows)
	for _, row := range rows {
		r, err := c.Train.Record(row)
		if err != nil {
			return nil, err
		}
		bytesOf += int64(len(r.Text))
		labels[r.Label]++
	}
	few := *c.Train
	few.only, few.rows, few.labelled, few.textBytes = rows, int64(len(rows)), int64(len(rows)), bytesOf
	few.note(fmt.Sprintf("%d of each label, seed %d", n, seed))
	c.Train = &few
	if c.Manifest != nil {
		m := *c.Manifest
		m.Splits, m.Labels = slices.Clone(m.Splits), slices.Clone(m.Labels)
		for i := range m.Splits {
			if s := &m.Splits[i]; s.Name == few.Name {
				s.Rows, s.Labelled, s.TextBytes = few.rows, few.labelled, bytesOf
			}
		}
		for i := range m.Labels {
			m.Labels[i].Train = labels[m.Labels[i].Name]
		}
		c.Manifest = &m
	}
	return fewer, nil
}
