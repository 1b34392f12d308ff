package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hone/checkpoint"
	"hone/data/hub/hubtest"
	"hone/eval/report"
)

// tinySteps is the number of training steps in tiny.toml, over stages and learning
// rates; tinySave is the largest save_every there.
const (
	tinySteps = 12 + 2*8 + 8
	tinySave  = 4
)

// models are the files that a run's stages end with.
func models(t *testing.T, run string) map[string][]byte {
	t.Helper()
	m := map[string][]byte{}
	for _, stage := range []string{"pretrain", "finetune", "scratch"} {
		for _, file := range []string{checkpoint.ModelFile, checkpoint.OptimizerFile} {
			name := filepath.Join(stage, "final", file)
			b, err := os.ReadFile(filepath.Join(run, name))
			if err != nil {
				t.Fatal(err)
			}
			m[name] = b
		}
	}
	return m
}

func sameModels(t *testing.T, what string, got, want map[string][]byte) {
	t.Helper()
	for name := range want {
		if !bytes.Equal(got[name], want[name]) {
			t.Errorf("%s: %s is another", what, name)
		}
	}
}

// tinyDir is a prepared directory with a finished run in it, "whole".
func tinyDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := prepare(dir); err != nil {
		t.Fatal(err)
	}
	finish(t, dir, "whole", nil)
	return dir
}

// finish runs the recipe to its end and returns what it said.
func finish(t *testing.T, dir, run string, env []string) string {
	t.Helper()
	cmd, stderr := hone(t, dir, env, "run", "tiny.toml", "--dir", run)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	return stderr.String()
}

func TestProcessors(t *testing.T) {
	if testing.Short() {
		t.Skip("compares bits: not in short mode")
	}
	dir := tinyDir(t)
	want := models(t, filepath.Join(dir, "whole"))
	for n := 1; n <= 3; n++ {
		run := fmt.Sprintf("procs%d", n)
		said := finish(t, dir, run, []string{fmt.Sprintf("GOMAXPROCS=%d", n)})
		if !strings.Contains(said, fmt.Sprintf("%d threads", n)) {
			t.Errorf("not %d threads: %s", n, said)
		}
		sameModels(t, run, models(t, filepath.Join(dir, run)), want)
	}
}

// stepsLogged counts the steps of all trainings in metrics.jsonl that are not undone.
func stepsLogged(run string) int {
	f, err := os.Open(filepath.Join(run, report.MetricsFile))
	if err != nil {
		return 0
	}
	defer f.Close()
	m, err := report.ReadMetrics(f)
	if err != nil {
		return 0
	}
	return len(m.Steps)
}

// saving reports whether a checkpoint is being written, or put in its place.
func saving(run string) bool {
	found := false
	for _, dir := range []string{"pretrain/checkpoints", "finetune/lr-*/checkpoints", "scratch/checkpoints", "pretrain", "finetune", "scratch"} {
		list, _ := filepath.Glob(filepath.Join(run, dir, ".*"))
		found = found || len(list) > 0
	}
	return found
}

// resumable is the newest checkpoint of the training that a killed run was in: "" where
// that has none.
func resumable(t *testing.T, run string) (stage string, step int) {
	t.Helper()
	for _, stage := range []string{"pretrain", "finetune", "scratch"} {
		text, err := os.ReadFile(filepath.Join(run, stage, "stage.json"))
		if err != nil {
			return "", 0
		}
		var done struct{ Steps int }
		if err := json.Unmarshal(text, &done); err != nil {
			t.Fatal(err) // written whole or not at all
		}
		if done.Steps > 0 {
			continue
		}
		dirs, err := filepath.Glob(filepath.Join(run, stage, "lr-*"))
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(dirs) // lr-0.01 comes before lr-0.003
		for _, dir := range append([]string{filepath.Join(run, stage)}, dirs...) {
			if c, err := checkpoint.Latest(dir, func(line string) { t.Error(line) }); err != nil {
				t.Fatal(err)
			} else if c != nil {
				return stage, c.Manifest.Step
			}
		}
		return "", 0
	}
	return "", 0
}

// redone checks a log: how many steps were done again after each resumption.
func redone(t *testing.T, run string) (resumed int) {
	t.Helper()
	f, err := os.Open(filepath.Join(run, report.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	last := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var l struct {
			Stage, Event string
			Step         int
			Loss         *float64
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatalf("%v in %s", err, lines.Bytes())
		}
		switch {
		case l.Event == "resumed":
			resumed++
		case l.Loss != nil:
			if again := last[l.Stage] - l.Step + 1; again > tinySave {
				t.Errorf("%s: after step %d came step %d: %d done again, save_every is %d at most", l.Stage, last[l.Stage], l.Step, again, tinySave)
			}
			if l.Step > last[l.Stage]+1 {
				t.Errorf("%s: after step %d came step %d", l.Stage, last[l.Stage], l.Step)
			}
			last[l.Stage] = l.Step
		}
	}
	return resumed
}

// TestKill kills a run again and again: at random steps of every stage, inside saves,
// before training and in the evaluations. The models must be those of a run in peace.
func TestKill(t *testing.T) {
	dir := tinyDir(t)
	want := models(t, filepath.Join(dir, "whole"))
	kills := 20
	if testing.Short() {
		kills = 6
	}
	r := rand.New(rand.NewPCG(4, 4))
	// When: so many steps are logged. How: then at once, inside the next save, or after a moment.
	type moment struct {
		steps  int
		inSave bool
		delay  time.Duration
	}
	var plan []moment
	for i := range kills {
		m := moment{steps: r.IntN(tinySteps), inSave: i%3 == 1, delay: time.Duration(r.IntN(5000)) * time.Microsecond}
		switch i {
		case 0: // before training: corpus, tokenizer
			m = moment{delay: time.Duration(20+r.IntN(40)) * time.Millisecond}
		case 1, 2: // in the evaluations
			m = moment{steps: tinySteps, delay: time.Duration(r.IntN(30)) * time.Millisecond}
		}
		plan = append(plan, m)
	}
	slices.SortStableFunc(plan, func(a, b moment) int { return a.steps - b.steps })

	done, inSaves, told := 0, 0, 0
	var stages []string
	run := filepath.Join(dir, "killed0")
	runs := 1
	expect := ""
	start := func() (*exec.Cmd, *bytes.Buffer, <-chan error) {
		cmd, stderr := hone(t, dir, nil, "run", "tiny.toml", "--dir", filepath.Base(run))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		return cmd, stderr, ended
	}
	// check looks at what a process said first of where it resumed, if it came so far.
	check := func(said string) {
		for line := range strings.Lines(said) {
			if strings.Contains(line, ": resumed from step ") {
				if !strings.HasPrefix(line, expect) {
					t.Errorf("a process that was to say %q said\n%s", expect, said)
				}
				told++
				return
			}
		}
	}
	finished := func() {
		sameModels(t, filepath.Base(run), models(t, run), want)
		redone(t, run)
		if _, err := os.Stat(filepath.Join(run, "report.html")); err != nil {
			t.Error(err)
		}
		if saving(run) {
			t.Error("something is left of an interrupted save")
		}
		run, expect = filepath.Join(dir, fmt.Sprintf("killed%d", runs)), ""
		runs++
	}
	for i := 0; i < len(plan); {
		m := plan[i]
		cmd, stderr, ended := start()
		before := stepsLogged(run)
		inSave := false
		var err error
		over := false
	watching:
		for {
			select {
			case err = <-ended:
				over = true
				break watching
			case <-time.After(200 * time.Microsecond):
			}
			// A step that was logged before may be done again; the next kill comes after it.
			if m.steps == tinySteps {
				if _, err := os.Stat(checkpoint.FinalDir(filepath.Join(run, "scratch"))); err != nil {
					continue
				}
			} else if n := stepsLogged(run); n < m.steps || m.steps > 0 && n == before {
				continue
			}
			if !m.inSave {
				time.Sleep(m.delay)
				break
			}
			if saving(run) {
				inSave = true
				break
			}
		}
		if over {
			// Faster than it was watched: checked, and the rest of the plan has a run of its own.
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr)
			}
			check(stderr.String())
			finished()
			if runs > 2*kills {
				t.Fatal("the runs end before they can be killed")
			}
			continue
		}
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		err = <-ended
		if err == nil { // it was just over
			check(stderr.String())
			finished()
			continue
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Exited() && runtime.GOOS != "windows" {
			t.Fatalf("not killed: %v\n%s", err, stderr)
		}
		i++
		done++
		check(stderr.String())
		if inSave {
			inSaves++
		}
		stage, step := resumable(t, run)
		expect = ""
		if stage != "" {
			expect = fmt.Sprintf("%s: resumed from step %d ", stage, step)
		}
		stages = append(stages, fmt.Sprintf("%s %d", stage, step))
	}
	_, stderr, ended := start()
	if err := <-ended; err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	check(stderr.String())
	resumed := redone(t, run)
	finished()
	t.Logf("%d kills, %d of them in saves, %d runs, %d resumptions told, %d logged in the last run; after each kill, the newest checkpoint of the stage: %q",
		done, inSaves, runs-1, told, resumed, stages)
	if inSaves == 0 || told == 0 {
		t.Error("no kill fell into a save, or no process told where it resumed")
	}
}

// TestInterrupt sends SIGINT or SIGHUP, or stops reading what the run says: the step is
// finished and saved, the exit code is 130, and the run goes on to the same models.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no process can be sent an interrupt on Windows")
	}
	dir := tinyDir(t)
	want := models(t, filepath.Join(dir, "whole"))
	t.Run("SIGINT", func(t *testing.T) { interrupt(t, dir, "int", os.Interrupt, want) })
	t.Run("SIGHUP", func(t *testing.T) { interrupt(t, dir, "hup", syscall.SIGHUP, want) })
	t.Run("nobody reads", func(t *testing.T) { interrupt(t, dir, "pipe", nil, want) })
}

// interrupt interrupts a run by a signal, or without one by closing its stderr.
func interrupt(t *testing.T, dir, name string, signal os.Signal, want map[string][]byte) {
	run := filepath.Join(dir, name)
	for tries := 0; ; tries++ {
		cmd, stderr := hone(t, dir, nil, "run", "tiny.toml", "--dir", name)
		stop := func() { _ = cmd.Process.Signal(signal) } // may be over
		if signal == nil {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = w
			stop = func() { r.Close() }
			defer w.Close()
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for stepsLogged(run) < 3 && len(ended) == 0 {
			time.Sleep(200 * time.Microsecond)
		}
		stop()
		err := <-ended
		if err == nil && tries < 5 { // too late
			if err := os.RemoveAll(run); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			continue
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
			t.Fatalf("%v\n%s", err, stderr)
		}
		if said := stderr.String(); signal != nil && (!strings.Contains(said, "interrupted; step") || !strings.Contains(said, "run the same command again")) {
			t.Errorf("said %s", said)
		}
		break
	}
	// Without a signal it is only told when it next says something, which may be between stages.
	if said := finish(t, dir, name, nil); signal != nil && !strings.Contains(said, ": resumed from step ") {
		t.Errorf("said %s", said)
	}
	sameModels(t, "interrupted", models(t, run), want)
	redone(t, run)
}

// TestInterruptBlocked interrupts what looks at no context: a command that waits for more
// of its input. Told to stop it ends, with 130.
func TestInterruptBlocked(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no process can be sent an interrupt on Windows")
	}
	dir := t.TempDir()
	if err := prepare(dir); err != nil {
		t.Fatal(err)
	}
	cmd, stderr := hone(t, dir, nil, "tokenizer", "train", "corpus", "t.json", "--kind", "byte")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	cmd, stderr = hone(t, dir, nil, "tokenizer", "encode", "t.json")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("a\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it runs, and waits for the next line
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted || stderr.String() != "hone: interrupted\n" {
		t.Errorf("%v\n%s", err, stderr)
	}
}

// TestKillFetch stops hone while it fetches a model, by an interrupt or without a warning: the
// next time it goes on where it was.
func TestKillFetch(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no process can be sent an interrupt on Windows")
	}
	for name, signal := range map[string]os.Signal{"SIGINT": os.Interrupt, "SIGKILL": os.Kill} {
		t.Run(name, func(t *testing.T) {
			server := hubtest.Start()
			defer server.Close()
			weights := strings.Repeat("0123456789abcdef", 1<<16)
			server.Commit("models/org/name", map[string]string{"model.safetensors": weights, "config.json": "{}"})
			const part = 1 << 19
			waits := make(chan bool)
			server.Answer(func(w http.ResponseWriter, r *http.Request) bool {
				if "http://"+r.Host != server.Store {
					return false
				}
				w.Header().Set("ETag", fmt.Sprintf("\"%x\"", sha256.Sum256([]byte(weights)))) // as the store has it
				w.Header().Set("Content-Length", fmt.Sprint(len(weights)))
				io.WriteString(w, weights[:part])
				w.(http.Flusher).Flush()
				close(waits)
				<-r.Context().Done()
				return true
			})
			dir := t.TempDir()
			env := []string{"HF_ENDPOINT=" + server.URL}
			cmd, stderr := hone(t, dir, env, "import", "hf:org/name", "model")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-waits
			body := func() int64 {
				list, _ := filepath.Glob(filepath.Join(dir, "cache", "hub", "*", "models", "org", "name", "blobs", "*.incomplete", "body"))
				if len(list) != 1 {
					return 0
				}
				info, err := os.Stat(list[0])
				if err != nil {
					return 0
				}
				return info.Size()
			}
			for body() < part {
				time.Sleep(time.Millisecond)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || signal == os.Interrupt && exit.ExitCode() != exitInterrupted {
				t.Fatalf("%v\n%s", err, stderr)
			}
			server.Answer(nil)
			server.Requests()
			cmd, stderr = hone(t, dir, env, "import", "hf:org/name", "model")
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitInput || !strings.Contains(stderr.String(), "model.safetensors") {
				t.Fatalf("%v\n%s", err, stderr) // the file is there now, and is none of weights
			}
			var ranges []string
			for _, r := range server.Requests() {
				if "http://"+r.Host == server.Store {
					ranges = append(ranges, r.Header.Get("Range"))
				}
			}
			if want := fmt.Sprintf("[bytes=%d-]", part); fmt.Sprint(ranges) != want {
				t.Errorf("it asked for %q, want %s", ranges, want)
			}
		})
	}
}

// TestFullDevice prints where nothing can be written: whatever prints fails.
func TestFullDevice(t *testing.T) {
	if testing.Short() {
		t.Skip("looks at exit codes: not in short mode")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	dir := tinyDir(t)
	for _, line := range []string{
		"ls", "ls --json", "show quickstart", "--help", "run --help", "--version", "completion bash", "check tiny.toml", "check tiny.toml --program",
		"run tiny.toml --dir whole", "report whole", "compare whole", "show whole/finetune --provenance", "show whole/finetune --card",
		"generate whole/pretrain --prompt a --max-tokens 2", "data info corpus", "data info corpus --manifest", "data preview tiny.toml",
		"tokenizer info whole/tokenizer.json", "tokenizer compare tiny.toml whole/tokenizer.json", "tokenizer encode whole/tokenizer.json tiny.toml",
	} {
		cmd, stderr := hone(t, dir, nil, strings.Fields(line)...)
		cmd.Stdout = full
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("hone %s: %v\n%s", line, err, stderr)
		}
	}
}
