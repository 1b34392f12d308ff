package source

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// MinGorootDoc is the shortest doc comment, in characters, that counts as a
// document.
const MinGorootDoc = 60

// GorootRules is the version of the rules of ReadGoroot. It is part of the name of a
// converted corpus: raise it with every change of the extraction.
const GorootRules = 1

// Document is a text with its origin.
type Document struct {
	Text     string
	Label    string // set if HasLabel
	HasLabel bool
	Path     string // where it stands, "net/http/server.go:2986"
	Name     string // what it is about, "Server.Serve"
}

// Drops counts the documents and files that an extraction left out, by reason.
type Drops map[string]int64

// Goroot is a Go source tree.
type Goroot struct {
	Src     string // directory of the sources, symbolic links resolved
	Version string // "go1.26.8", or "devel" where the tree has no VERSION file
}

// FindGoroot finds the Go source tree of this machine: the one of the running
// program's toolchain ($GOROOT, or the place that it was built with), else the
// one that the go command names.
func FindGoroot(ctx context.Context) (Goroot, error) {
	if root := os.Getenv("GOROOT"); root != "" {
		g, err := openGoroot(root)
		if err != nil {
			return Goroot{}, fmt.Errorf("goroot: GOROOT is set, but %w", err)
		}
		return g, nil
	}
	//lint:ignore SA1019 a program of "go run" runs where it was built; a trimmed or copied one asks the go command below.
	if g, err := openGoroot(runtime.GOROOT()); err == nil {
		return g, nil
	}
	cmd := exec.CommandContext(ctx, "go", "env", "GOROOT")
	// The local toolchain suffices: never download another one to read its comments.
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local", "GOWORK=off")
	cmd.Dir = os.TempDir()
	out, err := cmd.Output()
	if err != nil {
		return Goroot{}, fmt.Errorf("goroot: no Go source tree found: go env GOROOT: %w (hint: install Go from https://go.dev/dl, or set GOROOT to its directory)", err)
	}
	g, err := openGoroot(strings.TrimSpace(string(out)))
	if err != nil {
		return Goroot{}, fmt.Errorf("goroot: %w", err)
	}
	return g, nil
}

func openGoroot(root string) (Goroot, error) {
	if root == "" {
		return Goroot{}, errors.New("its directory is not known")
	}
	src := filepath.Join(root, "src")
	// Some distributions make src a symbolic link, which WalkDir would not enter.
	src, err := filepath.EvalSymlinks(src)
	if err != nil {
		return Goroot{}, fmt.Errorf("no Go source tree in %s: %w (hint: some distributions package the sources apart, as golang-src)", root, err)
	}
	if _, err := os.Stat(filepath.Join(src, "fmt", "print.go")); err != nil {
		return Goroot{}, fmt.Errorf("%s is not a Go source tree: %w (hint: some distributions package the sources apart, as golang-src)", src, err)
	}
	g := Goroot{Src: src, Version: "devel"}
	if b, err := os.ReadFile(filepath.Join(root, "VERSION")); err == nil {
		first, _, _ := strings.Cut(string(b), "\n")
		if first = strings.TrimSpace(first); first != "" {
			g.Version = first
		}
	}
	return g, nil
}

// ReadGoroot extracts the doc comments of a Go source tree, in the order of
// path and position, whatever the number of threads. A document is the doc
// comment of a package clause, function, method, type, constant or variable, as
// go/doc would show its text, of at least MinGorootDoc characters. (Those of
// struct fields and interface methods would add a tenth, mostly one-liners that
// say little without the type around them.)
//
// Left out, and counted: shorter comments, licence texts, and files that are
// generated or do not parse (among them those that are not UTF-8). Not visited:
// testdata (inputs of tests, not always Go), vendor (other projects, other
// licences) and tests (their comments speak of bugs and cases, seldom of an
// API).
//
// The label of a document is the first element of its path. Documents of cmd have none,
// because cmd is a collection of programs, not a subject.
//
// progress is called with bytes of source read so far; it may be nil.
func ReadGoroot(ctx context.Context, g Goroot, progress func(done, total int64)) ([]Document, Drops, error) {
	type source struct {
		path string // slash-separated, below src
		size int64
	}
	var files []source
	var total int64
	err := filepath.WalkDir(g.Src, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != g.Src && (name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(g.Src, p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files = append(files, source{filepath.ToSlash(rel), info.Size()})
		total += info.Size()
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("goroot: %w", err)
	}

	type result struct {
		docs  []Document
		drops Drops
		err   error
	}
	results := make([]result, len(files))
	var next, done atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex // progress is called by one goroutine at a time
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				r := &results[i]
				r.docs, r.drops, r.err = goDocs(g.Src, files[i].path)
				n := done.Add(files[i].size)
				if progress != nil && i%64 == 0 {
					mu.Lock()
					progress(n, total)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	var docs []Document
	drops := Drops{}
	for _, r := range results {
		if r.err != nil {
			return nil, nil, fmt.Errorf("goroot: %w", r.err)
		}
		docs = append(docs, r.docs...)
		for k, n := range r.drops {
			drops[k] += n
		}
	}
	if progress != nil {
		progress(total, total)
	}
	return docs, drops, nil
}

// goDocs returns the documents of one file.
func goDocs(src, rel string) ([]Document, Drops, error) {
	text, err := os.ReadFile(filepath.Join(src, filepath.FromSlash(rel)))
	if err != nil {
		return nil, nil, err
	}
	drops := Drops{}
	fset := token.NewFileSet()
	// Some generated files have a megabyte: read only the header first.
	if f, err := parser.ParseFile(fset, rel, text, parser.PackageClauseOnly|parser.ParseComments); err == nil && ast.IsGenerated(f) {
		drops["generated file"]++
		return nil, drops, nil
	}
	f, err := parser.ParseFile(fset, rel, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		drops["file that does not parse"]++
		return nil, drops, nil
	}
	label, _, nested := strings.Cut(rel, "/")
	hasLabel := nested && label != "cmd"
	if !hasLabel {
		label = ""
	}
	var docs []Document
	add := func(name string, pos token.Pos, doc *ast.CommentGroup) {
		if doc == nil {
			return
		}
		text := strings.TrimSpace(doc.Text())
		switch {
		case text == "":
			return // directives alone
		case isLicence(text):
			drops["licence text"]++
		case utf8.RuneCountInString(text) < MinGorootDoc:
			drops["shorter than 60 characters"]++
		default:
			docs = append(docs, Document{
				Text: text, Label: label, HasLabel: hasLabel, Name: name,
				Path: fmt.Sprintf("%s:%d", rel, fset.Position(pos).Line),
			})
		}
	}
	add(path.Base(path.Dir(rel)), f.Package, f.Doc)
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if r := receiver(d); r != "" {
				name = r + "." + name
			}
			add(name, d.Pos(), d.Doc)
		case *ast.GenDecl:
			for i, s := range d.Specs {
				var name string
				var doc *ast.CommentGroup
				switch s := s.(type) {
				case *ast.TypeSpec:
					name, doc = s.Name.Name, s.Doc
				case *ast.ValueSpec:
					name, doc = s.Names[0].Name, s.Doc
				default:
					continue // imports
				}
				if i == 0 {
					add(name, d.Pos(), d.Doc)
				}
				add(name, s.Pos(), doc)
			}
		}
	}
	return docs, drops, nil
}

// receiver returns the name of a method's receiver type, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

var licencePhrases = []string{
	"Copyright ",
	"Use of this source code is governed by",
	"Permission is hereby granted",
	"Redistribution and use in source and binary forms",
	"SPDX-License-Identifier",
	"Licensed under the ",
	"without warranty of any kind",
	"THE SOFTWARE IS PROVIDED",
}

// isLicence reports whether a comment contains the text of a licence. A package comment
// that a licence heading is attached to is dropped as well: a lost paragraph is better
// than the same line a thousand times.
func isLicence(text string) bool {
	for _, p := range licencePhrases {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}
