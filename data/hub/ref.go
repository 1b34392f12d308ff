// Package hub fetches models and data sets from Hugging Face's hub, or from a server that
// speaks its protocol, into a cache: each repository at a commit, each file with the size and
// the hash that the hub lists, whole or not at all.
package hub

import (
	"fmt"
	"regexp"
	"strings"
)

// Scheme begins the name of what is on the hub.
const Scheme = "hf:"

// defaultRevision is the branch that is meant where none is named.
const defaultRevision = "main"

// A Ref names a repository of the hub, at a revision.
type Ref struct {
	Dataset  bool   // a data set; else a model
	Repo     string // ORG/NAME
	Part     string // what is meant of it: for a data set, one of its configurations; "": not said
	Revision string // a branch, a tag or a commit
}

// repoName is an organisation's or a repository's name, as the hub allows it.
var repoName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$`)

// Parse reads hf:ORG/NAME[/PART][@REVISION], or the same with datasets/ before ORG.
func Parse(name string) (Ref, error) {
	wrong := func(why string) (Ref, error) {
		return Ref{}, fmt.Errorf("%q: %s (hint: a model is hf:ORG/NAME or hf:ORG/NAME@REVISION, a data set hf:datasets/ORG/NAME)", name, why)
	}
	path, ok := strings.CutPrefix(name, Scheme)
	if !ok {
		return wrong("a name of the hub begins with " + Scheme)
	}
	r := Ref{Revision: defaultRevision}
	path, revision, pinned := strings.Cut(path, "@")
	if pinned {
		if revision == "" || revision[0] == '.' || strings.Contains(revision, "..") || strings.ContainsFunc(revision, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
			return wrong("what follows @ is not the name of a revision")
		}
		r.Revision = revision
	}
	path, r.Dataset = strings.CutPrefix(path, "datasets/")
	org, rest, ok := strings.Cut(path, "/")
	if !ok {
		return wrong("the organisation is missing")
	}
	repo, part, _ := strings.Cut(rest, "/")
	for _, s := range []string{org, repo} {
		if !repoName.MatchString(s) || len(s) > 96 || strings.Contains(s, "--") || strings.Contains(s, "..") || strings.HasSuffix(s, ".git") {
			return wrong(fmt.Sprintf("%q is not a name that the hub allows", s))
		}
	}
	if !r.Dataset && (org == "datasets" || org == "spaces" || org == "models") {
		return wrong(org + "/ is not an organisation")
	}
	if strings.HasSuffix(rest, "/") || strings.HasPrefix(part, "/") || strings.Contains(part, "//") {
		return wrong("it has an empty part")
	}
	r.Repo, r.Part = org+"/"+repo, part
	return r, nil
}

// String is the name that Parse reads.
func (r Ref) String() string {
	s := Scheme + r.path()
	if r.Part != "" {
		s += "/" + r.Part
	}
	if r.Revision != defaultRevision {
		s += "@" + r.Revision
	}
	return s
}

// path is where the hub shows the repository, below its endpoint.
func (r Ref) path() string {
	if r.Dataset {
		return "datasets/" + r.Repo
	}
	return r.Repo
}

// kind is what the hub's API calls such repositories.
func (r Ref) kind() string {
	if r.Dataset {
		return "datasets"
	}
	return "models"
}

// what is the kind in a sentence.
func (r Ref) what() string {
	if r.Dataset {
		return "data set"
	}
	return "model"
}
