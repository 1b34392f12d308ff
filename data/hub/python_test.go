package hub

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"testing"
)

// pythonEnv names a Python with huggingface_hub.
const pythonEnv = "HONE_HUB_PYTHON"

const snapshot = `
import json, os, sys, huggingface_hub as h
dir = h.snapshot_download(sys.argv[2], repo_type=sys.argv[1], revision=sys.argv[3], cache_dir=sys.argv[4])
files = {}
for root, _, names in os.walk(dir):
    for name in names:
        path = os.path.join(root, name)
        files[os.path.relpath(path, dir).replace(os.sep, "/")] = open(path, "rb").read().decode()
print(json.dumps({"version": h.__version__, "files": files}))
`

// TestPython holds the server of these tests against the reference's client, which fetches the
// same files from it.
func TestPython(t *testing.T) {
	python := os.Getenv(pythonEnv)
	if python == "" {
		t.Skipf("%s names no Python with huggingface_hub", pythonEnv)
	}
	r := newRig(t)
	r.PageSize = 2
	r.Server.Token = "hf_secret"
	t.Setenv("HF_TOKEN", "hf_secret")
	for _, c := range []struct{ kind, name string }{{"model", "models/org/name"}, {"dataset", "datasets/org/data"}} {
		commit := r.Commit(c.name, small)
		r.Branch(c.name, "refs/pr/1", commit)
		for _, revision := range []string{"main", "refs/pr/1", commit} {
			ref := map[string]string{"model": "hf:org/name@", "dataset": "hf:datasets/org/data@"}[c.kind] + revision
			dir, err := r.fetch(ref)
			wantFiles(t, dir, err, small)
			repo := map[string]string{"model": "org/name", "dataset": "org/data"}[c.kind]
			cmd := exec.Command(python, "-c", snapshot, c.kind, repo, revision, t.TempDir())
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Run(); err != nil {
				t.Fatalf("%s: %v\n%s", ref, err, stderr.Bytes())
			}
			var theirs struct {
				Version string
				Files   map[string]string
			}
			if err := json.Unmarshal(stdout.Bytes(), &theirs); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(theirs.Files, content(t, dir)) {
				t.Errorf("%s: huggingface_hub %s has other files", ref, theirs.Version)
			}
			t.Logf("%s: huggingface_hub %s fetches the same %d files", ref, theirs.Version, len(theirs.Files))
		}
	}
}
