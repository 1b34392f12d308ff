package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/recipes"
	"hone/trainer/exec/cpu"
)

const stepKeys = `threads = 1
[corpus.notes]
source = '%s'
[tokenizer]
kind = "byte"
[model]
model_type = "gpt2"
n_layer = 6
n_head = 4
n_embd = 32
n_positions = 64
[[stage]]
name = "learn"
kind = "pretrain"
steps = 8
batch_size = 4
learning_rate = 3e-3
eval_every = 8
save_every = 8
%s
`

// watchedNotes are notes with some of them for validation.
func watchedNotes(t *testing.T) string {
	file, err := os.ReadFile(notes(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "train.jsonl"), file)
	writeFile(t, filepath.Join(dir, "validation.jsonl"), bytes.Join(bytes.SplitAfter(file, []byte("\n"))[:20], nil))
	return filepath.Join(dir, "*.jsonl")
}

// How a step is computed: recomputed layers take less memory and give the same model;
// products of bf16 another, about as good.
func TestPrecisionAndRecompute(t *testing.T) {
	corpus := watchedNotes(t)
	cache := t.TempDir()
	run := func(keys string) (weights []byte, loss float64, device string, plan *Plan) {
		t.Helper()
		r, err := parsed("x.toml", fmt.Sprintf(stepKeys, corpus, keys), nil)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Console: quiet()}
		o.Dir, o.Cache = filepath.Join(t.TempDir(), "run"), cache
		if plan, err = Check(context.Background(), r, o); err != nil {
			t.Fatal(err)
		}
		report, err := Run(context.Background(), r, o)
		if err != nil {
			t.Fatal(err)
		}
		c, err := checkpoint.Open(checkpoint.FinalDir(filepath.Join(o.Dir, "learn")))
		if err != nil {
			t.Fatal(err)
		}
		if weights, err = c.File(checkpoint.ModelFile); err != nil {
			t.Fatal(err)
		}
		return weights, float64(report.Stages[0].ValLoss), plan.Device, plan
	}
	want, loss, device, plan := run("")
	again, _, _, less := run("recompute = true")
	if !bytes.Equal(again, want) {
		t.Error("recomputed, the model is another")
	}
	if a, b := less.Stages[0].Memory, plan.Stages[0].Memory; a >= b*6/10 {
		t.Errorf("recomputed, arenas of %d bytes are planned, and of %d without", a, b)
	}
	if err := cpu.CheckPrecision("bf16", ""); err != nil {
		r, perr := parsed("x.toml", fmt.Sprintf(stepKeys, corpus, `precision = "bf16"`), nil)
		if perr == nil || !strings.Contains(perr.Error(), "learn.precision: "+err.Error()) {
			t.Errorf("%v, %v, want %v", r, perr, err)
		}
		t.Skip(err)
	}
	rounded, near, name, _ := run(`precision = "bf16"`)
	if bytes.Equal(rounded, want) || !(math.Abs(near/loss-1) < 0.01) {
		t.Errorf("bf16: validation loss %v, with fp32 %v; the same model: %v", near, loss, bytes.Equal(rounded, want))
	}
	if !strings.HasPrefix(name, device+"+") {
		t.Errorf("bf16 is computed on %s, fp32 on %s", name, device)
	}
}

// What auto comes to is part of the resolved recipe, so that a run does not go on in
// another precision on another machine.
func TestPrecisionAuto(t *testing.T) {
	corpus := watchedNotes(t)
	resolve := func(precision string) *recipes.Recipe {
		t.Helper()
		r, err := parsed("x.toml", fmt.Sprintf(stepKeys, corpus, "precision = '"+precision+"'"), []string{"stage.learn.steps=1", "stage.learn.eval_every=0"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	run := func(r *recipes.Recipe, dir string) (log string, err error) {
		o := Options{Console: quiet()}
		o.Dir, o.Cache = dir, filepath.Join(filepath.Dir(dir), "cache")
		o.Say = func(line string) { log += line + "\n" }
		_, err = Run(context.Background(), r, o)
		return log, err
	}
	want := "fp32"
	if cpu.CheckPrecision("bf16", "") == nil {
		want = "bf16"
	}
	r, dir := resolve("auto"), filepath.Join(t.TempDir(), "run")
	log, err := run(r, dir)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log, "precision = \"auto\" is "+want+" with these kernels") {
		t.Error(log)
	}
	auto, err := r.Resolved()
	if err != nil {
		t.Fatal(err)
	}
	if named, err := resolve(want).Resolved(); err != nil || auto != named {
		t.Errorf("%v: auto is %s, %s is %s", err, auto, want, named)
	}
	t.Setenv("HONE_KERNELS", "generic")
	r = resolve("auto")
	if r.Stages[0].Precision != "fp32" {
		t.Errorf("by the generic kernels auto is %s", r.Stages[0].Precision)
	}
	var changed *ChangedError
	if _, err := run(r, dir); want == "bf16" && (!errors.As(err, &changed) || !strings.Contains(err.Error(), `stage.learn.precision ("fp32", was "bf16")`)) {
		t.Errorf("begun in bf16, it goes on in fp32: %v", err)
	}
	_, err = parsed("x.toml", fmt.Sprintf(stepKeys, corpus, `precision = "fp8"`), nil)
	if err == nil || !strings.Contains(err.Error(), `x.toml:20: stage.learn.precision: "fp8" is not known; known are fp32, bf16, auto`) {
		t.Error(err)
	}
}
