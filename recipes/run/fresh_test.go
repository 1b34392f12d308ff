package run

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
)

// treeOf maps every path below dir to what it holds: a text, a link's target, or "/".
func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			found[name] = "/"
		case e.Type()&fs.ModeSymlink != 0:
			found[name], err = os.Readlink(path)
		default:
			var text []byte
			text, err = os.ReadFile(path)
			found[name] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// putStage writes what a training stage leaves.
func putStage(t *testing.T, dir string) {
	t.Helper()
	put(t, filepath.Join(dir, stageFile), "{}")
	for _, at := range []string{dir, filepath.Join(dir, "lr-0.001")} {
		files := []checkpoint.File{checkpoint.BytesFile(checkpoint.ConfigFile, []byte("{}")), checkpoint.BytesFile("merges.txt", nil)}
		if err := checkpoint.Save(checkpoint.StepDir(at, 12), checkpoint.Manifest{Step: 12}, files); err != nil {
			t.Fatal(err)
		}
	}
	c, err := checkpoint.Latest(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.SetFinal(dir, c); err != nil {
		t.Fatal(err)
	}
}

// TestFreshRemovesOnlyItsOwn plants files of others in every place of a run directory.
func TestFreshRemovesOnlyItsOwn(t *testing.T) {
	for _, layout := range []string{"listed", "of a hone that kept no list"} {
		t.Run(layout, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "runs", "x")
			if _, err := openTest(t, dir, "cpu/avx2", false); err != nil {
				t.Fatal(err)
			}
			others := map[string]string{
				"../other/pretrain/stage.json": "{}", "../../mine.txt": "mine",
				"notes.txt": "mine", "mine/stage.json": "{}", "pretrain/notes.txt": "mine",
				"pretrain/final/README.md": "a model card", "pretrain/checkpoints/step-000012/sub/x": "mine",
				"pretrain/checkpoints/mine.txt": "mine", "pretrain/lr-0.001/checkpoints/step-000012/why.txt": "mine",
			}
			for name, text := range others {
				put(t, filepath.Join(dir, name), text)
			}
			want := treeOf(t, root)
			maps.DeleteFunc(want, func(name, _ string) bool {
				return slices.Contains([]string{"runs/x/recipe.toml", "runs/x/manifest.json"}, filepath.ToSlash(name))
			})
			putStage(t, filepath.Join(dir, "pretrain"))
			for _, name := range []string{"metrics.jsonl", "report.json", "tokenizer.json"} {
				put(t, filepath.Join(dir, name), "")
			}
			if err := os.Symlink(filepath.Join(root, "mine.txt"), filepath.Join(dir, "pretrain", "checkpoints", "step-000024")); err != nil {
				t.Skip("no symbolic links here")
			}
			want[filepath.FromSlash("runs/x/pretrain/checkpoints/step-000024")] = filepath.Join(root, "mine.txt")
			if layout != "listed" {
				put(t, filepath.Join(dir, runManifestFile), `{"format_version": 1, "hone": "v1", "device": "cpu/avx2", "machine": "m"}`)
			}
			said, err := openTest(t, dir, "cpu/avx2", true, "seed=2")
			if err != nil {
				t.Fatal(err)
			}
			got := treeOf(t, root)
			maps.DeleteFunc(got, func(name, _ string) bool {
				return slices.Contains([]string{"runs/x/recipe.toml", "runs/x/manifest.json"}, filepath.ToSlash(name))
			})
			if !maps.Equal(got, want) {
				for name := range want {
					if _, ok := got[name]; !ok {
						t.Errorf("removed: %s", name)
					}
				}
				for name := range got {
					if _, ok := want[name]; !ok {
						t.Errorf("stayed: %s", name)
					}
				}
			}
			for _, name := range []string{"README.md", "why.txt", "sub", "step-000024"} {
				if !slices.ContainsFunc(said, func(line string) bool {
					return strings.HasSuffix(line, name+": hone did not make it")
				}) {
					t.Errorf("not said of %s: %q", name, said)
				}
			}
		})
	}
}

// TestRunDirOfOthers opens directories that hone did not make, with names that it would use.
func TestRunDirOfOthers(t *testing.T) {
	for _, test := range []struct {
		name, file, text, want string
	}{
		{"a recipe", "recipe.toml", "title = 'soup'\n", "would overwrite: recipe.toml"},
		{"the parent as a stage", "recipe.toml", "[[stage]]\nname = '..'\n[[stage]]\nname = '../other'\n", "recipe.toml"},
		{"a stage's name", "pretrain/essay.txt", "mine", "would overwrite: pretrain"},
		{"an empty-handed stage.json", "pretrain/stage.json", "{}", "would overwrite: pretrain"},
		{"a tokenizer", "tokenizer.json", "{}", "would overwrite: tokenizer.json"},
		{"a manifest of something else", "manifest.json", `{"name": "my web page"}`, "is not the manifest of a run"},
		{"a damaged manifest", "manifest.json", `{"format_version": 2, "ho`, "is not the manifest of a run"},
		{"a manifest that lists the parent", "manifest.json", `{"format_version": 2, "made": [".."]}`, `".." in its list`},
		{"a manifest that lists a file above", "manifest.json", `{"format_version": 2, "made": ["../other"]}`, `"../other" in its list`},
		{"an old run with the parent as a stage", "manifest.json", `{"format_version": 1}`, ""},
	} {
		for _, fresh := range []bool{false, true} {
			root := t.TempDir()
			dir := filepath.Join(root, "x")
			put(t, filepath.Join(root, "other", stageFile), "{}")
			put(t, filepath.Join(root, stageFile), "{}")
			put(t, filepath.Join(dir, test.file), test.text)
			if test.want == "" {
				put(t, filepath.Join(dir, "recipe.toml"), "[[stage]]\nname = '..'\n[[stage]]\nname = '../other'\n")
			}
			before := treeOf(t, root)
			_, err := openTest(t, dir, "cpu/avx2", fresh)
			got := treeOf(t, root)
			delete(got, filepath.FromSlash("x/.lock"))
			if test.want == "" { // its files are its own, what its recipe names above it is not
				for _, name := range []string{"other/stage.json", "stage.json"} {
					if _, ok := got[filepath.FromSlash(name)]; !ok {
						t.Errorf("%s, fresh %v: removed %s", test.name, fresh, name)
					}
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "--dir") {
				t.Errorf("%s, fresh %v: error %v", test.name, fresh, err)
			}
			if !maps.Equal(before, got) {
				t.Errorf("%s, fresh %v: was %v, is %v", test.name, fresh, before, got)
			}
		}
	}
}

func TestRunDirLinks(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "x")
	if _, err := openTest(t, dir, "cpu/avx2", false); err != nil {
		t.Fatal(err)
	}
	putStage(t, filepath.Join(root, "elsewhere"))
	if err := os.Symlink(filepath.Join(root, "elsewhere"), filepath.Join(dir, "pretrain")); err != nil {
		t.Skip("no symbolic links here")
	}
	before := treeOf(t, filepath.Join(root, "elsewhere"))
	for _, fresh := range []bool{false, true} {
		if _, err := openTest(t, dir, "cpu/avx2", fresh); err == nil || !strings.Contains(err.Error(), "pretrain") {
			t.Errorf("a link in the place of a stage, fresh %v: error %v", fresh, err)
		}
	}
	if got := treeOf(t, filepath.Join(root, "elsewhere")); !maps.Equal(before, got) {
		t.Errorf("the link was followed: %v", got)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"../../x", "..", "a/b", `a\b`, "C:x", "-x", ".hidden", "a\x1b[1m"} {
		if _, err := parsed("a.toml", "name = "+tomlString(name)+minimal, nil); err == nil || !strings.Contains(err.Error(), "run's directory") {
			t.Errorf("a recipe called %q: error %v", name, err)
		}
		if _, err := parsed("a.toml", strings.Replace(minimal, `"pretrain"`, tomlString(name), 1), nil); err == nil || !strings.Contains(err.Error(), "name of a directory") {
			t.Errorf("a stage called %q: error %v", name, err)
		}
	}
}

func tomlString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, "\x1b", `\u001b`).Replace(s) + `"`
}
