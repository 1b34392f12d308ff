package run

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/recipes"
)

func openTest(t *testing.T, dir, device string, fresh bool, overrides ...string) ([]string, error) {
	t.Helper()
	r, err := parsed("bench.toml", strings.ReplaceAll(minimal, "DIR", t.TempDir()), overrides)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	d, err := openRunDir(r, Options{Dir: dir, Fresh: fresh, Console: recipes.Console{Say: func(s string) { said = append(said, s) }}}, device, "machine")
	if err != nil {
		return said, err
	}
	text, err := r.Resolved()
	if err != nil {
		t.Fatal(err)
	}
	return said, errors.Join(d.remember(text, []Input{{Name: "corpus c, split train", SHA256: "ab"}}, false, func(string) {}), d.unlock())
}

const minimal = `
[corpus.c]
source = "goroot:"
[[stage]]
name = "pretrain"
kind = "pretrain"
steps = 10
learning_rate = 1e-3
save_every = "5m"
`

func TestReopenRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if _, err := openTest(t, dir, "cpu/avx2", false); err != nil {
		t.Fatal(err)
	}
	if _, err := openTest(t, dir, "cpu/avx2", false, "seed=3"); err != nil {
		t.Errorf("another recipe before any work: %v", err)
	}
	if _, err := openTest(t, dir, "cpu/avx2", false); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "pretrain"), 0o777); err != nil {
		t.Fatal(err)
	}
	if said, err := openTest(t, dir, "cpu/avx2", false, "stage.pretrain.steps=20", "threads=1"); err != nil || len(said) > 0 {
		t.Errorf("more steps: %v, said %q", err, said)
	}
	_, err := openTest(t, dir, "cpu/avx2", false, "stage.pretrain.steps=5", "seed=2", "stage.pretrain.learning_rate=[1e-3]")
	var changed *ChangedError
	if !errors.As(err, &changed) || !errors.Is(err, recipes.ErrInput) {
		t.Fatalf("error %v", err)
	}
	if got := strings.Join(changed.Keys, "; "); got != "seed (2, was 1); stage.pretrain.steps (5, was 20)" {
		t.Errorf("changed: %s", got)
	}
	if said, err := openTest(t, dir, "cpu/generic", false, "stage.pretrain.steps=20"); err != nil || len(said) != 1 || !strings.Contains(said[0], "cpu/avx2") {
		t.Errorf("other kernels: %v, said %q", err, said)
	}
	stray := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(stray, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := openTest(t, dir, "cpu/avx2", true, "seed=2"); err != nil {
		t.Errorf("fresh: %v", err)
	}
	if _, err := os.Stat(stray); err != nil {
		t.Errorf("--fresh removed a file that is not the run's: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`{"format_version": 99, "hone": "v9"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := openTest(t, dir, "cpu/avx2", false, "seed=2"); err == nil || !strings.Contains(err.Error(), "newer hone (v9") {
		t.Errorf("newer layout: error %v", err)
	}
}

// A run whose recipe an older hone resolved goes on, whether its manifest remembers the recipe
// or recipe.toml alone has it.
func TestReopenOlderRun(t *testing.T) {
	for _, remembered := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "run")
		if _, err := openTest(t, dir, "cpu/avx2", false); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "pretrain"), 0o777); err != nil {
			t.Fatal(err)
		}
		var m runManifest
		path := filepath.Join(dir, runManifestFile)
		if err := checkpoint.ReadSealed(path, &m); err != nil {
			t.Fatal(err)
		}
		older := strings.Replace(m.Recipe, "ema_decay = 0.0\n", "samples = 0\nlm_weight = 0.0\n", 1)
		if older == m.Recipe {
			t.Fatalf("no ema_decay in\n%s", older)
		}
		m.Recipe = ""
		if remembered {
			m.Recipe = older
		}
		err := checkpoint.WriteSealed(path, m)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, runRecipeFile), []byte(older), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		var changed *ChangedError
		_, err = openTest(t, dir, "cpu/avx2", false, "stage.pretrain.ema_decay=0.9")
		if !errors.As(err, &changed) || strings.Join(changed.Keys, "; ") != "stage.pretrain.ema_decay (0.9, was 0)" {
			t.Errorf("remembered %v: %v", remembered, err)
		}
		if said, err := openTest(t, dir, "cpu/avx2", false); err != nil || len(said) > 0 {
			t.Errorf("remembered %v: %v, said %q", remembered, err, said)
		}
	}
}

func TestResolvedRecipeReadsBack(t *testing.T) {
	r, err := parsed("a.toml", minimal, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.Resolved()
	if err != nil {
		t.Fatal(err)
	}
	again, err := parsed("a.toml", text, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if twice, err := again.Resolved(); err != nil || twice != text {
		t.Errorf("%v: read back and resolved again:\n%s\nwas\n%s", err, twice, text)
	}
}
