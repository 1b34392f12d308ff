package recipes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"hone/checkpoint"
	"hone/data"
	"hone/data/tokenizer"
	"hone/eval/report"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// Options of a run, beside the recipe.
type Options struct {
	Dir     string // the run directory; "": runs/NAME
	Fresh   bool   // remove what an earlier run left
	Command string // that the user gave, for the report
	// Accept goes on with a run whose corpora, tokenizer or checkpoint to start from have
	// changed; the provenance keeps what each of its steps had.
	Accept bool
	Cache  string // where converted corpora lie
	Say    func(line string)
	Bar    func(title, unit string) Bar
	// Hold is called before a stage is trained, and release after: in between, a program
	// that is interrupted has a step to finish and save. It may be nil.
	Hold func() (release func())
}

// A Bar shows how far long work is, in its unit; total 0 is not known.
type Bar interface {
	Set(done, total int64, note string)
	Close()
}

// progress is the callback that leaf packages take.
func progress(b Bar) func(done, total int64) {
	return func(done, total int64) { b.Set(done, total, "") }
}

// EndOfText stands between documents, and Pad fills what transformers pads, where a
// tokenizer is trained here.
const (
	EndOfText = "<|endoftext|>"
	Pad       = "<|pad|>"
)

// An InputError is for the user to mend: a corpus that cannot be read, a checkpoint that
// is not there, kernels that this processor has not.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// input makes err an *InputError; an interruption stays what it is.
func input(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &InputError{err}
}

// A runner is one execution of a recipe.
type runner struct {
	r       *Recipe
	o       Options
	dir     *runDir
	dev     *cpu.Device
	corpora map[string]*data.Corpus
	start   *checkpoint.Checkpoint // of the recipe's base; nil: there is none
	tok     *tokenizer.Pipeline
	tokPath string
	tokFile []byte // tokenizer.json
	tokSum  string // hash of what it says
	text    string // the resolved recipe
	hash    string // of it
	metrics *report.Log
	at      int                            // stage that is the next to be done
	limits  map[bool]float64               // FLOP/s of the machine, by whether in bf16, once measured
	params  map[string]int                 // of each stage trained by this process
	final   map[string]checkpoint.Manifest // of each stage that is done
	log     func(line string)
	cached  map[string]*data.TokenSplit // training splits, by corpus
}

// Dir is the directory of a run that is given none.
func (r *Recipe) Dir() string { return filepath.Join("runs", r.Name) }

// Run runs every stage that is not done yet, writes the report and returns it. When
// ctx ends, the step in progress is finished and saved.
func Run(ctx context.Context, r *Recipe, o Options) (run *report.Run, err error) {
	if o.Dir == "" {
		o.Dir = r.Dir()
	}
	w := &runner{r: r, o: o, log: o.Say, params: map[string]int{}, final: map[string]checkpoint.Manifest{}, limits: map[bool]float64{}, cached: map[string]*data.TokenSplit{}}
	if err := r.fits(w.log); err != nil {
		return nil, err
	}
	if w.dev, err = cpu.New(r.deviceOptions()); err != nil {
		return nil, input(err)
	}
	defer w.dev.Close()
	text, err := r.Resolved()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(text))
	w.text, w.hash = text, hex.EncodeToString(sum[:])
	if w.dir, err = openRunDir(r, o, w.dev.Name(), Machine()); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.dir.unlock()) }()
	w.log(fmt.Sprintf("recipe %s, seed %d, in %s", r.Name, r.Seed, o.Dir))
	w.log(fmt.Sprintf("%s, %d threads; hone %s; %s", w.dev.Name(), w.dev.Threads(), Version(), Machine()))
	if i := slices.IndexFunc(r.Stages, func(s Stage) bool { return s.auto }); i >= 0 {
		w.log(fmt.Sprintf("precision auto: %s, by what these kernels have; recipe.toml says so, and only with it does the run go on", r.Stages[i].Precision))
	}
	if w.metrics, err = report.OpenLog(filepath.Join(o.Dir, report.MetricsFile)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.metrics.Close()) }()

	if err := w.openCorpora(ctx); err != nil {
		return nil, err
	}
	if r.base != nil {
		if w.start, err = checkpoint.Open(r.base.dir); err != nil {
			return nil, input(err)
		}
	}
	if err := w.openTokenizer(ctx); err != nil {
		return nil, err
	}
	defer func() {
		for _, t := range w.cached {
			err = errors.Join(err, t.Close())
		}
	}()
	did := 0
	for i := range r.Stages {
		s := &r.Stages[i]
		w.at = i
		var worked bool
		if s.Kind == "evaluate" {
			worked, err = w.evaluate(ctx, s)
		} else {
			worked, err = w.train(ctx, s)
		}
		if err != nil {
			return nil, err
		}
		if worked {
			did++
		}
	}
	if did == 0 {
		w.log(fmt.Sprintf("nothing to do: every stage of %s is done; --fresh starts over", o.Dir))
	}
	w.at = len(r.Stages)
	return w.report()
}

func (s *Stage) bf16() bool { return s.Precision == "bf16" }

// deviceOptions are those of the device that runs all stages.
func (r *Recipe) deviceOptions() cpu.Options {
	bf16 := slices.ContainsFunc(r.Stages, func(s Stage) bool { return s.bf16() })
	return cpu.Options{Threads: r.Threads, BF16: bf16}
}

// openCorpora converts what is not converted yet, and opens every corpus.
func (w *runner) openCorpora(ctx context.Context) (err error) {
	w.corpora, err = openCorpora(ctx, w.r, w.o)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(w.corpora) {
		c := w.corpora[name]
		w.log(fmt.Sprintf("corpus %s: %s", name, describeCorpus(c)))
	}
	return nil
}

// remember compares the inputs with those of the run so far.
func (w *runner) remember() error { return w.dir.remember(w.text, w.inputs(), w.o.Accept, w.log) }

// openTokenizer opens the tokenizer, which it trains first where there is none; what the
// run remembers of its inputs is compared before any work with them, and with all of them.
func (w *runner) openTokenizer(ctx context.Context) error {
	w.tokPath = w.r.Tokenizer.File
	if w.tokPath == "" {
		w.tokPath = filepath.Join(w.o.Dir, checkpoint.TokenizerFile)
		if _, err := os.Lstat(w.tokPath); errors.Is(err, fs.ErrNotExist) {
			if err := w.remember(); err != nil {
				return err
			}
			if err := w.trainTokenizer(ctx, w.tokPath); err != nil {
				return err
			}
		}
	}
	var err error
	if w.tokFile, err = os.ReadFile(w.tokPath); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	tok, err := tokenizer.Open(w.tokPath)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(tok.JSON())
	w.tok, w.tokSum = tok, hex.EncodeToString(sum[:])
	t := w.r.Tokenizer
	for _, name := range []string{t.BOS, t.EOS, t.Separator} {
		if _, ok := w.tok.Special(name); name != "" && !ok {
			return input(fmt.Errorf("tokenizer %s: has no special token %s", w.tokPath, name))
		}
	}
	return w.remember()
}

func (w *runner) trainTokenizer(ctx context.Context, path string) error {
	train := w.corpora[w.r.Tokenizer.Corpus].Train
	bar := w.o.Bar("learning tokenizer", "tokens")
	defer bar.Close()
	t, err := TrainTokenizer(ctx, train, w.r.tokenizerOptions(), progress(bar))
	if err != nil {
		return err
	}
	w.log(fmt.Sprintf("tokenizer: %d tokens learned from corpus %s", t.Size(), w.r.Tokenizer.Corpus))
	return checkpoint.WriteFile(path, t.JSON())
}

// tokenizerOptions are those of TrainTokenizer.
func (r *Recipe) tokenizerOptions() tokenizer.TrainOptions {
	t := r.Tokenizer
	return tokenizer.TrainOptions{
		Kind: t.Kind, VocabSize: t.VocabSize, MinFrequency: t.MinFrequency, K: t.K, Lowercase: t.Lowercase, Special: r.specials(),
	}
}

// TrainTokenizer learns a tokenizer from the texts of a split. The special tokens that
// every recipe needs come before those of the options.
func TrainTokenizer(ctx context.Context, split data.Records, o tokenizer.TrainOptions, progress func(done, total int64)) (*tokenizer.Pipeline, error) {
	var failed error
	o.Special = append([]string{EndOfText, Pad}, o.Special...)
	t, err := tokenizer.Train(texts(ctx, split, &failed), o, progress)
	if failed != nil {
		return nil, input(fmt.Errorf("tokenizer: %w", failed))
	}
	return t, err
}

// texts goes through a split; what stops it early is left in failed.
func texts(ctx context.Context, split data.Records, failed *error) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range split.Rows() {
			if *failed = ctx.Err(); *failed != nil {
				return
			}
			r, err := split.Record(i)
			if err != nil {
				*failed = err
				return
			}
			if !yield(r.Text) {
				return
			}
		}
	}
}

// config is the model of a stage.
func (w *runner) config(s *Stage) model.Config {
	return stageConfig(w.r, s, w.tok, w.r.labels(s, stageCorpus(w.corpora, s)))
}
