package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"hone/checkpoint"
	"hone/data/hub/hubtest"
	"hone/data/source"
	"hone/recipes/run"
)

// TestMain makes the test binary the program hone too: scripts and tests run it as a
// process of its own.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"hone": main}) }

// words of a class of documents, beside some that all share.
var words = map[string][]string{
	"bird": {"wing", "feather", "nest", "sings", "sky"},
	"fish": {"fin", "scale", "water", "swims", "deep"},
	"tree": {"leaf", "root", "branch", "bark", "tall"},
}

func sentence(r *rand.Rand, class string, n int) string {
	pool := append([]string{"the", "a", "of", "and", "with"}, words[class]...)
	list := make([]string, n)
	for i := range list {
		list[i] = pool[r.IntN(len(pool))]
	}
	return strings.Join(list, " ")
}

// writeCorpus makes Arrow files of short documents of three classes. What is wrong with
// them is "", "empty", "truncated" or "utf8".
func writeCorpus(dir, wrong string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 1))
	classes := []string{"bird", "fish", "tree"}
	for _, split := range []struct {
		name string
		n    int
	}{{"train", 240}, {"validation", 40}, {"test", 40}} {
		s := source.NewShards(dir, split.name, 0, "text", "label")
		for i := range split.n {
			if wrong == "empty" {
				break
			}
			class := classes[r.IntN(len(classes))]
			text := sentence(r, class, 4+r.IntN(16))
			if wrong == "utf8" && i == 7 {
				text += "\xff"
			}
			s.Append(source.Value{Text: text}, source.Value{Text: class})
		}
		shards, err := s.Close()
		if err != nil {
			return err
		}
		if wrong == "truncated" {
			if err := os.Truncate(filepath.Join(dir, shards[0].File), shards[0].Bytes/2); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare lays a corpus and a recipe of seconds into a directory.
func prepare(dir string) error {
	text, err := os.ReadFile(filepath.Join("testdata", "tiny.toml"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "tiny.toml"), text, 0o666); err != nil {
		return err
	}
	return writeCorpus(filepath.Join(dir, "corpus"), "")
}

func TestScript(t *testing.T) {
	p := testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("HONE_CACHE", filepath.Join(e.WorkDir, "cache"))
			e.Setenv("GORACE", os.Getenv("GORACE")) // the detector's options
			server := hubtest.Start()
			e.Defer(server.Close)
			e.Setenv("HF_ENDPOINT", server.URL)
			e.Values["hub"] = server
			return prepare(e.WorkDir)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// exits CODE COMMAND ARG… runs a command that must end with the code.
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				code := 0
				if err := ts.Exec(args[1], args[2:]...); err != nil {
					var exit *exec.ExitError
					if !errors.As(err, &exit) {
						ts.Fatalf("%v", err)
					}
					code = exit.ExitCode()
				}
				if want := args[0]; strconv.Itoa(code) != want {
					ts.Fatalf("exit code %d, want %s", code, want)
				}
			},
			// flip FILE changes a bit in the midst of a file.
			"flip": func(ts *testscript.TestScript, _ bool, args []string) {
				path := ts.MkAbs(args[0])
				text, err := os.ReadFile(path)
				ts.Check(err)
				text[len(text)/2] ^= 1
				ts.Check(os.WriteFile(path, text, 0o666))
			},
			// nan FILE makes the last value of a safetensors file NaN.
			"nan": func(ts *testscript.TestScript, _ bool, args []string) {
				path := ts.MkAbs(args[0])
				text, err := os.ReadFile(path)
				ts.Check(err)
				binary.LittleEndian.PutUint32(text[len(text)-4:], math.Float32bits(float32(math.NaN())))
				ts.Check(os.WriteFile(path, text, 0o666))
			},
			// corpus DIR WRONG makes a corpus with something wrong.
			"corpus": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(writeCorpus(ts.MkAbs(args[0]), args[1]))
			},
			// publish DIR NAME makes the files of a directory a commit of a repository on the
			// script's hub, models/ORG/NAME or datasets/ORG/NAME, and COMMIT the hash of it.
			"publish": func(ts *testscript.TestScript, _ bool, args []string) {
				commit, err := publish(ts.Value("hub").(*hubtest.Server), ts.MkAbs(args[0]), args[1])
				ts.Check(err)
				ts.Setenv("COMMIT", commit)
			},
			// hub ANSWER says how the hub answers from here on: as it should (ok), with a
			// status (404, …), or with something else in place of large files (wrong).
			"hub": func(ts *testscript.TestScript, _ bool, args []string) {
				server := ts.Value("hub").(*hubtest.Server)
				status, err := strconv.Atoi(args[0])
				server.Answer(func(w http.ResponseWriter, r *http.Request) bool {
					switch {
					case err == nil:
						hubtest.Fail(w, status, "", "as the test has it")
					case args[0] == "wrong" && "http://"+r.Host == server.Store:
						io.WriteString(w, "no such weights")
					default:
						return false
					}
					return true
				})
			},
			// asked none checks that the hub has had no request since the last look, asked some
			// that it had.
			"asked": func(ts *testscript.TestScript, _ bool, args []string) {
				if n := len(ts.Value("hub").(*hubtest.Server).Requests()); (n > 0) != (args[0] == "some") {
					ts.Fatalf("the hub had %d requests, want %s", n, args[0])
				}
			},
			// json FILE KEY… checks that a file is one JSON document, an object with the keys.
			"json": func(ts *testscript.TestScript, _ bool, args []string) {
				d := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
				var v any
				ts.Check(d.Decode(&v))
				if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
					ts.Fatalf("%s: more than one JSON document: %v", args[0], err)
				}
				for _, k := range args[1:] {
					m, _ := v.(map[string]any)
					if _, ok := m[k]; !ok {
						ts.Fatalf("%s: no key %s in %v", args[0], k, v)
					}
				}
			},
		},
	}
	if testing.Short() {
		// Where goroutines are: training, answers that are stopped, a server.
		for _, name := range []string{"run", "chat", "hub"} {
			p.Files = append(p.Files, filepath.Join(p.Dir, name+".txt"))
		}
		t.Logf("in short mode of all scripts only %q", p.Files)
		p.Dir = ""
	}
	testscript.Run(t, p)
}

// publish makes the files below a directory a commit of a repository on a hub.
func publish(server *hubtest.Server, dir, name string) (commit string, err error) {
	files := map[string]string{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		below, _ := filepath.Rel(dir, path) // it is below
		files[filepath.ToSlash(below)] = string(text)
		return err
	})
	return server.Commit(name, files), err
}

// hone starts the program in a directory.
func hone(t *testing.T, dir string, env []string, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	cmd = exec.Command("hone", args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "HONE_CACHE="+filepath.Join(dir, "cache")), env...)
	stderr = &bytes.Buffer{}
	cmd.Stderr = stderr
	return cmd, stderr
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	if err := prepare(dir); err != nil {
		t.Fatal(err)
	}
	unlock, err := checkpoint.LockRun(filepath.Join(dir, "r"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	cmd, stderr := hone(t, dir, nil, "run", "tiny.toml", "--dir", "r")
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(stderr.String(), fmt.Sprintf("in use by process %d", os.Getpid())) {
		t.Errorf("error %v, stderr %s", err, stderr)
	}
}

// writeGoroot makes a small tree of Go sources whose doc comments are documents.
func writeGoroot(dir string) error {
	r := rand.New(rand.NewPCG(2, 2))
	for pkg, class := range map[string]string{"fmt": "bird", "net": "fish", "os": "tree"} {
		var b bytes.Buffer
		fmt.Fprintf(&b, "// Package %s %s.\npackage %s\n", pkg, sentence(r, class, 20), pkg)
		for i := range 170 {
			fmt.Fprintf(&b, "\n// F%d %s.\nfunc F%d() {}\n", i, sentence(r, class, 16+r.IntN(10)), i)
		}
		file := filepath.Join(dir, "src", pkg, "print.go")
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(file, b.Bytes(), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// TestExamples runs every example of every --help, on a small tree of Go sources. What
// trains is cut down by overrides; nothing else is changed.
func TestExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of commands that others run too: not in short mode")
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell to paste examples into")
	}
	dir := t.TempDir()
	if err := writeGoroot(filepath.Join(dir, "go")); err != nil {
		t.Fatal(err)
	}
	r, err := run.Load(t.Context(), "quickstart", nil, run.Options{})
	if err != nil {
		t.Fatal(err)
	}
	small := " model.num_hidden_layers=1 model.hidden_size=16 model.intermediate_size=32 tokenizer.vocab_size=400"
	for _, s := range r.Stages {
		set := func(kv string) { small += " stage." + s.Name + "." + kv }
		if s.Kind == "evaluate" {
			set("eval_documents=8")
			continue
		}
		for _, kv := range []string{"steps=2", "batch_size=4", "micro_batch_size=2", "warmup_steps=0", "eval_documents=8", "sequence_length=64"} {
			set(kv)
		}
	}

	// No command is left without an example; the one that makes runs/quickstart goes first.
	lines := []string{"hone run quickstart"}
	var collect func(c *cobra.Command)
	collect = func(c *cobra.Command) {
		if c.HasParent() && c.Example == "" {
			t.Errorf("%s --help has no example", c.CommandPath())
		}
		// The help begins with a sentence of its own, beside the line in the list of commands.
		if first, _ := utf8.DecodeRuneInString(c.Long); c.HasParent() && (!unicode.IsUpper(first) || !strings.Contains(c.Long, ".")) {
			t.Errorf("%s --help begins with no sentence: %q", c.CommandPath(), c.Long)
		}
		for line := range strings.Lines(c.Example) {
			if line = strings.TrimSpace(line); !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
		for _, sub := range c.Commands() {
			collect(sub)
		}
	}
	collect(newRoot(&terminal{}))
	gguf, err := os.ReadFile("../../recipes/exchange/testdata/gguf/llama.gguf")
	if err == nil {
		gguf = withTemplate(gguf, "{% for m in messages %}{{ m.content }} {% endfor %}")
		err = os.WriteFile(filepath.Join(dir, "SmolLM2-135M-Instruct.Q4_1.gguf"), gguf, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	reviews := "review,stars,liked\n"
	for i := range 200 {
		reviews += fmt.Sprintf("a film of %d minutes,%g,%v\n", 80+i, float64(i%7)/2, i%2 == 0)
	}
	if err := os.WriteFile(filepath.Join(dir, "reviews.csv"), []byte(reviews), 0o666); err != nil {
		t.Fatal(err)
	}
	sentences := filepath.Join(dir, "all-MiniLM-L6-v2")
	err = os.CopyFS(sentences, os.DirFS("../../recipes/exchange/testdata/huggingface/bert"))
	if err == nil {
		err = os.Mkdir(filepath.Join(sentences, "1_Pooling"), 0o777)
	}
	for name, text := range map[string]string{
		"modules.json": `[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
			{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]`,
		"1_Pooling/config.json": `{"pooling_mode": "mean"}`,
	} {
		if err == nil {
			err = os.WriteFile(filepath.Join(sentences, name), []byte(text), 0o666)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	captions := ""
	for i := range 40 {
		captions += fmt.Sprintf("{\"en\": \"a dog and %d cats\", \"de\": \"ein Hund und %d Katzen\"}\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(dir, "captions.jsonl"), []byte(captions), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "t5-small"), os.DirFS("../../recipes/exchange/testdata/huggingface/t5")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "t5-adapter"), os.DirFS("../../recipes/exchange/testdata/peft/t5-all")); err != nil {
		t.Fatal(err)
	}
	server := hubtest.Start()
	defer server.Close()
	server.Commit("datasets/stanfordnlp/imdb", map[string]string{"train.jsonl": `{"text": "a film", "label": 1}`})
	for _, line := range lines {
		run := line
		if strings.HasPrefix(line, "hone import hf:") { // of what an example before it has exported
			if _, err := publish(server, filepath.Join(dir, "shared-model"), "models/HuggingFaceTB/SmolLM2-135M"); err != nil {
				t.Fatal(err)
			}
		}
		for _, prefix := range []string{"hone run quickstart", "hone check quickstart", "hone data preview quickstart"} {
			if strings.HasPrefix(line, prefix) {
				run = line + small
			}
		}
		cmd := exec.Command(shell, "-e", "-c", run)
		cmd.Dir = dir
		cmd.Stdin = strings.NewReader("Hello\n") // of a reader who types
		cmd.Env = append(os.Environ(), "HONE_CACHE="+filepath.Join(dir, "cache"), "GOROOT="+filepath.Join(dir, "go"), "HF_ENDPOINT="+server.URL)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		} else if len(out) == 0 && !strings.Contains(line, " > ") {
			t.Errorf("%s: printed nothing", line)
		}
	}
	if len(lines) < 15 {
		t.Errorf("only %d examples: %q", len(lines), lines)
	}
}

// withTemplate adds a chat template to a GGUF file.
func withTemplate(file []byte, jinja string) []byte {
	const count, keys, name, text, align = 16, 24, "tokenizer.chat_template", 8, 32
	size := 8 + len(name) + 4 + 8 + len(jinja)
	jinja += strings.Repeat(" ", (align-size%align)%align) // the tensors stay aligned
	out := slices.Clone(file[:keys])
	binary.LittleEndian.PutUint64(out[count:], binary.LittleEndian.Uint64(out[count:])+1)
	out = append(binary.LittleEndian.AppendUint64(out, uint64(len(name))), name...)
	out = binary.LittleEndian.AppendUint32(out, text)
	out = append(binary.LittleEndian.AppendUint64(out, uint64(len(jinja))), jinja...)
	return append(out, file[keys:]...)
}

// While a run goes on its report says how far it has come, and its newest checkpoint
// writes.
func TestWhileARunGoesOn(t *testing.T) {
	dir := t.TempDir()
	if err := prepare(dir); err != nil {
		t.Fatal(err)
	}
	run, stderr := hone(t, dir, nil, "run", "tiny.toml", "--dir", "r", "stage.pretrain.steps=1000000")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	saved := func() bool {
		list, _ := filepath.Glob(filepath.Join(dir, "r", "pretrain", "checkpoints", "step-*", "manifest.json"))
		return len(list) > 0
	}
	for !saved() {
		select {
		case err := <-ended:
			t.Fatalf("%v\n%s", err, stderr)
		case <-time.After(10 * time.Millisecond):
		}
	}
	for _, c := range []struct {
		args           []string
		stdout, stderr string
	}{
		{[]string{"report", "r"}, "this run is not finished", "report: r/report.html"},
		{[]string{"report", "r"}, "pretrain  in progress", ""},
		{[]string{"generate", "r/pretrain", "--prompt", "the wing", "--max-tokens", "2"}, "the wing", "r/pretrain is not finished: using its newest checkpoint, of step "},
	} {
		cmd, stderr := hone(t, dir, nil, c.args...)
		stdout, err := cmd.Output()
		if err != nil || !strings.Contains(string(stdout), c.stdout) || !strings.Contains(filepath.ToSlash(stderr.String()), c.stderr) {
			t.Errorf("%q: %v, stdout\n%s\nstderr\n%s", c.args, err, stdout, stderr)
		}
	}
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	page, err := os.ReadFile(filepath.Join(dir, "r", "report.html"))
	if err != nil || !bytes.Contains(page, []byte("This run is not finished")) {
		t.Errorf("the page does not say that the run is not finished: %v", err)
	}
}
