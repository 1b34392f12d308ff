package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint/file"
)

func TestOpenDamaged(t *testing.T) {
	edit := func(name string, change func([]byte) []byte) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, name)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, change(data), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(from, to string) func([]byte) []byte {
		return func(data []byte) []byte { return bytes.Replace(data, []byte(from), []byte(to), 1) }
	}
	for _, test := range []struct {
		name, want string
		damage     func(t *testing.T, dir string)
	}{
		{"flip", "model.safetensors does not match its sha256", edit(ModelFile, func(b []byte) []byte { b[len(b)/2] ^= 4; return b })},
		{"truncated", "state.json has", edit(StateFile, func(b []byte) []byte { return b[:len(b)-1] })},
		{"longer", "state.json has", edit(StateFile, func(b []byte) []byte { return append(b, 0) })},
		{"missing", "config.json is missing", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, ConfigFile)); err != nil {
				t.Fatal(err)
			}
		}},
		{"unfinished", "no manifest.json: no checkpoint, or one whose saving was interrupted", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, ManifestFile)); err != nil {
				t.Fatal(err)
			}
		}},
		{"newer", "format version 99 is newer than this hone's 6", edit(ManifestFile, replace(`"format_version": 6`, `"format_version": 99, "new": {}`))},
		{"no version", "format version 0", edit(ManifestFile, replace(`"format_version": 6`, `"format_version": 0`))},
		{"empty manifest", "manifest.json: damaged", edit(ManifestFile, func([]byte) []byte { return nil })},
		{"half a manifest", "manifest.json: damaged", edit(ManifestFile, func(b []byte) []byte { return b[:len(b)/2] })},
		{"other step", "does not match its own sha256", edit(ManifestFile, replace(`"step": 3`, `"step": 2`))},
		{"unknown field", "unknown field", edit(ManifestFile, replace(`"step": 3`, `"step": 3, "stop": 3`))},
		{"path", `"../x" is no plain file name`, func(t *testing.T, dir string) {
			m := Manifest{FormatVersion: formatVersion, Step: 3, Files: map[string]file.Info{"../x": {}}}
			text, err := m.seal()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, ManifestFile), text, 0o666); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			stage := t.TempDir()
			for step := 1; step <= 3; step++ {
				mustSave(t, stage, step, "x")
			}
			dir := StepDir(stage, 3)
			test.damage(t, dir)
			_, err := Open(dir)
			wantError(t, err, test.want)
			wantError(t, err, "checkpoint "+dir+": ")
			var logged []string
			c, err := Latest(stage, func(line string) { logged = append(logged, line) })
			if err != nil {
				t.Fatal(err)
			}
			if c == nil || c.Manifest.Step != 2 {
				t.Errorf("latest is %+v, want step 2", c)
			}
			if len(logged) != 1 || !strings.Contains(logged[0], dir) || !strings.Contains(logged[0], test.want) {
				t.Errorf("logged %q", logged)
			}
			// Damage takes no good checkpoint's place.
			if _, err := Retain(stage, Retention{Keep: 1}); err != nil {
				t.Fatal(err)
			}
			if c := latest(t, stage); c.Manifest.Step != 2 {
				t.Errorf("step %d was retained, want 2", c.Manifest.Step)
			}
			mustSave(t, stage, 3, "y")
			if c := latest(t, stage); c.Manifest.Step != 3 || model(t, c) != string(content(3, "y")) {
				t.Errorf("the damaged step was not replaced: %+v", c)
			}
		})
	}
}

// TestManifestFlips flips every bit of a manifest.
func TestManifestFlips(t *testing.T) {
	m := Manifest{FormatVersion: formatVersion, Hone: "v1", Metrics: map[string]float64{"loss": 1.5},
		Files: map[string]file.Info{ModelFile: {Size: 1, SHA256: "ab"}}}
	text, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		for bit := range 8 {
			text[i] ^= 1 << bit
			if got, err := decodeManifest(text); err == nil {
				t.Errorf("byte %d, bit %d: accepted %+v", i, bit, got)
			}
			text[i] ^= 1 << bit
		}
	}
}

func TestOpenFiles(t *testing.T) {
	stage := t.TempDir()
	mustSave(t, stage, 7, "x")
	c := latest(t, stage)
	if want := filepath.Join(stage, "checkpoints", "step-000007"); c.Dir != want {
		t.Errorf("directory %s, want %s", c.Dir, want)
	}
	data, err := c.File(StateFile)
	if err != nil || !bytes.Equal(data, content(7, "x")) {
		t.Errorf("state %q, %v", data, err)
	}
	sum := sha256.Sum256(data)
	if got, want := c.Manifest.Files[StateFile], (file.Info{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}); got != want {
		t.Errorf("manifest has %v, want %v", got, want)
	}
	_, err = c.File(TokenizerFile)
	wantError(t, err, "has no file tokenizer.json, only config.json, model.safetensors, state.json")
	_, err = c.Tensors(OptimizerFile)
	wantError(t, err, "has no file optimizer.safetensors")
	_, err = c.Tensors(StateFile)
	wantError(t, err, "state.json: not a valid safetensors file")
	if err := os.WriteFile(filepath.Join(c.Dir, StateFile), []byte("later"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = c.File(StateFile)
	wantError(t, err, "state.json does not match its sha256")
}

func TestLatest(t *testing.T) {
	stage := t.TempDir()
	if c, err := Latest(filepath.Join(stage, "none"), nil); c != nil || err != nil {
		t.Errorf("%v, %v of no directory", c, err)
	}
	// 1000000 is later than 999999, though its name sorts before.
	for _, step := range []int{999999, 0, 1000000} {
		mustSave(t, stage, step, "x")
	}
	for _, name := range []string{"step-1", "step-00000x", "step--00001", "other", ".tmp-step-2000000"} {
		if err := os.Mkdir(filepath.Join(stage, "checkpoints", name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Latest(stage, func(line string) { t.Error(line) })
	if err != nil || c == nil || c.Manifest.Step != 1000000 {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := os.Rename(c.Dir, StepDir(stage, 1000001)); err != nil {
		t.Fatal(err)
	}
	var logged []string
	c, err = Latest(stage, func(line string) { logged = append(logged, line) })
	if err != nil || c == nil || c.Manifest.Step != 999999 {
		t.Errorf("%+v, %v", c, err)
	}
	if len(logged) != 1 || !strings.Contains(logged[0], "holds step 1000000") {
		t.Errorf("logged %q", logged)
	}
	if err := os.RemoveAll(filepath.Join(stage, "checkpoints")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stage, "checkpoints"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if c, err := Latest(stage, nil); err == nil {
		t.Errorf("%v of a file", c)
	}
}

func TestRetain(t *testing.T) {
	losses := []float64{4, 2, 3, 2, 5, 6} // of steps 1 to 6
	for _, test := range []struct {
		r    Retention
		want []int
		best int // 0: none
	}{
		{Retention{Keep: 2}, []int{7, 6}, 0},
		{Retention{Keep: 9}, []int{7, 6, 5, 4, 3, 2, 1}, 0},
		{Retention{Keep: 2, Metric: "val_loss"}, []int{7, 6, 2}, 2},
		{Retention{Keep: 2, Metric: "val_loss", HigherIsBetter: true}, []int{7, 6}, 6},
		{Retention{Keep: 1, Metric: "val_loss", HigherIsBetter: true}, []int{7, 6}, 6},
		{Retention{Keep: 1, Metric: "other"}, []int{7}, 0},
	} {
		stage := t.TempDir()
		for step := 1; step <= 7; step++ {
			m := Manifest{Step: step}
			if step <= len(losses) { // the last has not been evaluated
				m.Metrics = map[string]float64{"val_loss": losses[step-1]}
			}
			if err := (&journal{}).disk().save(StepDir(stage, step), m, testFiles(step, "x")); err != nil {
				t.Fatal(err)
			}
		}
		best, err := Best(stage, test.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if best == nil && test.best != 0 || best != nil && best.Manifest.Step != test.best {
			t.Errorf("%+v: best is %+v, want step %d", test.r, best, test.best)
		}
		removed, err := Retain(stage, test.r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := stepsOf(stage)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%+v: kept %v, %v, want %v", test.r, got, err, test.want)
		}
		if len(removed) != 7-len(test.want) {
			t.Errorf("%+v: removed %v", test.r, removed)
		}
	}
	_, err := Retain(t.TempDir(), Retention{})
	wantError(t, err, "at least 1")
	if removed, err := Retain(t.TempDir(), Retention{Keep: 1}); removed != nil || err != nil {
		t.Errorf("%v, %v of no checkpoints", removed, err)
	}
}

func TestBestDamaged(t *testing.T) {
	stage := t.TempDir()
	for step := 1; step <= 3; step++ {
		mustSave(t, stage, step, "x") // val_loss is 1, 0, 1
	}
	if err := os.Truncate(filepath.Join(StepDir(stage, 2), ModelFile), 9); err != nil {
		t.Fatal(err)
	}
	var logged []string
	c, err := Best(stage, Retention{Metric: "val_loss"}, func(line string) { logged = append(logged, line) })
	if err != nil || c == nil || c.Manifest.Step != 1 {
		t.Errorf("best is %+v, %v, want step 1", c, err)
	}
	if len(logged) != 1 || !strings.Contains(logged[0], "step-000002: model.safetensors has 9 bytes") {
		t.Errorf("logged %q", logged)
	}
}

func TestSetFinal(t *testing.T) {
	stage := t.TempDir()
	half := filepath.Join(stage, ".stage.json.tmp-1-1") // of a WriteFile whose process was killed
	if err := os.WriteFile(half, []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= 2; step++ {
		mustSave(t, stage, step, "x")
		if err := SetFinal(stage, latest(t, stage)); err != nil {
			t.Fatal(err)
		}
		c, err := Open(FinalDir(stage))
		if err != nil {
			t.Fatal(err)
		}
		if c.Manifest.Step != step || model(t, c) != string(content(step, "x")) {
			t.Errorf("final is step %d, want %d", c.Manifest.Step, step)
		}
	}
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", half, err)
	}
	// It outlives what it was made from.
	if err := os.RemoveAll(filepath.Join(stage, "checkpoints")); err != nil {
		t.Fatal(err)
	}
	c, err := Open(FinalDir(stage))
	if err != nil {
		t.Fatal(err)
	}
	// And it is made of copies where there are no links, but not of damage.
	stage = t.TempDir()
	d := (&journal{}).disk()
	d.Link = func(string, string) error { return errInjected }
	if err := d.setFinal(stage, c); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(FinalDir(stage)); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, ConfigFile), []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	wantError(t, d.setFinal(stage, c), "config.json does not match its manifest")
	if _, err := Open(FinalDir(stage)); err != nil {
		t.Errorf("the final before is lost: %v", err)
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.json")
	for _, text := range []string{"long, long ago", "short"} {
		if err := file.WriteBytes(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v, want %q", got, err, text)
		}
	}
	if l := leftovers(t, dir); l != nil {
		t.Errorf("left behind: %v", l)
	}
	if err := file.WriteBytes(filepath.Join(dir, "none", "f"), nil); err == nil {
		t.Error("wrote to a directory that does not exist")
	}
}

// TestStrangers puts files of the user's into checkpoints: none is lost.
func TestStrangers(t *testing.T) {
	stage := t.TempDir()
	for step := 1; step <= 3; step++ {
		mustSave(t, stage, step, "x")
	}
	note := filepath.Join(StepDir(stage, 1), "notes.txt")
	if err := os.WriteFile(note, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	removed, err := Retain(stage, Retention{Keep: 1})
	if err != nil || len(removed) != 1 || removed[0] != StepDir(stage, 2) {
		t.Errorf("removed %v, %v, want step 2 alone", removed, err)
	}
	// A final's card moves to the next final; where that has one of the name, beside it.
	if err := SetFinal(stage, latest(t, stage)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"README.md": "card", "extra.json": "mine"} {
		if err := os.WriteFile(filepath.Join(FinalDir(stage), name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	extra := append(testFiles(4, "x"), BytesFile("extra.json", []byte("hone's")))
	if err := Save(StepDir(stage, 4), Manifest{Step: 4}, extra); err != nil {
		t.Fatal(err)
	}
	if err := SetFinal(stage, latest(t, stage)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"README.md": "card", "extra.json": "hone's", "extra.json.kept": "mine"} {
		if got, err := os.ReadFile(filepath.Join(FinalDir(stage), name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v, want %q", name, got, err, want)
		}
	}
	if _, err := Open(FinalDir(stage)); err != nil {
		t.Error(err)
	}
}
