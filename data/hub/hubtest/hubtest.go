// Package hubtest is a hub on loopback, for tests: it answers as Hugging Face's does what the
// Python huggingface_hub and package hub ask.
package hubtest

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Server is a hub, and beside it the store that it sends on to for large files.
type Server struct {
	URL   string // for HF_ENDPOINT
	Store string // the address of the store, another origin

	// PageSize is how many entries a page of a listing has; 0: 1000.
	PageSize int
	// Token is the one that the hub accepts; "": it asks for none.
	Token string

	servers  []*httptest.Server
	mu       sync.Mutex
	instead  func(w http.ResponseWriter, r *http.Request) bool
	repos    map[string]*repo // by kind, organisation and name: models/ORG/NAME
	requests []Request
}

// A Request that was made.
type Request struct {
	Host, Method, Path string
	Header             http.Header
}

type repo struct {
	refs    map[string]string // commit of a branch
	commits map[string]map[string]file
}

type file struct {
	data []byte
	lfs  bool
}

func (f file) sha256() string { return sum(sha256.Sum256(f.data)) }

// oid is git's hash of the file, or of the pointer to it.
func (f file) oid() string {
	data := f.data
	if f.lfs {
		data = fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", f.sha256(), len(f.data))
	}
	return sum(sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...)))
}

func (f file) etag() string {
	if f.lfs {
		return strconv.Quote(f.sha256())
	}
	return strconv.Quote(f.oid())
}

func sum[T [20]byte | [32]byte](s T) string {
	switch s := any(s).(type) {
	case [20]byte:
		return hex.EncodeToString(s[:])
	case [32]byte:
		return hex.EncodeToString(s[:])
	}
	panic("unreachable")
}

// Start starts a hub without repositories; Close ends it.
func Start() *Server {
	s := &Server{repos: map[string]*repo{}}
	serve := func(h http.HandlerFunc) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			s.requests = append(s.requests, Request{r.Host, r.Method, r.URL.EscapedPath(), r.Header.Clone()})
			instead := s.instead
			s.mu.Unlock()
			if instead == nil || !instead(w, r) {
				h(w, r)
			}
		}))
		s.servers = append(s.servers, server)
		return server.URL
	}
	s.Store = serve(s.store)
	s.URL = serve(s.hub)
	return s
}

// Close ends the server and its store.
func (s *Server) Close() {
	for _, server := range s.servers {
		server.Close()
	}
}

// Commit makes a commit of the branch main of a repository, models/ORG/NAME or
// datasets/ORG/NAME, that has these files, and returns its hash. Files of weights, Parquet and
// the like are kept in LFS.
func (s *Server) Commit(name string, files map[string]string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[name]
	if r == nil {
		r = &repo{refs: map[string]string{}, commits: map[string]map[string]file{}}
		s.repos[name] = r
	}
	h := sha1.New()
	fmt.Fprintln(h, name, len(r.commits))
	tree := map[string]file{}
	for _, p := range sorted(files) {
		fmt.Fprintln(h, p, files[p])
		tree[p] = file{[]byte(files[p]), slices.Contains([]string{".safetensors", ".bin", ".parquet", ".gguf"}, path.Ext(p))}
	}
	commit := hex.EncodeToString(h.Sum(nil))
	r.refs["main"], r.commits[commit] = commit, tree
	return commit
}

// Branch gives a commit another name.
func (s *Server) Branch(name, branch, commit string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos[name].refs[branch] = commit
}

// Answer has f answer requests from here on, to the store too, unless it is nil or returns
// false.
func (s *Server) Answer(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instead = f
}

// Requests returns those made since the last call.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.requests
	s.requests = nil
	return list
}

func sorted[V any](m map[string]V) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// Fail answers as the hub does where something is wrong.
func Fail(w http.ResponseWriter, status int, code, message string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.Header().Set("X-Error-Message", message)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": message})
}

// hub answers what is below the endpoint.
func (s *Server) hub(w http.ResponseWriter, r *http.Request) {
	if auth := r.Header.Get("Authorization"); s.Token != "" && auth != "Bearer "+s.Token {
		if auth == "" {
			Fail(w, http.StatusUnauthorized, "RepoNotFound", "Repository not found")
		} else {
			Fail(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
		}
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		Fail(w, http.StatusMethodNotAllowed, "", "this hub is read only")
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range parts {
		parts[i], _ = url.PathUnescape(parts[i]) // it came out of a URL that was parsed
	}
	api := parts[0] == "api"
	if api {
		parts = parts[1:]
	}
	if parts[0] != "models" && parts[0] != "datasets" {
		parts = append([]string{"models"}, parts...)
	}
	if len(parts) < 3 {
		Fail(w, http.StatusNotFound, "", "Not found")
		return
	}
	name, rest := strings.Join(parts[:3], "/"), parts[3:]
	s.mu.Lock()
	defer s.mu.Unlock()
	repo := s.repos[name]
	if repo == nil {
		Fail(w, http.StatusNotFound, "RepoNotFound", "Repository not found")
		return
	}
	revision := "main"
	if len(rest) > 1 {
		revision = rest[1]
	}
	commit := revision
	if c, ok := repo.refs[revision]; ok {
		commit = c
	}
	tree := repo.commits[commit]
	if tree == nil {
		Fail(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+revision)
		return
	}
	switch {
	case api && (len(rest) == 0 || rest[0] == "revision"):
		var siblings []map[string]string
		for _, p := range sorted(tree) {
			siblings = append(siblings, map[string]string{"rfilename": p})
		}
		json.NewEncoder(w).Encode(map[string]any{
			"_id": commit[:24], "id": strings.Join(parts[1:3], "/"), "sha": commit, "private": false, "gated": false,
			"downloads": 0, "likes": 0, "tags": []string{}, "siblings": siblings,
		})
	case api && rest[0] == "tree":
		s.tree(w, r, tree)
	case !api && len(rest) > 2 && rest[0] == "resolve":
		p := strings.Join(rest[2:], "/")
		f, ok := tree[p]
		w.Header().Set("X-Repo-Commit", commit)
		if !ok {
			Fail(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
			return
		}
		if f.lfs {
			w.Header().Set("X-Linked-Size", strconv.Itoa(len(f.data)))
			w.Header().Set("X-Linked-Etag", f.etag())
			http.Redirect(w, r, s.Store+"/"+f.sha256()+"?Signature=secret", http.StatusFound)
			return
		}
		serve(w, r, f)
	default:
		Fail(w, http.StatusNotFound, "", "Not found")
	}
}

// tree answers a page of a listing.
func (s *Server) tree(w http.ResponseWriter, r *http.Request, tree map[string]file) {
	names := sorted(tree)
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor")) // "" is 0
	size := s.PageSize
	if size == 0 {
		size = 1000
	}
	to := min(from+size, len(names))
	page := []map[string]any{}
	for _, p := range names[from:to] {
		f := tree[p]
		e := map[string]any{"type": "file", "oid": f.oid(), "size": len(f.data), "path": p}
		if f.lfs {
			e["lfs"] = map[string]any{"oid": f.sha256(), "size": len(f.data), "pointerSize": 134}
		}
		page = append(page, e)
		if dir := path.Dir(p); dir != "." && !slices.ContainsFunc(page, func(e map[string]any) bool { return e["path"] == dir }) {
			page = append(page, map[string]any{"type": "directory", "oid": f.oid(), "size": 0, "path": dir})
		}
	}
	if to < len(names) {
		q := r.URL.Query()
		q.Set("cursor", strconv.Itoa(to))
		w.Header().Set("Link", fmt.Sprintf("<%s%s?%s>; rel=\"next\"", s.URL, r.URL.EscapedPath(), q.Encode()))
	}
	json.NewEncoder(w).Encode(page)
}

// store answers with the large file of a hash.
func (s *Server) store(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, repo := range s.repos {
		for _, tree := range repo.commits {
			for _, f := range tree {
				if f.lfs && r.URL.Path == "/"+f.sha256() {
					serve(w, r, f)
					return
				}
			}
		}
	}
	http.NotFound(w, r)
}

// serve sends a file, or the range of it that is asked for.
func serve(w http.ResponseWriter, r *http.Request, f file) {
	w.Header().Set("ETag", f.etag())
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.data))
}
