// Package run plans a recipe and runs its stages with the parts of the other packages. Training
// and evaluation meet here alone, and device.go is the one place that names a device.
//
// An error is recipes.ErrInput where the user can mend it (exit code 2); others are failures (1).
package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"hone/checkpoint"
	"hone/data/corpus"
	"hone/data/tokenizer"
	"hone/eval/report"
	"hone/recipes"
	"hone/recipes/exchange"
	"hone/trainer/pretrained"
)

// Options of a run, beside the recipe.
type Options struct {
	Dir     string // the run directory; "": runs/NAME
	Fresh   bool   // remove what an earlier run has made
	Command string // command line of the user, for the report
	// Accept goes on with a run although its corpora, its tokenizer or the checkpoint to start
	// from have changed; the provenance keeps which steps had which.
	Accept bool
	Cache  string // where converted corpora lie
	recipes.Console
	// Hold is called before a stage is trained, and release after it. In between, a program
	// that is interrupted must wait for a step to be finished and saved. It may be nil.
	Hold func() (release func())
}

// Load is recipes.Load for this machine. Models of other libraries that stages start from are
// imported into the cache. An error is recipes.ErrInput.
func Load(ctx context.Context, nameOrFile string, overrides []string, o Options) (*recipes.Recipe, error) {
	return recipes.Load(nameOrFile, overrides, o.host(ctx))
}

func (o Options) host(ctx context.Context) recipes.Host {
	return recipes.Host{
		Precision: precision,
		Model: func(name string) (dir string, err error) {
			if !exchange.Importable(name) && !pretrained.IsAdapter(name) {
				return "", nil
			}
			found, _, err := Checkpoint(ctx, name, o)
			return found, err
		},
	}
}

// A runner is one execution of a recipe.
type runner struct {
	r       *recipes.Recipe
	o       Options
	dir     *runDir
	dev     Device
	corpora map[string]*corpus.Corpus
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
	cached  map[string]*corpus.TokenSplit // training splits, by corpus
}

// Run runs every stage that is not done yet, writes the report and returns it. When
// ctx ends, the step in progress is finished and saved, and ctx's error is returned. The error is a
// *ChangedError where the directory holds a run of another recipe or of other data.
func Run(ctx context.Context, r *recipes.Recipe, o Options) (run *report.Run, err error) {
	if o.Dir == "" {
		o.Dir = r.Dir()
	}
	w := &runner{r: r, o: o, log: o.Say, params: map[string]int{}, final: map[string]checkpoint.Manifest{}, limits: map[bool]float64{}, cached: map[string]*corpus.TokenSplit{}}
	if err := fits(r, w.log); err != nil {
		return nil, err
	}
	if w.dev, err = openDevice(r); err != nil {
		return nil, err
	}
	defer w.dev.Close()
	text, err := r.Resolved()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(text))
	w.text, w.hash = text, hex.EncodeToString(sum[:])
	if w.dir, err = openRunDir(r, o, w.dev.Name(), machine()); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.dir.unlock()) }()
	w.log(fmt.Sprintf("recipe %s, seed %d, in %s", r.Name, r.Seed, o.Dir))
	w.log(fmt.Sprintf("%s, %d threads; hone %s; %s", w.dev.Name(), w.dev.Threads(), recipes.Version(), machine()))
	if i := slices.IndexFunc(r.Stages, func(s recipes.Stage) bool { return s.Auto }); i >= 0 {
		w.log(fmt.Sprintf("precision = \"auto\" is %s with these kernels; recipe.toml says so, and the run can only go on with it", r.Stages[i].Precision))
	}
	if w.metrics, err = report.OpenLog(filepath.Join(o.Dir, report.MetricsFile)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.metrics.Close()) }()

	if err := w.openCorpora(ctx); err != nil {
		return nil, err
	}
	if r.Base != nil {
		if w.start, err = checkpoint.Open(r.Base.Dir); err != nil {
			return nil, recipes.Input(err)
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
		if !s.Trains() {
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
		w.log(fmt.Sprintf("nothing to do: every stage of %s is done (--fresh starts over)", o.Dir))
	}
	w.at = len(r.Stages)
	return w.report()
}

// openCorpora opens every corpus, and says what it holds.
func (w *runner) openCorpora(ctx context.Context) (err error) {
	w.corpora, err = openCorpora(ctx, w.r, w.o)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(w.corpora)) {
		c := w.corpora[name]
		w.log(fmt.Sprintf("corpus %s: %s", name, describeCorpus(c)))
	}
	return nil
}

// remember compares the inputs with those that the run was begun with, and notes them.
func (w *runner) remember() error { return w.dir.remember(w.text, w.inputs(), w.o.Accept, w.log) }
