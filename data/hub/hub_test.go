package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hone/data/hub/hubtest"
)

func TestParse(t *testing.T) {
	for name, want := range map[string]Ref{
		"hf:a/b":                             {Repo: "a/b", Revision: "main"},
		"hf:a-1/B_c.d@refs/pr/1":             {Repo: "a-1/B_c.d", Revision: "refs/pr/1"},
		"hf:datasets/stanfordnlp/imdb":       {Dataset: true, Repo: "stanfordnlp/imdb", Revision: "main"},
		"hf:datasets/nyu-mll/glue/sst2@v1.0": {Dataset: true, Repo: "nyu-mll/glue", Part: "sst2", Revision: "v1.0"},
	} {
		got, err := Parse(name)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got.String() != name {
			t.Errorf("%s comes back as %s", name, got)
		}
	}
	for _, name := range []string{
		"a/b", "hf:", "hf:gpt2", "hf:/b", "hf:a/", "hf:a/b/", "hf:a/b@", "hf:a/b@x y", "hf:a/b@..", "hf:a/b@x/../y", "hf:../b", "hf:a/..",
		"hf:a/b.git", "hf:a/b--c", "hf:datasets/a", "hf:spaces/a/b", "hf://a/b", "hf:a/b//c", `hf:a\b/c`, "hf:a/b%2f",
	} {
		if r, err := Parse(name); err == nil || !strings.Contains(err.Error(), "hint: ") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// A rig is a hub, a client of it that waits no time, and a cache.
type rig struct {
	*hubtest.Server
	t     *testing.T
	cache string
	says  []string        // what the client has said
	waits []time.Duration // that it would have waited
}

func newRig(t *testing.T) *rig {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("HF_HOME", t.TempDir())
	s := hubtest.Start()
	t.Cleanup(s.Close)
	t.Setenv("HF_ENDPOINT", s.URL)
	return &rig{Server: s, t: t, cache: t.TempDir()}
}

func (r *rig) client() *Client {
	r.t.Helper()
	c, err := New(r.cache)
	if err != nil {
		r.t.Fatal(err)
	}
	c.Say = func(notice string) { r.says = append(r.says, notice) }
	c.sleep = func(ctx context.Context, d time.Duration) error {
		r.waits = append(r.waits, d)
		return ctx.Err()
	}
	return c
}

func all(File) bool { return true }

// fetch fetches all files of a repository.
func (r *rig) fetch(name string) (dir string, err error) {
	r.t.Helper()
	return r.fetchWith(context.Background(), r.client(), name, nil)
}

func (r *rig) fetchWith(ctx context.Context, c *Client, name string, progress func(done, total int64)) (dir string, err error) {
	r.t.Helper()
	ref, err := Parse(name)
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := c.Open(ctx, ref)
	if err != nil {
		return "", err
	}
	return s.Fetch(ctx, all, progress)
}

// content reads a directory.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func wantFiles(t *testing.T, dir string, err error, want map[string]string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, dir); !maps.Equal(got, want) {
		t.Fatalf("it holds %q, want %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// wantError also checks that no file counts as fetched.
func (r *rig) wantError(err error, want string) {
	r.t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		r.t.Fatalf("error %v, want %q", err, want)
	}
	if len(r.fetched()) > 0 {
		r.t.Errorf("in the cache as whole: %q", r.fetched())
	}
}

// fetched are the files in the cache that count as whole.
func (r *rig) fetched() (list []string) {
	for name := range content(r.t, r.cache) {
		if strings.Contains(name, "/files/") || strings.Contains(name, "/blobs/") && !strings.Contains(name, incomplete) {
			list = append(list, name)
		}
	}
	return list
}

// incompletes are the bytes of the parts in the cache.
func (r *rig) incompletes() (list []string) {
	for name, text := range content(r.t, r.cache) {
		if strings.Contains(name, incomplete+"/body") {
			list = append(list, text)
		}
	}
	return list
}

var large = strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB

var small = map[string]string{
	"README.md":           "# a model\n",
	"config.json":         "{}\n",
	"empty.txt":           "",
	"model.safetensors":   large,
	"sub/a b#c%20ü?.json": "[]",
}

func TestFetch(t *testing.T) {
	r := newRig(t)
	r.PageSize = 2
	commit := r.Commit("models/org/name", small)
	var last, total int64
	dir, err := r.fetchWith(context.Background(), r.client(), "hf:org/name", func(done, of int64) {
		if done < last {
			t.Errorf("progress goes from %d back to %d", last, done)
		}
		last, total = done, of
	})
	wantFiles(t, dir, err, small)
	var size int64
	for _, text := range small {
		size += int64(len(text))
	}
	if last != size || total != size {
		t.Errorf("progress ended with %d of %d, want %d", last, total, size)
	}
	if parts := r.incompletes(); len(parts) > 0 {
		t.Errorf("%d parts are left", len(parts))
	}

	// What is there is not asked for again: of a branch, only where it stands.
	r.Requests()
	dir, err = r.fetch("hf:org/name")
	wantFiles(t, dir, err, small)
	if list := r.Requests(); len(list) != 1 || list[0].Path != "/api/models/org/name/revision/main" {
		t.Errorf("fetched again, it asked %+v", list)
	}
	// Where the hub is down, what the cache has is not taken without a word.
	r.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
		hubtest.Fail(w, http.StatusBadGateway, "", "")
		return true
	})
	if _, err := r.fetch("hf:org/name"); err == nil || !strings.Contains(err.Error(), "502 Bad Gateway (tried 6 times) (hint: with HF_HUB_OFFLINE=1, what the cache has of it is used, commit "+commit+")") {
		t.Errorf("of a hub that is down: %v", err)
	}
	r.Answer(nil)
	r.Requests()
	// Of a commit, nothing.
	dir, err = r.fetch("hf:org/name@" + commit)
	wantFiles(t, dir, err, small)
	if list := r.Requests(); len(list) != 0 {
		t.Errorf("of a commit in the cache, it asked %+v", list)
	}

	// Another commit: what has not changed is not fetched again.
	changed := maps.Clone(small)
	changed["config.json"] = `{"a": 1}`
	r.Commit("models/org/name", changed)
	dir, err = r.fetch("hf:org/name")
	wantFiles(t, dir, err, changed)
	for _, q := range r.Requests() {
		if strings.Contains(q.Path, "/resolve/") && !strings.HasSuffix(q.Path, "/config.json") {
			t.Errorf("it asked for %s, which has not changed", q.Path)
		}
	}
	// The old one is still what it was.
	dir, err = r.fetch("hf:org/name@" + commit)
	wantFiles(t, dir, err, small)

	// A data set of that name, and a branch, are others.
	data := map[string]string{"data/train-00000-of-00001.parquet": "PAR1"}
	r.Branch("datasets/org/name", "refs/pr/1", r.Commit("datasets/org/name", data))
	dir, err = r.fetch("hf:datasets/org/name@refs/pr/1")
	wantFiles(t, dir, err, data)

	// Only what is wanted is fetched.
	r.Requests()
	ref, _ := Parse("hf:org/name@" + r.Commit("models/org/name", map[string]string{"a.txt": "a", "b.txt": "b"}))
	s, err := r.client().Open(context.Background(), ref)
	if err != nil {
		t.Fatal(err)
	}
	dir, err = s.Fetch(context.Background(), func(f File) bool { return f.Path == "b.txt" }, nil)
	wantFiles(t, dir, err, map[string]string{"b.txt": "b"})
	if want := r.URL + "/org/name/tree/" + ref.Revision; s.Address() != want {
		t.Errorf("its address is %s, want %s", s.Address(), want)
	}
}

// A file that was cut or grew in the cache does not count.
func TestDamagedCache(t *testing.T) {
	r := newRig(t)
	r.Commit("models/org/name", small)
	dir, err := r.fetch("hf:org/name")
	wantFiles(t, dir, err, small)
	for name := range r.cacheFiles("/files/config.json", "/blobs/") {
		if err := os.Truncate(name, 1); err != nil {
			t.Fatal(err)
		}
	}
	dir, err = r.fetch("hf:org/name")
	wantFiles(t, dir, err, small)

	for name := range r.cacheFiles("/" + listingFile) {
		if err := os.Truncate(name, 10); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.fetch("hf:org/name"); err == nil || !strings.Contains(err.Error(), "is damaged (hint: remove it)") {
		t.Errorf("of a listing that is cut: %v", err)
	}
}

// cacheFiles are the paths in the cache that have one of some parts in their names.
func (r *rig) cacheFiles(parts ...string) map[string]bool {
	files := map[string]bool{}
	for name := range content(r.t, r.cache) {
		for _, p := range parts {
			if strings.Contains(name, p) {
				files[filepath.Join(r.cache, filepath.FromSlash(name))] = true
			}
		}
	}
	return files
}

func TestOffline(t *testing.T) {
	r := newRig(t)
	commit := r.Commit("models/org/name", small)
	t.Setenv("HF_HUB_OFFLINE", "1")
	_, err := r.fetch("hf:org/name")
	r.wantError(err, "hf:org/name: its revision main is not in the cache, and HF_HUB_OFFLINE is set")
	_, err = r.fetch("hf:org/name@" + commit)
	r.wantError(err, "its commit "+commit+" is not in the cache, and HF_HUB_OFFLINE is set")

	t.Setenv("HF_HUB_OFFLINE", "")
	ref, _ := Parse("hf:org/name")
	s, err := r.client().Open(context.Background(), ref)
	if err == nil {
		_, err = s.Fetch(context.Background(), func(f File) bool { return f.Path != "config.json" }, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Requests()
	t.Setenv("HF_HUB_OFFLINE", "true")
	if _, err = r.fetch("hf:org/name"); err == nil || !strings.Contains(err.Error(), "hf:org/name: not in the cache, and HF_HUB_OFFLINE is set: config.json") {
		t.Errorf("of a file that is not there: %v", err)
	}
	t.Setenv("HF_HUB_OFFLINE", "")
	if _, err := r.fetch("hf:org/name"); err != nil {
		t.Fatal(err)
	}
	r.Requests()
	t.Setenv("HF_HUB_OFFLINE", "YES")
	for _, name := range []string{"hf:org/name", "hf:org/name@" + commit} {
		dir, err := r.fetch(name)
		wantFiles(t, dir, err, small)
	}
	if list := r.Requests(); len(list) != 0 {
		t.Errorf("offline, it asked %+v", list)
	}
}

// cut answers as the server does, and breaks off after n bytes of what a path ends with.
func cut(suffix string, n, times int) func(w http.ResponseWriter, q *http.Request) bool {
	var done atomic.Int64
	return func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, suffix) || done.Add(1) > int64(times) {
			return false
		}
		from := 0
		if v := q.Header.Get("Range"); v != "" {
			fmt.Sscanf(v, "bytes=%d-", &from)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(large)-1, len(large)))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(large)-from))
		w.Header().Set("ETag", `"tag"`)
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		io.WriteString(w, large[from:min(from+n, len(large))])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// A store that says which file it has, in an ETag of its own, as content networks do.
func tagged(tag string) func(w http.ResponseWriter, q *http.Request) bool {
	return func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, "/large.txt") {
			return false
		}
		w.Header().Set("ETag", tag)
		http.ServeContent(w, q, "", time.Time{}, strings.NewReader(large))
		return true
	}
}

// A body that breaks off is taken up where it ended, in one call and by the next.
func TestResume(t *testing.T) {
	r := newRig(t)
	want := map[string]string{"large.txt": large}
	r.Commit("models/org/name", want)
	plain := cut("/large.txt", 100000, 3)
	r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
		return plain(w, q) || tagged(`"tag"`)(w, q)
	})
	dir, err := r.fetch("hf:org/name")
	wantFiles(t, dir, err, want)
	var ranges []string
	for _, q := range r.Requests() {
		if strings.HasSuffix(q.Path, "/large.txt") {
			ranges = append(ranges, q.Header.Get("Range")+" "+q.Header.Get("If-Range"))
		}
	}
	if got := fmt.Sprint(ranges); got != `[  bytes=100000- "tag" bytes=200000- "tag" bytes=300000- "tag"]` {
		t.Errorf("it asked for %s", got)
	}
	if len(r.waits) != 3 || r.waits[2] != time.Second { // each got further, so that none counts as the second in a row
		t.Errorf("it waited %v", r.waits)
	}
	if len(r.says) != 3 || !strings.Contains(r.says[0], "after 100000 of 1048576 bytes: unexpected EOF; trying again in 1s") {
		t.Errorf("it said %q", r.says)
	}
}

// An attempt that is given up leaves a part, which the next call continues; so does one whose
// process was killed.
func TestResumeLater(t *testing.T) {
	for _, c := range []struct {
		name  string
		tag   string // of the server, when it is asked again
		asked string // Range then
		whole bool   // all of it is sent again
		plant func(r *rig)
	}{
		{name: "same file", tag: `"tag"`, asked: "bytes=300000-"},
		{name: "another file", tag: `"other"`, asked: "bytes=300000-", whole: true},
		{name: "weak tag", tag: `W/"tag"`, asked: "bytes=300000-", whole: true},
		{name: "killed", tag: `"tag"`, asked: "bytes=300000-", plant: func(r *rig) {
			r.renamePart(".4194305-1" + incomplete) // above the largest number of a process on Linux
		}},
		{name: "another process at it", tag: `"tag"`, asked: "", whole: true, plant: func(r *rig) {
			r.renamePart(fmt.Sprintf(".%d-0%s", os.Getpid(), incomplete))
		}},
		{name: "no tag", tag: `"tag"`, asked: "", whole: true, plant: func(r *rig) {
			for name := range r.cacheFiles(incomplete + "/etag") {
				os.Remove(name)
			}
		}},
		{name: "damaged part", tag: `"tag"`, asked: "bytes=300000-", whole: true, plant: func(r *rig) {
			for name := range r.cacheFiles(incomplete + "/body") {
				os.WriteFile(name, []byte(strings.Repeat("x", 300000)), 0o666)
			}
		}},
		{name: "part too long", tag: `"tag"`, asked: "", whole: true, plant: func(r *rig) {
			for name := range r.cacheFiles(incomplete + "/body") {
				os.Truncate(name, int64(len(large)+1))
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			want := map[string]string{"large.txt": large}
			r.Commit("models/org/name", want)
			ctx, cancel := context.WithCancel(context.Background())
			r.Answer(cut("/large.txt", 300000, 1))
			client := r.client()
			client.sleep = func(ctx context.Context, _ time.Duration) error {
				cancel()
				return ctx.Err()
			}
			if _, err := r.fetchWith(ctx, client, "hf:org/name", nil); !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted: %v", err)
			}
			if parts := r.incompletes(); len(parts) != 1 || parts[0] != large[:300000] {
				t.Fatalf("it left %d parts", len(parts))
			}
			if list := r.fetched(); len(list) > 0 {
				t.Fatalf("in the cache as whole: %q", list)
			}
			if c.plant != nil {
				c.plant(r)
			}
			r.Requests()
			r.Answer(tagged(c.tag))
			dir, err := r.fetch("hf:org/name")
			wantFiles(t, dir, err, want)
			var asked []string
			for _, q := range r.Requests() {
				if strings.HasSuffix(q.Path, "/large.txt") {
					asked = append(asked, q.Header.Get("Range"))
				}
			}
			if asked[0] != c.asked {
				t.Errorf("it asked for %q, want %q first", asked, c.asked)
			}
			if c.name == "damaged part" && (len(asked) != 2 || asked[1] != "") {
				t.Errorf("it asked for %q, want all of it then", asked)
			}
		})
	}
}

// renamePart gives the part in the cache another ending.
func (r *rig) renamePart(ending string) {
	for name := range r.cacheFiles(incomplete + "/body") {
		dir := filepath.Dir(name)
		if err := os.Rename(dir, strings.TrimSuffix(dir, incomplete)+ending); err != nil {
			r.t.Fatal(err)
		}
	}
}

// A server that continues another file than it began, or at another place, is not believed.
func TestRangeOfAnotherFile(t *testing.T) {
	for _, c := range []struct{ name, contentRange, tag, says string }{
		{"another place", "bytes 7-1048575/1048576", `"tag"`, `it answers "bytes 7-1048575/1048576"`},
		{"another tag", "bytes 1000-1048575/1048576", `"other"`, "it has another file now"},
		{"no range", "", `"tag"`, `it answers ""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			want := map[string]string{"large.txt": large}
			r.Commit("models/org/name", want)
			cut := cut("/large.txt", 1000, 1)
			r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
				if q.Header.Get("Range") == "" {
					return cut(w, q)
				}
				w.Header().Set("Content-Range", c.contentRange)
				w.Header().Set("ETag", c.tag)
				w.WriteHeader(http.StatusPartialContent)
				io.WriteString(w, strings.Repeat("x", len(large)-1000))
				return true
			})
			dir, err := r.fetch("hf:org/name")
			wantFiles(t, dir, err, want)
			if len(r.says) != 2 || !strings.Contains(r.says[1], c.says+"; it is fetched from its beginning") {
				t.Errorf("it said %q", r.says)
			}
		})
	}
}

// What is not what the hub lists is not kept.
func TestWrongContent(t *testing.T) {
	wrong := strings.Replace(large, "0", "1", 1)
	for _, c := range []struct {
		name, file, sends, want string
		length                  bool
	}{
		{"hash in LFS", "model.safetensors", wrong, "it is not the file that the hub lists: its hash is ", true},
		{"hash in git", "large.txt", wrong, "it is not the file that the hub lists: its hash is ", true},
		{"shorter, and says so", "model.safetensors", large[1:], "the hub lists 1048576 bytes, and 127.0.0.1:", true},
		{"longer, and says so", "model.safetensors", large + "x", "offers 1048577", true},
		{"longer", "model.safetensors", large + "x", "sends more", false},
		{"pointer", "model.safetensors", "version https://git-lfs.github.com/spec/v1\n", "the hub lists 1048576 bytes", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.Commit("models/org/name", map[string]string{c.file: large})
			r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
				if strings.HasPrefix(q.URL.Path, "/api/") || c.file == "model.safetensors" && strings.HasPrefix(q.URL.Path, "/org/") {
					return false
				}
				if c.length {
					w.Header().Set("Content-Length", strconv.Itoa(len(c.sends)))
				} else {
					w.(http.Flusher).Flush()
				}
				io.WriteString(w, c.sends)
				return true
			})
			_, err := r.fetch("hf:org/name")
			r.wantError(err, c.want)
			r.wantError(err, "hf:org/name: "+c.file+": ")
			var at *Fault
			if !errors.As(err, &at) {
				t.Errorf("%v is called the user's fault", err)
			}
			if parts := r.incompletes(); len(parts) > 0 {
				t.Errorf("%d parts are left", len(parts))
			}
		})
	}
}

// A body that always breaks off ends with an error, and the part stays.
func TestTruncated(t *testing.T) {
	r := newRig(t)
	r.Commit("models/org/name", map[string]string{"large.txt": large})
	r.Answer(cut("/large.txt", 0, 100))
	_, err := r.fetch("hf:org/name")
	r.wantError(err, "hf:org/name: large.txt: 127.0.0.1:")
	r.wantError(err, "after 0 of 1048576 bytes: unexpected EOF (tried 6 times)")
	if got := fmt.Sprint(r.waits); got != "[1s 2s 4s 8s 8s]" {
		t.Errorf("it waited %s", got)
	}
}

// A server that falls silent is not waited for for ever.
func TestStall(t *testing.T) {
	r := newRig(t)
	r.Commit("models/org/name", map[string]string{"large.txt": large})
	r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, "/large.txt") {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(large)))
		io.WriteString(w, large[:1000])
		w.(http.Flusher).Flush()
		<-q.Context().Done()
		return true
	})
	client := r.client()
	client.stall = 50 * time.Millisecond
	_, err := r.fetchWith(context.Background(), client, "hf:org/name", nil)
	r.wantError(err, "after 1000 of 1048576 bytes: nothing has come for a while (tried 6 times)")
}

func TestStatus(t *testing.T) {
	const resolve, api = "/org/name/resolve/", "/api/models/org/name/"
	for _, c := range []struct {
		name, at      string
		status        int
		code, message string
		token         string
		header        [2]string
		want          string
		waits         string
		fault         bool // not the user's
	}{
		{name: "no repository", at: api, status: 404, code: "RepoNotFound", message: "Repository not found", want: "hf:org/name: the hub has no such model, or it is private"},
		{name: "no repository, as it is told who has no token", at: api, status: 401, message: "Invalid username or password.", want: "the hub has no such model, or it is private"},
		{name: "no revision", at: api, status: 404, code: "RevisionNotFound", message: "Invalid rev id: main", want: "hf:org/name: it has no revision main"},
		{name: "no file", at: resolve, status: 404, code: "EntryNotFound", want: "hf:org/name: a.txt: the hub has no such file at main"},
		{name: "no file, without a code", at: resolve, status: 404, want: "a.txt: the hub has no such file at main"},
		{name: "wrong token", at: api, status: 401, token: "hf_x", message: "Invalid credentials in Authorization header", want: "the hub does not accept the token in HF_TOKEN (it says: Invalid credentials in Authorization header)"},
		{name: "gated", at: resolve, status: 403, token: "hf_x", code: "GatedRepo", message: "Access to model org/name is restricted", want: "a.txt: it is gated (it says: Access to model org/name is restricted) (hint: accept its conditions at URL/org/name, and set HF_TOKEN"},
		{name: "gated, no token", at: resolve, status: 401, code: "GatedRepo", want: "it is gated (hint:"},
		{name: "forbidden", at: api, status: 403, token: "hf_x", message: "no", want: "the hub does not let this account read it (it says: no)"},
		{name: "rate limit", at: api, status: 429, header: [2]string{"Retry-After", "7"}, want: "has had too many requests (tried 6 times)", waits: "[7s 7s 7s 7s 7s]", fault: true},
		{name: "rate limit of a file", at: resolve, status: 429, header: [2]string{"Retry-After", "7"}, want: "a.txt: 127.0.0.1:", waits: "[7s 7s 7s 7s 7s]", fault: true},
		{name: "rate limit, by its other header", at: api, status: 429, header: [2]string{"RateLimit", `"api";r=0;t=55`}, want: "too many requests", waits: "[55s 55s 55s 55s 55s]", fault: true},
		{name: "rate limit without a time", at: api, status: 429, want: "too many requests", waits: "[1s 2s 4s 8s 8s]", fault: true},
		{name: "rate limit for an hour", at: api, status: 429, header: [2]string{"Retry-After", "3600"}, want: "has had too many requests, and asks to wait 1h0m0s", waits: "[]", fault: true},
		{name: "down", at: api, status: 503, want: "answers 503 Service Unavailable (tried 6 times)", waits: "[1s 2s 4s 8s 8s]", fault: true},
		{name: "down for files", at: resolve, status: 500, message: "Internal\nerror", want: "answers 500 Internal Server Error (it says: Internal error) (tried 6 times)", waits: "[1s 2s 4s 8s 8s]", fault: true},
		{name: "strange", at: api, status: 418, want: "answers 418 I'm a teapot", waits: "[]", fault: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.Commit("models/org/name", map[string]string{"a.txt": "a"})
			t.Setenv("HF_TOKEN", c.token)
			r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
				if !strings.HasPrefix(q.URL.Path, c.at) {
					return false
				}
				if c.header[0] != "" {
					w.Header().Set(c.header[0], c.header[1])
				}
				hubtest.Fail(w, c.status, c.code, c.message)
				return true
			})
			_, err := r.fetch("hf:org/name")
			r.wantError(err, strings.ReplaceAll(c.want, "URL", r.URL))
			var at *Fault
			if errors.As(err, &at) != c.fault {
				t.Errorf("%v: it is the user's fault: %t, want %t", err, c.fault, !c.fault)
			}
			if got := fmt.Sprint(r.waits); c.waits != "" && got != c.waits {
				t.Errorf("it waited %s, want %s", got, c.waits)
			}
			if len(r.says) != len(r.waits) || len(r.says) > 0 && !strings.Contains(r.says[0], "; trying again in ") {
				t.Errorf("it said %q", r.says)
			}
		})
	}
}

// What passes does not end a fetch.
func TestPasses(t *testing.T) {
	r := newRig(t)
	r.Commit("models/org/name", small)
	var mu sync.Mutex
	failed := map[string]int{}
	r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
		mu.Lock()
		failed[q.URL.Path]++
		n := failed[q.URL.Path]
		mu.Unlock()
		switch n {
		default:
			return false
		case 1:
			w.Header().Set("Retry-After", time.Now().Add(5*time.Second).UTC().Format(http.TimeFormat))
			hubtest.Fail(w, http.StatusTooManyRequests, "", "")
		case 2:
			panic(http.ErrAbortHandler) // the connection breaks before an answer
		}
		return true
	})
	dir, err := r.fetch("hf:org/name")
	wantFiles(t, dir, err, small)
	if len(r.waits) < 7 || r.waits[0] < time.Second || r.waits[0] > 5*time.Second {
		t.Errorf("it waited %v", r.waits)
	}
}

func TestNobodyThere(t *testing.T) {
	r := newRig(t)
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:1")
	_, err := r.fetch("hf:org/name")
	r.wantError(err, "hf:org/name: 127.0.0.1:1: dial tcp")
	r.wantError(err, "(tried 6 times)")
	for _, endpoint := range []string{"huggingface.co", "ftp://x", "https://user:secret@x", "https://x/?a", "http://", "https://%"} {
		t.Setenv("HF_ENDPOINT", endpoint)
		if _, err := New(r.cache); err == nil || !strings.Contains(err.Error(), "HF_ENDPOINT is not the address") || strings.Contains(err.Error(), "secret") {
			t.Errorf("HF_ENDPOINT %s: %v", endpoint, err)
		}
	}
	// A server that is no hub.
	t.Setenv("HF_ENDPOINT", r.URL)
	r.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
		io.WriteString(w, "<html>welcome</html>")
		return true
	})
	_, err = r.fetch("hf:org/name")
	r.wantError(err, "the answer is not what a hub says")
	r.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
		io.WriteString(w, `{"sha": "../../x"}`)
		return true
	})
	_, err = r.fetch("hf:org/name")
	r.wantError(err, `revision main is "../../x", which is not a commit`)
}

// The token goes to the endpoint, and not to the host that it sends on to.
func TestToken(t *testing.T) {
	r := newRig(t)
	r.Server.Token = "hf_secret"
	r.Commit("models/org/name", small)
	_, err := r.fetch("hf:org/name")
	r.wantError(err, "the hub has no such model, or it is private")
	t.Setenv("HF_TOKEN", "hf_other")
	_, err = r.fetch("hf:org/name")
	r.wantError(err, "the hub does not accept the token in HF_TOKEN")
	t.Setenv("HF_TOKEN", "hf_a\nhf_b")
	if _, err := New(r.cache); err == nil || !strings.Contains(err.Error(), "the token in HF_TOKEN has characters") || strings.Contains(err.Error(), "hf_a") {
		t.Errorf("of a token of two lines: %v", err)
	}

	home := t.TempDir()
	file := filepath.Join(home, "token")
	if err := os.WriteFile(file, []byte("hf_secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, env := range []map[string]string{
		{"HF_TOKEN": "hf_secret", "HF_HOME": "/nowhere"},
		{"HUGGING_FACE_HUB_TOKEN": "hf_secret"},
		{"HF_TOKEN_PATH": file},
		{"HF_HOME": home},
		{"HF_HOME": "$X/", "X": home},
		{"HF_HOME": "~", "HOME": home},
	} {
		t.Run(fmt.Sprint(slices.Sorted(maps.Keys(env))), func(t *testing.T) {
			t.Setenv("HF_TOKEN", "")
			for k, v := range env {
				t.Setenv(k, v)
			}
			r.cache = t.TempDir()
			r.Requests()
			dir, err := r.fetch("hf:org/name")
			wantFiles(t, dir, err, small)
			toStore := 0
			for _, q := range r.Requests() {
				stored := "http://"+q.Host == r.Store
				if stored {
					toStore++
				}
				if auth := q.Header.Get("Authorization"); stored && auth != "" || !stored && auth != "Bearer hf_secret" {
					t.Errorf("%s %s got %q", q.Host, q.Path, auth)
				}
			}
			if toStore != 1 {
				t.Errorf("%d requests to the store", toStore)
			}
		})
	}
	t.Setenv("HF_TOKEN", "hf_secret")
	t.Setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
	if c := r.client(); c.token != "" {
		t.Error("a token that is not to be sent is sent")
	}
}

func TestRedirects(t *testing.T) {
	r := newRig(t)
	r.Commit("models/new/name", small)
	r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.Contains(q.URL.Path, "/old/") {
			return false
		}
		http.Redirect(w, q, strings.Replace(q.URL.EscapedPath(), "/old/", "/new/", 1), http.StatusTemporaryRedirect)
		return true
	})
	dir, err := r.fetch("hf:old/name") // a repository that has moved
	wantFiles(t, dir, err, small)

	r.cache = t.TempDir()
	r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
		w.Header().Set("Location", q.URL.EscapedPath())
		w.WriteHeader(http.StatusFound)
		return true
	})
	_, err = r.fetch("hf:org/name")
	r.wantError(err, "more than 10 redirects")
	for _, location := range []string{"", "file:///etc/passwd", "gopher://x/"} {
		r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
			return true
		})
		if _, err = r.fetch("hf:org/name"); location == "" {
			r.wantError(err, "redirects") // to itself
		} else {
			r.wantError(err, "redirects to ")
		}
	}
	// From an endpoint with https, only to https.
	client := r.client()
	client.base.Scheme = "https"
	_, err = client.send(context.Background(), client.base.ResolveReference(mustURL(t, r.URL)), http.Header{})
	r.wantError(err, "which is not https")
}

// The part of a response that a store has sent must not be told with its signature.
func TestSignatureIsNotTold(t *testing.T) {
	r := newRig(t)
	r.Commit("models/org/name", map[string]string{"model.safetensors": large})
	var tries atomic.Int64
	r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
		if "http://"+q.Host != r.Store {
			return false
		}
		if tries.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "the signature has expired", http.StatusForbidden)
		return true
	})
	_, err := r.fetch("hf:org/name")
	r.wantError(err, "answers 403 Forbidden (tried 6 times)")
	for _, text := range append(r.says, err.Error()) {
		if strings.Contains(text, "secret") {
			t.Errorf("it tells a signature: %s", text)
		}
	}
	for _, q := range r.Requests() {
		if strings.Contains(q.Path, "/resolve/") {
			return // each try asks the hub for a new one
		}
	}
	t.Error("the hub was not asked again")
}

// Names that would leave the directory are refused, and so is an entry without a hash.
func TestHostileListing(t *testing.T) {
	const sha = "0123456789abcdef0123456789abcdef01234567"
	entry := func(path string) string {
		return fmt.Sprintf(`{"type": "file", "path": %s, "size": 1, "oid": %q}`, path, sha)
	}
	for _, c := range []struct{ listing, want string }{
		{entry(`"../x"`), `"../x" has a path that leaves its directory`},
		{entry(`"a/../../x"`), `has a path that leaves its directory`},
		{entry(`"/etc/passwd"`), `"/etc/passwd" has an absolute path`},
		{entry(`"C:/x"`), `has an absolute path`},
		{entry(`"c:x"`), `has an absolute path`},
		{entry(`"..\\x"`), `has a backslash in its name`},
		{entry(`"\\\\host\\x"`), `has a backslash in its name`},
		{entry(`"a\u0000b"`), `has control characters in its name`},
		{entry(`"a\u001b[2Jb"`), `has control characters in its name`},
		{entry(`""`), `has a path that leaves its directory or has empty parts`},
		{entry(`"."`), `has a path that leaves`},
		{entry(`"a//b"`), `empty parts`},
		{entry(`"a/"`), `empty parts`},
		{entry(`"a"`) + "," + entry(`"a"`), `"a" is listed twice`},
		{entry(`"a.txt"`) + "," + entry(`"A.TXT"`), `"A.TXT" and "a.txt" differ by case alone`},
		{entry(`"a"`) + "," + entry(`"a/b"`), `"a" is the directory of "a/b" too`},
		{entry(`"A"`) + "," + entry(`"a/b"`), `"A" is the directory of "a/b" too`},
		{`{"type": "file", "path": "a", "size": 1, "oid": "../../x"}`, `"a" has no hash to check it by`},
		{`{"type": "file", "path": "a", "size": 1, "oid": "` + sha + `", "lfs": {"oid": "../../../x", "size": 1}}`, `no hash`},
		{`{"type": "file", "path": "a", "size": -1, "oid": "` + sha + `"}`, `"a" has a size below zero`},
	} {
		r := newRig(t)
		r.Commit("models/org/name", small)
		r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
			if !strings.Contains(q.URL.Path, "/tree/") {
				return false
			}
			io.WriteString(w, "["+c.listing+"]")
			return true
		})
		_, err := r.fetch("hf:org/name")
		r.wantError(err, "hf:org/name: refused: ")
		r.wantError(err, c.want)
	}
}

// A listing without an end is given up.
func TestEndlessListing(t *testing.T) {
	r := newRig(t)
	r.Commit("models/org/name", small)
	r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.Contains(q.URL.Path, "/tree/") {
			return false
		}
		w.Header().Set("Link", `<`+q.URL.Path+`?cursor=x>; rel="next"`)
		io.WriteString(w, "[]")
		return true
	})
	_, err := r.fetch("hf:org/name")
	r.wantError(err, "more than 1000 pages")
}

func TestInterrupted(t *testing.T) {
	r := newRig(t)
	r.Commit("models/org/name", small)
	ctx, cancel := context.WithCancel(context.Background())
	r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
		if strings.HasSuffix(q.URL.Path, "/config.json") {
			cancel()
			<-q.Context().Done()
			return true
		}
		return false
	})
	if _, err := r.fetchWith(ctx, r.client(), "hf:org/name", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	for _, name := range r.fetched() {
		if !strings.HasSuffix(name, "/README.md") && !strings.Contains(name, "/blobs/") {
			t.Errorf("in the cache as whole: %s", name)
		}
	}
}

// Two that fetch the same at the same time do not write into each other's parts.
func TestTogether(t *testing.T) {
	r := newRig(t)
	r.Commit("models/org/name", small)
	const n = 16
	ended := make(chan error, n)
	for range n {
		c := r.client()
		c.Say, c.sleep = nil, sleep
		go func() {
			dir, err := r.fetchWith(context.Background(), c, "hf:org/name", nil)
			if err == nil && !maps.Equal(content(t, dir), small) {
				err = errors.New("other files")
			}
			ended <- err
		}()
	}
	for range n {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if parts := r.incompletes(); len(parts) > 0 {
		t.Errorf("%d parts are left", len(parts))
	}
}

func mustURL(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
