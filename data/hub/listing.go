package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A File of a repository.
type File struct {
	Path string `json:"path"` // with slashes, from the repository's root
	Size int64  `json:"size"` // bytes
	// SHA256 is of its content, where the hub keeps it beside git (LFS); else "".
	SHA256 string `json:"sha256,omitempty"`
	// Blob is git's hash of it: of the content, or where there is a SHA256, of the pointer.
	Blob string `json:"blob"`
}

// key names the file's content.
func (f File) key() string {
	if f.SHA256 != "" {
		return f.SHA256
	}
	return f.Blob
}

// A Snapshot is a repository at a commit.
type Snapshot struct {
	Ref      Ref    `json:"-"`
	Endpoint string `json:"endpoint"`
	Repo     string `json:"repo"` // as in an address: ORG/NAME or datasets/ORG/NAME
	Commit   string `json:"commit"`
	Files    []File `json:"files"` // sorted by path

	c   *Client
	dir string
}

// Address is where the hub shows the snapshot.
func (s *Snapshot) Address() string { return s.Endpoint + "/" + s.Repo + "/tree/" + s.Commit }

// Pinned is the name of the repository at the snapshot's commit.
func (s *Snapshot) Pinned() string {
	r := s.Ref
	r.Revision = s.Commit
	return r.String()
}

// The cache, below its directory:
//
//	ENDPOINT/models/ORG/NAME/refs/REVISION.commit   the commit that a branch was last seen at
//	ENDPOINT/models/ORG/NAME/COMMIT/listing.json    a Snapshot
//	ENDPOINT/models/ORG/NAME/COMMIT/files/…         those that are there, whole
//	ENDPOINT/models/ORG/NAME/blobs/HASH             the same files (hard links) by their content
//	ENDPOINT/models/ORG/NAME/blobs/HASH.incomplete/ what there is of one so far
const (
	refsDir     = "refs"
	listingFile = "listing.json"
	filesDir    = "files"
	blobsDir    = "blobs"
)

var (
	commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sha256Hash = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Open finds out the commit that a revision is, and what files it has. Where the revision is a
// commit that the cache knows, it asks nobody.
func (c *Client) Open(ctx context.Context, r Ref) (*Snapshot, error) {
	s, err := c.open(ctx, r)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("%s: %w", r, err)
	}
	return s, err
}

func (c *Client) open(ctx context.Context, r Ref) (*Snapshot, error) {
	repo := filepath.Join(c.cache, url.QueryEscape(c.endpoint), r.kind(), filepath.FromSlash(r.Repo))
	ref := filepath.Join(repo, refsDir, url.QueryEscape(r.Revision)+".commit")
	s := &Snapshot{Ref: r, Endpoint: c.endpoint, Repo: r.path(), Commit: r.Revision, c: c}
	switch {
	case commitHash.MatchString(r.Revision):
	case c.offline:
		text, err := os.ReadFile(ref)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("its revision %s is not in the cache, and HF_HUB_OFFLINE is set", r.Revision)
		}
		if err != nil {
			return nil, err
		}
		if s.Commit = string(text); !commitHash.MatchString(s.Commit) {
			return nil, fmt.Errorf("%s does not hold a commit (hint: remove it)", ref)
		}
	default:
		var answer struct{ SHA string }
		if _, err := c.api(ctx, r, c.base.JoinPath("api", r.kind(), r.Repo, "revision").JoinPath(url.PathEscape(r.Revision)), &answer); err != nil {
			text, noCommit := os.ReadFile(ref)
			if errors.As(err, new(*Fault)) && noCommit == nil {
				err = fmt.Errorf("%w (hint: with HF_HUB_OFFLINE=1, what the cache has of it is used, commit %s)", err, text)
			}
			return nil, err
		}
		if s.Commit = answer.SHA; !commitHash.MatchString(s.Commit) {
			return nil, fault("%s says that revision %s is %q, which is not a commit", c.base.Host, r.Revision, s.Commit)
		}
	}
	s.dir = filepath.Join(repo, s.Commit)
	if err := s.list(ctx); err != nil {
		return nil, err
	}
	if s.Commit != r.Revision && !c.offline {
		if err := writeFile(ref, []byte(s.Commit)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// list reads the listing from the cache, or else fetches it.
func (s *Snapshot) list(ctx context.Context) error {
	path := filepath.Join(s.dir, listingFile)
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		commit := s.Commit
		if err = json.Unmarshal(text, s); err == nil {
			err = checkNames(s.Files)
		}
		if err == nil && s.Commit != commit {
			err = fmt.Errorf("it is of commit %s", s.Commit)
		}
		if err != nil {
			return fmt.Errorf("%s is damaged (hint: remove it): %w", path, err)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case s.c.offline:
		return fmt.Errorf("its commit %s is not in the cache, and HF_HUB_OFFLINE is set", s.Commit)
	}
	if err := s.fetchListing(ctx); err != nil {
		return err
	}
	if text, err = json.MarshalIndent(s, "", " "); err != nil {
		return err
	}
	return writeFile(path, text)
}

// maxPages bounds a listing: the hub has a thousand files on a page.
const maxPages = 1000

func (s *Snapshot) fetchListing(ctx context.Context) error {
	r := s.Ref
	r.Revision = s.Commit
	address := s.c.base.JoinPath("api", r.kind(), r.Repo, "tree", s.Commit)
	address.RawQuery = "recursive=true"
	for range maxPages {
		var page []struct {
			Type, OID, Path string
			Size            int64
			LFS             *struct {
				OID  string
				Size int64
			}
		}
		header, err := s.c.api(ctx, r, address, &page)
		if err != nil {
			return err
		}
		for _, e := range page {
			if e.Type != "file" {
				continue
			}
			f := File{Path: e.Path, Size: e.Size, Blob: e.OID}
			if e.LFS != nil {
				f.Size, f.SHA256 = e.LFS.Size, e.LFS.OID
			}
			s.Files = append(s.Files, f)
		}
		next := nextPage(header.Values("Link"))
		if next == "" {
			slices.SortFunc(s.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
			return checkNames(s.Files)
		}
		if address, err = address.Parse(next); err != nil {
			return fault("%s: the address of the listing's next page cannot be read: %w", s.c.base.Host, err)
		}
	}
	return fault("%s: the listing has more than %d pages", s.c.base.Host, maxPages)
}

var nextLink = regexp.MustCompile(`<([^<>]*)>\s*;[^,<]*\brel\s*=\s*"?next\b`)

// nextPage is the address that Link headers call the next one, or "".
func nextPage(links []string) string {
	if m := nextLink.FindStringSubmatch(strings.Join(links, ", ")); m != nil {
		return m[1]
	}
	return ""
}

// checkNames refuses names that would leave the directory, and entries that say no hash.
func checkNames(files []File) error {
	for i, f := range files {
		why := badName(f.Path)
		switch {
		case why != "":
		case i > 0 && f.Path == files[i-1].Path:
			why = "is listed twice"
		case f.Size < 0:
			why = "has a size below zero"
		case f.SHA256 != "" && !sha256Hash.MatchString(f.SHA256), f.SHA256 == "" && !commitHash.MatchString(f.Blob):
			why = "has no hash to check it by"
		default:
			continue
		}
		return fmt.Errorf("refused: its file %q %s", f.Path, why)
	}
	return nil
}

// badName says why a file of that name is not written anywhere, or "".
func badName(name string) string {
	drive := len(name) > 1 && name[1] == ':'
	switch {
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return "has control characters in its name"
	case strings.Contains(name, `\`):
		return "has a backslash in its name, which separates directories on some systems"
	case drive || strings.HasPrefix(name, "/"):
		return "has an absolute path"
	case !fs.ValidPath(name) || name == ".":
		return "has a path that leaves its directory or has empty parts"
	case !filepath.IsLocal(filepath.FromSlash(name)):
		return "has a name that this system reserves"
	}
	return ""
}

// clash is a pair of files of which some systems can hold one alone: names that differ by case,
// or a name that is another's directory.
func clash(files []File) error {
	seen := map[string]string{}
	for _, f := range files {
		name := strings.ToLower(f.Path)
		if other, ok := seen[name]; ok {
			return fmt.Errorf("refused: its files %q and %q differ by case alone", other, f.Path)
		}
		seen[name] = f.Path
	}
	for _, f := range files {
		name := strings.ToLower(f.Path)
		for i, c := range name {
			if other, ok := seen[name[:i]]; c == '/' && ok {
				return fmt.Errorf("refused: its file %q is the directory of %q too", other, f.Path)
			}
		}
	}
	return nil
}
