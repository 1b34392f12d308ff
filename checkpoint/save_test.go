package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint/file"
	"hone/checkpoint/provenance"
)

// Faults of a file system, at its n-th change.
const (
	none         = ""
	failOnce     = "fails once"
	shortWrite   = "a write that falls short without an error, once"
	dies         = "fails and so does all that follows"
	partialWrite = "half a write, then all fails"
)

var errInjected = errors.New("injected")

// journal is a disk that notes each change, fails at one, and does not wait
// for real syncs.
type journal struct {
	at    int // the change that fails, from 1
	fault string
	log   []string // op path [to]: what was attempted
	done  []string // what succeeded
}

// next notes a change and says how it fails, if it does.
func (j *journal) next(op string) (fault string) {
	j.log = append(j.log, op)
	switch n := len(j.log); {
	case n == j.at:
		fault = j.fault
	case n > j.at && j.at > 0 && (j.fault == dies || j.fault == partialWrite):
		fault = dies
	}
	return fault
}

func (j *journal) do(op string, change func() error) error {
	if j.next(op) != none {
		return errInjected
	}
	err := change()
	if err == nil {
		j.done = append(j.done, op)
	}
	return err
}

func (j *journal) disk() disk {
	return disk{file.Disk{
		Mkdir: func(path string) error {
			return j.do("mkdir "+path, func() error { return osDisk.Mkdir(path) })
		},
		Create: func(path string) (f *os.File, err error) {
			err = j.do("create "+path, func() error { f, err = osDisk.Create(path); return err })
			return f, err
		},
		Write: func(f *os.File, p []byte) (int, error) {
			fault := j.next("write " + f.Name())
			var n int
			var err error
			if fault == none {
				return f.Write(p)
			}
			if fault == shortWrite || fault == partialWrite {
				n, err = f.Write(p[:len(p)/2])
			}
			if fault != shortWrite && err == nil {
				err = errInjected
			}
			return n, err
		},
		Sync: func(f *os.File) error {
			return j.do("sync "+f.Name(), func() error { return nil })
		},
		Close: func(f *os.File) error {
			// The file is closed in any case, as by the system.
			err := f.Close()
			return j.do("close "+f.Name(), func() error { return err })
		},
		Rename: func(from, to string) error {
			return j.do("rename "+from+" "+to, func() error { return osDisk.Rename(from, to) })
		},
		Link: func(from, to string) error {
			return j.do("link "+from+" "+to, func() error { return osDisk.Link(from, to) })
		},
		Remove: func(path string) error {
			if j.next("remove "+path) == none {
				return osDisk.Remove(path)
			}
			// It got half the way.
			entries, _ := os.ReadDir(path)
			for i, e := range entries {
				if i%2 == 0 {
					os.Remove(filepath.Join(path, e.Name()))
				}
			}
			return errInjected
		},
		SyncDir: func(path string) error {
			return j.do("syncdir "+path, func() error { return nil })
		},
	}}
}

// content is the model that testFiles writes for a step.
func content(step int, tag string) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%s %d ", tag, step), 100)
}

func testFiles(step int, tag string) []File {
	data := content(step, tag)
	return []File{
		TensorsFile(ModelFile, []Tensor{{"w", "U8", []int{len(data)}, data}}),
		BytesFile(ConfigFile, []byte(`{"model_type":"gpt2"}`)),
		BytesFile(StateFile, data),
	}
}

func testSave(d disk, stageDir string, step int, tag string) error {
	m := Manifest{Hone: "test", Stage: "pretrain", Step: step, Kernels: "generic", Device: "cpu",
		Metrics: map[string]float64{"val_loss": math.Abs(float64(step) - 2)}}
	return d.save(StepDir(stageDir, step), m, testFiles(step, tag))
}

func mustSave(t *testing.T, stageDir string, step int, tag string) {
	t.Helper()
	if err := testSave((&journal{}).disk(), stageDir, step, tag); err != nil {
		t.Fatal(err)
	}
}

// model returns the tensor that testFiles wrote.
func model(t *testing.T, c *Checkpoint) string {
	t.Helper()
	s, err := c.Tensors(ModelFile)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w, err := s.Read("w", nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.Data)
}

func latest(t *testing.T, stageDir string) *Checkpoint {
	t.Helper()
	c, err := Latest(stageDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c == nil {
		t.Fatalf("no checkpoint in %s", stageDir)
	}
	return c
}

// leftovers returns the paths below dir of what is temporary.
func leftovers(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if strings.HasPrefix(e.Name(), ".") && path != dir {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestFaults makes every single change of the file system fail, in every way,
// and looks at what is left.
func TestFaults(t *testing.T) {
	final := func(d disk, dir string, step int) error {
		c, err := Open(StepDir(dir, step))
		if err != nil {
			return err
		}
		return d.setFinal(dir, c)
	}
	replace := func(d disk, dir, data string) error {
		_, err := d.Replace(filepath.Join(dir, "f"), func(w io.Writer) error {
			_, err := io.WriteString(w, data)
			return err
		})
		return err
	}
	for _, test := range []struct {
		name  string
		setup func(t *testing.T, dir string)
		act   func(d disk, dir string) error
		// look returns what a reader finds, which is before until the change
		// called commit is done, and after from then on.
		look                  func(t *testing.T, dir string) string
		commit, before, after string
	}{
		{
			name:   "new step",
			setup:  func(t *testing.T, dir string) { mustSave(t, dir, 1, "old") },
			act:    func(d disk, dir string) error { return testSave(d, dir, 2, "new") },
			look:   func(t *testing.T, dir string) string { return model(t, latest(t, dir)) },
			commit: "rename checkpoints/.tmp-step-000002 checkpoints/step-000002",
			before: string(content(1, "old")), after: string(content(2, "new")),
		},
		{
			name:   "same step",
			setup:  func(t *testing.T, dir string) { mustSave(t, dir, 1, "old") },
			act:    func(d disk, dir string) error { return testSave(d, dir, 1, "new") },
			look:   func(t *testing.T, dir string) string { return model(t, latest(t, dir)) },
			commit: "rename checkpoints/.tmp-step-000001 checkpoints/step-000001",
			before: string(content(1, "old")), after: string(content(1, "new")),
		},
		{
			// The save before was interrupted between its two renames and
			// while it removed the rest of another.
			name: "after an interrupted save",
			setup: func(t *testing.T, dir string) {
				mustSave(t, dir, 1, "old")
				mustSave(t, dir, 2, "x")
				step := StepDir(dir, 1)
				for from, to := range map[string]string{step: beside(step, oldPrefix), StepDir(dir, 2): beside(step, tmpPrefix)} {
					if err := os.Rename(from, to); err != nil {
						t.Fatal(err)
					}
				}
			},
			act:    func(d disk, dir string) error { return testSave(d, dir, 2, "new") },
			look:   func(t *testing.T, dir string) string { return model(t, latest(t, dir)) },
			commit: "rename checkpoints/.tmp-step-000002 checkpoints/step-000002",
			before: string(content(1, "old")), after: string(content(2, "new")),
		},
		{
			name:   "first step",
			setup:  func(t *testing.T, dir string) {},
			act:    func(d disk, dir string) error { return testSave(d, filepath.Join(dir, "a", "b"), 1, "new") },
			commit: "rename a/b/checkpoints/.tmp-step-000001 a/b/checkpoints/step-000001",
			look: func(t *testing.T, dir string) string {
				c, err := Latest(filepath.Join(dir, "a", "b"), func(s string) { t.Errorf("half a checkpoint: %s", s) })
				if err != nil {
					t.Fatal(err)
				}
				if c == nil {
					return ""
				}
				return model(t, c)
			},
			before: "", after: string(content(1, "new")),
		},
		{
			name: "final",
			setup: func(t *testing.T, dir string) {
				mustSave(t, dir, 1, "old")
				if err := final((&journal{}).disk(), dir, 1); err != nil {
					t.Fatal(err)
				}
				mustSave(t, dir, 2, "new")
			},
			act: func(d disk, dir string) error { return final(d, dir, 2) },
			look: func(t *testing.T, dir string) string {
				c, err := Open(FinalDir(dir))
				if err != nil {
					t.Fatal(err)
				}
				return model(t, c)
			},
			commit: "rename .tmp-final final",
			before: string(content(1, "old")), after: string(content(2, "new")),
		},
		{
			name: "retain",
			setup: func(t *testing.T, dir string) {
				for step := 1; step <= 5; step++ {
					mustSave(t, dir, step, "old")
				}
			},
			act: func(d disk, dir string) error {
				_, err := d.retain(dir, Retention{Keep: 2, Metric: "val_loss"})
				return err
			},
			look: func(t *testing.T, dir string) string {
				kept := ""
				for _, step := range []int{5, 4, 2} {
					c, err := Open(StepDir(dir, step))
					if err != nil {
						t.Fatal(err)
					}
					kept += model(t, c)
				}
				// One that is half removed must not look like a checkpoint.
				for _, step := range []int{3, 1} {
					if _, err := Open(StepDir(dir, step)); err != nil && !errors.Is(err, fs.ErrNotExist) {
						t.Error(err)
					}
				}
				return kept
			},
			before: string(content(5, "old")) + string(content(4, "old")) + string(content(2, "old")),
			after:  string(content(5, "old")) + string(content(4, "old")) + string(content(2, "old")),
		},
		{
			name: "file",
			setup: func(t *testing.T, dir string) {
				if err := replace((&journal{}).disk(), dir, "old"); err != nil {
					t.Fatal(err)
				}
			},
			act: func(d disk, dir string) error { return replace(d, dir, "new") },
			look: func(t *testing.T, dir string) string {
				data, err := os.ReadFile(filepath.Join(dir, "f"))
				if err != nil {
					t.Fatal(err)
				}
				return string(data)
			},
			commit: "rename .f.tmp f",
			before: "old", after: "new",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			// relative is a change without what differs between runs.
			relative := func(op, dir string) string {
				op = strings.ReplaceAll(op, dir+string(filepath.Separator), "")
				op = filepath.ToSlash(strings.ReplaceAll(op, dir, "."))
				if i := strings.Index(op, ".f.tmp-"); i >= 0 {
					name, rest, _ := strings.Cut(op[i:], " ")
					op = strings.TrimSuffix(op[:i]+strings.TrimRight(name, "-0123456789")+" "+rest, " ")
				}
				return op
			}
			dir := t.TempDir()
			test.setup(t, dir)
			clean := &journal{}
			if err := test.act(clean.disk(), dir); err != nil {
				t.Fatal(err)
			}
			if got := test.look(t, dir); got != test.after {
				t.Fatalf("found %.20q, want %.20q", got, test.after)
			}
			if l := leftovers(t, dir); l != nil {
				t.Errorf("left behind: %v", l)
			}
			if test.commit != "" && !slices.ContainsFunc(clean.done, func(op string) bool { return relative(op, dir) == test.commit }) {
				t.Fatalf("no change %q among %q", test.commit, clean.done)
			}
			t.Logf("%d changes", len(clean.log))

			for n := range clean.log {
				for _, fault := range []string{failOnce, dies, shortWrite, partialWrite} {
					op := relative(clean.log[n], dir)
					if (fault == shortWrite || fault == partialWrite) && !strings.HasPrefix(op, "write") {
						continue
					}
					where := fmt.Sprintf("change %d, %s, %s", n+1, op, fault)
					dir := t.TempDir()
					test.setup(t, dir)
					j := &journal{at: n + 1, fault: fault}
					err := test.act(j.disk(), dir)
					// A link that fails is replaced by a copy.
					if copied := strings.HasPrefix(op, "link") && fault == failOnce; (err == nil) != copied {
						t.Errorf("%s: error %v", where, err)
					}
					if fault == shortWrite && !errors.Is(err, io.ErrShortWrite) {
						t.Errorf("%s: error %v", where, err)
					}
					want := test.before
					if slices.ContainsFunc(j.done, func(op string) bool { return relative(op, dir) == test.commit }) {
						want = test.after
					}
					if got := test.look(t, dir); got != want {
						t.Errorf("%s: found %.20q, want %.20q", where, got, want)
					}
					// An error that is not the end leaves nothing behind.
					if l := leftovers(t, dir); l != nil && fault == failOnce && want != test.after && test.name != "after an interrupted save" {
						t.Errorf("%s: left behind: %v", where, l)
					}
					if err := test.act((&journal{}).disk(), dir); err != nil {
						t.Errorf("%s: the next time: %v", where, err)
					}
					if got := test.look(t, dir); got != test.after {
						t.Errorf("%s: found %.20q the next time, want %.20q", where, got, test.after)
					}
					// WriteFile cannot know the files of others from those of the dead.
					if l := leftovers(t, dir); l != nil && test.name != "file" {
						t.Errorf("%s: left behind: %v", where, l)
					}
				}
			}
		})
	}
}

// TestSaveOrder checks the order that survives a power failure: nothing is
// renamed into place before it is on the disk, and the manifest comes last.
func TestSaveOrder(t *testing.T) {
	dir := t.TempDir()
	j := &journal{}
	if err := testSave(j.disk(), filepath.Join(dir, "s"), 1, "x"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, op := range j.log {
		op = filepath.ToSlash(strings.ReplaceAll(op, dir, ""))
		op = strings.ReplaceAll(op, "/s/checkpoints", "C")
		if len(got) == 0 || got[len(got)-1] != op { // any number of writes
			got = append(got, op)
		}
	}
	want := []string{"mkdir /s", "syncdir ", "mkdir C", "syncdir /s", "mkdir C/.tmp-step-000001"}
	for _, name := range []string{ModelFile, ConfigFile, StateFile, ManifestFile} {
		for _, op := range []string{"create", "write", "sync", "close"} {
			want = append(want, op+" C/.tmp-step-000001/"+name)
		}
	}
	want = append(want, "syncdir C/.tmp-step-000001", "rename C/.tmp-step-000001 C/step-000001", "syncdir C")
	if !slices.Equal(got, want) {
		t.Errorf("changes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSaveErrors(t *testing.T) {
	full := errors.New("no room")
	text := BytesFile(ConfigFile, nil)
	for _, test := range []struct {
		want  string
		m     Manifest
		files []File
	}{
		{"config.json: given twice", Manifest{}, []File{text, text}},
		{"manifest.json", Manifest{}, []File{BytesFile(ManifestFile, nil)}},
		{`"a/b/c" is no plain file name`, Manifest{}, []File{BytesFile("a/b/c", nil)}},
		{`".." is no plain file name`, Manifest{}, []File{BytesFile("..", nil)}},
		{`model.safetensors: tensor "w": unknown dtype`, Manifest{}, []File{TensorsFile(ModelFile, []Tensor{{Name: "w"}})}},
		{"config.json: no room", Manifest{}, []File{{ConfigFile, func(io.Writer) error { return full }}}},
		{`metric "loss" is NaN`, Manifest{Metrics: map[string]float64{"loss": math.NaN()}}, nil},
		{"cannot be read back", Manifest{Stage: "\xff"}, nil},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "step-000001")
		err := Save(path, test.m, test.files)
		wantError(t, err, test.want)
		wantError(t, err, "checkpoint: save "+path+": ")
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("%s: left behind: %v %v", test.want, entries, err)
		}
	}
	wantError(t, Save(filepath.Join(t.TempDir(), ".hidden"), Manifest{}, nil), "cannot be the name")
}

// TestSaveDeterministic also is the round trip of all that a manifest holds.
func TestSaveDeterministic(t *testing.T) {
	m := Manifest{
		Hone: "v0.1", Stage: "finetune", Step: 500, Kernels: "avx2", Device: "cpu",
		Metrics: map[string]float64{"val_loss": 1.0 / 3, "accuracy": 0.9, "zero": math.Copysign(0, -1)},
		Provenance: []Origin{
			{Stage: "pretrain", RecipeSHA256: "ab", Tokenizer: "12", Corpora: []provenance.Corpus{{
				Name: "go", Source: "goroot:", Licence: "BSD-3-Clause", Consent: "published <by> the authors", Collected: "2026-02", SHA256: "cd", Train: "34",
				Documents: 7, Share: 0.25, Cleaning: map[string]int64{"exact duplicate": 3},
			}}, Recipe: "seed = 1\n", Step: 7},
			{Stage: "finetune", RecipeSHA256: "ef"},
		},
	}
	given := maps.Clone(m.Metrics)
	all := make([]map[string]string, 2)
	for i := range all {
		dir := filepath.Join(t.TempDir(), "step-000500")
		files := testFiles(500, "x")
		if i == 1 {
			slices.Reverse(files)
		}
		if err := Save(dir, m, files); err != nil {
			t.Fatal(err)
		}
		all[i] = map[string]string{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all[i][e.Name()] = string(data)
		}
		c, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := c.Manifest
		if got.FormatVersion != formatVersion || len(got.Files) != 3 || got.SHA256 == "" {
			t.Errorf("manifest %+v", got)
		}
		got.FormatVersion, got.Files, got.SHA256 = 0, nil, ""
		if !reflect.DeepEqual(got, m) {
			t.Errorf("manifest %+v, want %+v", got, m)
		}
	}
	if !maps.Equal(all[0], all[1]) {
		t.Errorf("two saves of the same differ: %v", all)
	}
	if m.Files != nil || !maps.Equal(given, m.Metrics) {
		t.Error("Save changed the caller's manifest")
	}
}

// TestShortWrite is the one of a write too large for the buffer, which bufio
// hands on without a look at the count.
func TestShortWrite(t *testing.T) {
	j := &journal{at: 2, fault: shortWrite}
	_, err := j.disk().WriteNew(filepath.Join(t.TempDir(), "f"), func(w io.Writer) error {
		_, err := w.Write(make([]byte, 3<<20))
		return err
	})
	if !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("error %v", err)
	}
}
