package corpus

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"hone/data/clean"
	"hone/data/source"
)

// Skipped counts the records that could not be read.
type Skipped struct {
	Count int64    `json:"count"`
	First []string `json:"first"` // what was wrong with the first of them
}

func skipped(s *source.Skips) *Skipped {
	if s == nil || s.Count() == 0 {
		return nil
	}
	return &Skipped{s.Count(), s.First()}
}

// newTypedShardSet is newShardSet for columns of any type.
func newTypedShardSet(dir string, columns []source.Column) (*shardSet, error) {
	s, err := newShardSet(dir)
	if err != nil {
		return nil, err
	}
	s.manifest.Columns = nil
	for _, c := range columns {
		s.manifest.Columns = append(s.manifest.Columns, c.Name)
	}
	for i, name := range splitNames {
		s.splits[i] = source.NewTypedShards(s.tmp, name, 0, columns)
	}
	return s, nil
}

// convertFiles converts files of any known format, with all columns that can be read;
// those of the text and the label are named text and label. earlier, which may be nil, is
// the manifest of an earlier conversion of these files, whose counts are added.
func convertFiles(ctx context.Context, files []sided, dir string, opt ConvertOptions, earlier *Manifest, progress func(done, total int64)) error {
	if err := opt.Rules.Check(); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	tables, total, err := describe(ctx, files, opt.Read)
	if err != nil {
		return err
	}
	columns, text, label, err := arrange(tables, opt)
	if err != nil {
		return err
	}
	if opt.Columns != nil {
		columns, text, label = keep(columns, text, label, opt.Columns)
	}
	if text < 0 && !opt.Rules.IsZero() {
		return fmt.Errorf("data: %s: rules need a text column, but none is given (hint: text = \"COLUMN\", or --text COLUMN)", files[0].path)
	}
	if opt.HoldEnds && !opt.Rules.IsZero() { // ends are of the texts as they come
		return convertTwice(ctx, files, dir, opt, earlier, progress)
	}
	if opt.Rules.Dedup == "near" {
		// The texts of candidates are read again to compare them.
		random, err := randomAccess(ctx, files)
		if err != nil {
			return err
		}
		if !random {
			return convertTwice(ctx, files, dir, opt, earlier, progress)
		}
	}
	if opt.HoldEnds && text < 0 {
		return fmt.Errorf("data: %s: holding out the ends of texts needs a text column, but none is given (hint: text = \"COLUMN\", or --text COLUMN)", files[0].path)
	}
	if text >= 0 && (opt.HoldEnds || !opt.Rules.IsZero()) {
		columns[text] = columns[text].AsText()
	}
	named := map[string]int{} // by their old names
	for i, c := range columns {
		named[c.Name] = i
	}
	s, err := newTypedShardSet(dir, rename(columns, text, label))
	if err != nil {
		return err
	}
	defer s.abandon()
	s.manifest.describe(opt, earlier)
	// Held-out files come first: of two duplicates, the one in the training split is dropped.
	slices.SortStableFunc(tables, func(a, b sidedTable) int { return int(b.side) - int(a.side) })
	held, err := heldBy(columns, text, opt)
	if err != nil {
		return fmt.Errorf("data: %s: %w", files[0].path, err)
	}
	c := &conversion{opt: opt, shards: s, columns: columns, named: named, text: text, label: label, words: -1, held: held}
	if i, ok := named[opt.Words]; ok && text < 0 {
		c.words = i
	}
	defer c.close()
	if err := c.prepare(tables); err != nil {
		return err
	}
	done := int64(0)
	for i, t := range tables {
		err := c.table(ctx, i, t, func(read int64) {
			if progress != nil {
				progress(min(done+read, total), total)
			}
		})
		if err != nil {
			return err
		}
		done += t.Size
	}
	m := &s.manifest
	m.Skipped = m.Skipped.and(skipped(opt.Read.Skips))
	if m.Splits[0].Rows+m.Splits[1].Rows+m.Splits[2].Rows == 0 {
		what := "text that stays"
		if text < 0 {
			what = "rows"
		}
		return fmt.Errorf("data: %s: the corpus is empty: its files have no %s%s", filepath.Dir(files[0].path), what, countDrops(m))
	}
	return s.publish()
}

func randomAccess(ctx context.Context, files []sided) (bool, error) {
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if random, err := source.RandomAccess(f.path); !random || err != nil {
			return false, err
		}
	}
	return true, nil
}

// convertTwice converts files as they are, then applies the rules.
func convertTwice(ctx context.Context, files []sided, dir string, opt ConvertOptions, earlier *Manifest, progress func(done, total int64)) error {
	tmp, err := temporary(dir)
	if err != nil {
		return fmt.Errorf("data: convert: %w", err)
	}
	defer os.RemoveAll(tmp)
	all := filepath.Join(tmp, "all")
	first := opt
	first.Rules = clean.Rules{}
	if opt.HoldEnds {
		opt.Shares, opt.HoldEnds = clean.Shares{}, false
	} else {
		first.Shares = clean.Shares{}
	}
	if err := convertFiles(ctx, files, all, first, earlier, part(progress, 0)); err != nil {
		return err
	}
	m, err := readManifest(all)
	if err != nil {
		return err
	}
	opt.Text, opt.Label, opt.Read = "", "", source.Options{MaxBatch: opt.Read.MaxBatch}
	return convertFiles(ctx, m.files(all), dir, opt, m, part(progress, 1))
}

// part gives the progress function of the first (0) or second (1) half of the work.
func part(progress func(done, total int64), half int64) func(done, total int64) {
	return func(done, total int64) {
		if progress != nil {
			progress(half*total+done, 2*total)
		}
	}
}

// describe sets the description of the corpus and the counts of an earlier conversion.
func (m *Manifest) describe(opt ConvertOptions, earlier *Manifest) {
	m.Name, m.Source, m.Licence, m.Consent, m.Collected = opt.Name, opt.Source, opt.Licence, opt.Consent, opt.Collected
	if opt.Rules.Dedup != "" {
		r := opt.Rules.WithDefaults()
		m.Duplicates = &Duplicates{NGram: clean.DedupNGram, Threshold: r.Threshold}
		if r.Dedup == "exact" {
			m.Duplicates.NGram, m.Duplicates.Threshold = 0, 1
		}
	}
	if earlier == nil {
		return
	}
	for _, o := range []struct{ to, from *string }{
		{&m.Name, &earlier.Name}, {&m.Source, &earlier.Source}, {&m.Licence, &earlier.Licence},
		{&m.Consent, &earlier.Consent}, {&m.Collected, &earlier.Collected},
	} {
		if *o.to == "" {
			*o.to = *o.from
		}
	}
	maps.Copy(m.Drops, earlier.Drops)
	m.Skipped = earlier.Skipped
	if d := earlier.Duplicates; d != nil && m.Duplicates == nil {
		m.Duplicates = d
	} else if d != nil {
		// The documents that an earlier search has left out are counted too.
		m.Duplicates.Documents, m.Duplicates.Exact, m.Duplicates.Near = d.Exact+d.Near, d.Exact, d.Near
	}
}

// and adds the records that were skipped later.
func (k *Skipped) and(more *Skipped) *Skipped {
	if k == nil || more == nil {
		return cmp.Or(k, more)
	}
	return &Skipped{k.Count + more.Count, slices.Concat(k.First, more.First)}
}

// A conversion writes the rows of tables that are kept.
type conversion struct {
	opt         ConvertOptions
	shards      *shardSet
	columns     []source.Column
	named       map[string]int // columns by name
	text, label int            // of columns, -1: none
	words       int            // of columns, in place of the text where there is none; -1: none
	held        int            // of columns: its hash decides what is held out; -1: the text's
	filter      *clean.Filter  // nil: all stay as they are
	index       *clean.Index   // nil: duplicates stay
	files       []*source.File // of near duplicates, to read texts again; nil: no text
	rows        []cleaned
	ends        *ends // of the table; nil: documents are held out whole
}

// rowBits is the number of bits of an index's id that hold the row; the others hold the table.
const rowBits = 40

// prepare makes the filter and the index of the rules.
func (c *conversion) prepare(tables []sidedTable) error {
	if c.opt.Rules.IsZero() {
		return nil
	}
	c.filter = clean.NewFilter(c.opt.Rules)
	if c.opt.Rules.Dedup == "near" {
		name := c.columnNamed(c.text)
		for _, t := range tables {
			f, err := source.Open(t.Path)
			if err != nil {
				return err
			}
			f.Limit(c.opt.Read.MaxBatch)
			c.files = append(c.files, f)
			if f.Readable(name) {
				if err := f.Select(name); err != nil {
					return err
				}
			}
		}
	}
	if c.opt.Rules.Dedup != "" {
		c.index = clean.NewIndex(c.opt.Rules, func(id int64) (string, error) {
			b, row, err := c.files[id>>rowBits].Row(id & (1<<rowBits - 1))
			if err != nil {
				return "", err
			}
			text, _ := b.Text(0, row)
			text, _ = c.filter.Apply(text)
			return text, nil
		})
	}
	return nil
}

func (c *conversion) columnNamed(i int) string {
	if i < 0 {
		return ""
	}
	return c.columns[i].Name
}

func (c *conversion) close() {
	for _, f := range c.files {
		f.Close() // only read
	}
}

// table converts the rows of table number i.
func (c *conversion) table(ctx context.Context, i int, t sidedTable, progress func(read int64)) error {
	var names []string
	for _, col := range c.columns {
		if _, err := t.Column(col.Name); err == nil {
			names = append(names, col.Name)
		}
	}
	sc, err := t.Scan(ctx, names...)
	if err != nil {
		return err
	}
	from := slices.Repeat([]int{-1}, len(c.columns))
	for i, col := range sc.Columns() {
		from[c.named[col.Name]] = i
	}
	if c.ends = nil; c.opt.HoldEnds && t.side == clean.Train {
		if c.ends, err = findEnds(ctx, t.Table, c.columnNamed(c.text), c.opt.Shares); err != nil {
			return err
		}
	}
	for row := int64(0); ; {
		if err = ctx.Err(); err != nil {
			break
		}
		var b *source.Batch
		if b, err = sc.Next(); err != nil {
			break
		}
		if err = c.batch(b, from, t.side, int64(i)<<rowBits|row); err != nil {
			break
		}
		row += int64(b.Rows)
		if len(c.shards.labels) > maxLabels {
			if c.opt.Label != "" {
				err = tooManyLabels(t.Path)
				break
			}
			c.label, c.shards.labels = -1, nil // under the usual name: these are no labels
		}
		progress(sc.Done())
	}
	if e := sc.Close(); err == io.EOF {
		err = e
	}
	return err
}

// batch converts a batch whose rows are numbered from first on. Column i of the output is
// column from[i] of the batch.
func (c *conversion) batch(b *source.Batch, from []int, side clean.Split, first int64) error {
	m := &c.shards.manifest
	c.clean(b, from)
	for row := range c.rows {
		r := &c.rows[row]
		if r.reason == "" && c.index != nil {
			m.Duplicates.Documents++
			verdict, err := c.index.Insert(first+int64(row), &r.signature)
			if err != nil {
				return err
			}
			switch verdict {
			case clean.Exact:
				m.Duplicates.Exact++
				continue
			case clean.Near:
				m.Duplicates.Near++
				continue
			}
		}
		if r.reason != "" {
			m.Drops[r.reason]++
			continue
		}
		name, has := "", false
		if c.label >= 0 && from[c.label] >= 0 {
			name, has = labelAt(b, from[c.label], row)
		}
		if c.ends != nil {
			for to, text := range c.ends.cut(r.text) {
				if text != "" {
					c.shards.splits[to].AppendText(b, row, from, c.text, text)
					c.shards.count(clean.Split(to), len(text), name, has)
				}
			}
			continue
		}
		to := side
		if to == clean.Train && c.opt.Shares != (clean.Shares{}) {
			key := r.text
			if c.held >= 0 && from[c.held] >= 0 {
				if value, ok := b.Text(from[c.held], row); ok { // what belongs to no group is one by itself
					key = value
				}
			}
			to = c.opt.Shares.Assign(clean.Key(key))
		}
		if c.filter != nil || c.opt.HoldEnds {
			c.shards.splits[to].AppendText(b, row, from, c.text, r.text)
		} else {
			c.shards.splits[to].AppendRow(b, row, from)
		}
		c.shards.count(to, len(r.text), name, has)
	}
	return nil
}

// cleaned is a normalised text, or the reason why its row is dropped.
type cleaned struct {
	text      string
	reason    string
	signature clean.Signature
}

// clean applies the rules to the texts of a batch on all processors.
func (c *conversion) clean(b *source.Batch, from []int) {
	c.rows = slices.Grow(c.rows[:0], b.Rows)[:b.Rows]
	workers := 1
	if c.filter != nil {
		workers = max(1, min(runtime.GOMAXPROCS(0), b.Rows))
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for row := w; row < b.Rows; row += workers {
				c.rows[row] = c.cleanText(b, from, row)
			}
		})
	}
	wg.Wait()
}

func (c *conversion) cleanText(b *source.Batch, from []int, row int) (r cleaned) {
	if c.text < 0 {
		if c.words >= 0 && from[c.words] >= 0 {
			words, _ := b.Words(from[c.words], row)
			r.text = source.JoinWords(words)
		}
		return r
	}
	ok := false
	if from[c.text] >= 0 {
		r.text, ok = b.Text(from[c.text], row)
	}
	if !ok {
		r.reason = "null text"
		return r
	}
	if c.filter != nil {
		r.text, r.reason = c.filter.Apply(r.text)
	}
	if r.reason == "" && c.index != nil {
		r.signature = c.index.Sign(r.text)
	}
	return r
}

// heldBy gives the column whose hash decides what is held out; -1: it is the text's.
func heldBy(columns []source.Column, text int, opt ConvertOptions) (int, error) {
	if opt.Shares == (clean.Shares{}) || opt.HoldEnds {
		return -1, nil
	}
	if name := opt.Group; name != "" {
		at := slices.IndexFunc(columns, func(c source.Column) bool { return c.Name == name })
		if at < 0 {
			return -1, fmt.Errorf("no column %q, whose values are held out together", name)
		}
		if at == text {
			at = -1
		}
		return at, nil
	}
	if text >= 0 || opt.Words != "" {
		return -1, nil
	}
	return slices.IndexFunc(columns, func(c source.Column) bool { return c.Messages() || c.IDs() }), nil
}

// arrange gives the columns of all tables, and the indices of the text and the label
// (-1: none).
func arrange(tables []sidedTable, opt ConvertOptions) (columns []source.Column, text, label int, err error) {
	all := make([]*source.Table, len(tables))
	for i, t := range tables {
		all[i] = t.Table
	}
	columns = source.Unite(all, append([]string{opt.Text, opt.Label}, opt.Columns...)...)
	find := func(name string) int {
		return slices.IndexFunc(columns, func(c source.Column) bool { return c.Name == name })
	}
	named := func(name string) (int, error) {
		i := find(name)
		if i >= 0 {
			return i, nil
		}
		_, err := tables[0].Column(name) // which says what there is
		if err == nil {
			err = fmt.Errorf("data: %s: no column %q", tables[0].Path, name)
		}
		return -1, err
	}
	text, label = find("text"), find("label")
	if text >= 0 && !columns[text].Scalar() && opt.Text == "" {
		text = -1
	}
	if label >= 0 && !columns[label].Scalar() {
		label = -1
	}
	if opt.Text != "" || text < 0 && opt.Words == "" && !slices.ContainsFunc(columns, func(c source.Column) bool { return c.Messages() || c.IDs() }) {
		want := opt.Text
		if want == "" {
			want = "text"
		}
		if text, err = named(want); err != nil {
			return nil, 0, 0, err
		}
	}
	if opt.Label != "" {
		if label, err = named(opt.Label); err != nil {
			return nil, 0, 0, err
		}
	}
	for _, i := range []int{text, label} {
		for _, t := range tables {
			if i < 0 {
				continue
			}
			if c, err := t.Column(columns[i].Name); err != nil {
				continue // it may lack it
			} else if err := c.NotText(); err != nil {
				return nil, 0, 0, fmt.Errorf("data: %s: %w", t.Path, err)
			}
		}
	}
	return columns, text, label, nil
}

// keep selects the columns of the text and the label, and those with the given names.
func keep(columns []source.Column, text, label int, names []string) (kept []source.Column, keptText, keptLabel int) {
	keptText, keptLabel = -1, -1
	for i, c := range columns {
		if i == text {
			keptText = len(kept)
		}
		if i == label {
			keptLabel = len(kept)
		}
		if i == text || i == label || slices.Contains(names, c.Name) {
			kept = append(kept, c)
		}
	}
	return kept, keptText, keptLabel
}

// rename gives the columns of the text and the label their usual names. Another column
// with such a name becomes original_NAME.
func rename(columns []source.Column, text, label int) []source.Column {
	columns = slices.Clone(columns)
	for i, c := range columns {
		switch {
		case i == text:
			columns[i] = c.Renamed("text")
		case i == label:
			columns[i] = c.Renamed("label")
		case c.Name == "text" && text >= 0, c.Name == "label" && label >= 0:
			columns[i] = c.Renamed("original_" + c.Name)
		}
	}
	return columns
}
