package checkpoint

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"testing"

	"hone/checkpoint/file"
)

func symlink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		t.Skip(err) // it may need privileges
	}
}

// TestPlantedLinks plants links where saves have their temporary directories: they stay,
// what they point to is not touched, and every save goes on.
func TestPlantedLinks(t *testing.T) {
	dir, victim := t.TempDir(), t.TempDir()
	for _, path := range []string{StepDir(dir, 1), StepDir(dir, 2), FinalDir(dir)} {
		symlink(t, victim, beside(path, tmpPrefix))
	}
	for step := 1; step <= 3; step++ {
		mustSave(t, dir, step, "x")
	}
	if err := SetFinal(dir, latest(t, dir)); err != nil {
		t.Fatal(err)
	}
	if removed, err := Retain(dir, Retention{Keep: 1}); err != nil || len(removed) != 2 {
		t.Errorf("removed %v, %v", removed, err)
	}
	if _, err := Open(FinalDir(dir)); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(victim); err != nil || len(entries) > 0 {
		t.Errorf("written through a link: %v, %v", entries, err)
	}
	for _, path := range []string{StepDir(dir, 1), FinalDir(dir)} {
		if info, err := os.Lstat(beside(path, tmpPrefix)); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link is gone: %v, %v", info, err)
		}
	}
}

func TestLockIsNoLink(t *testing.T) {
	dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	symlink(t, victim, filepath.Join(dir, lockFile))
	_, err := LockRun(dir)
	wantError(t, err, ".lock is no regular file")
	if text, err := os.ReadFile(victim); err != nil || string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestLeftovers writes where processes were killed before: what they left goes; what a
// living process has, what is like it and links stay.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	const dead = math.MaxInt32 // no system numbers processes so high
	goes := []string{fmt.Sprintf(".recipe.toml.tmp-%d-1", dead), fmt.Sprintf(".tmp-%d-model", dead)}
	stays := []string{
		fmt.Sprintf(".recipe.toml.tmp-%d-9", os.Getpid()), fmt.Sprintf(".tmp-%d-model", os.Getpid()), fmt.Sprintf(".tmp-%d-other", dead),
		fmt.Sprintf(".notes.txt.tmp-%d-1", dead), ".recipe.toml.tmp-mine", ".tmp-model",
	}
	for _, name := range append(goes, stays...) {
		path := filepath.Join(dir, name)
		if name[1] == 't' {
			if err := os.Mkdir(path, 0o777); err != nil {
				t.Fatal(err)
			}
			path = filepath.Join(path, ModelFile)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	link := fmt.Sprintf(".recipe.toml.tmp-%d-2", dead)
	symlink(t, filepath.Join(dir, stays[0]), filepath.Join(dir, link))
	if err := file.WriteBytes(filepath.Join(dir, "recipe.toml"), []byte("seed = 1")); err != nil {
		t.Fatal(err)
	}
	if err := Create(filepath.Join(dir, "model"), Manifest{}, testFiles(1, "x")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, want := map[string]bool{}, map[string]bool{"recipe.toml": true, "model": true, link: true}
	for _, e := range entries {
		got[e.Name()] = true
	}
	for _, name := range stays {
		want[name] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
}
