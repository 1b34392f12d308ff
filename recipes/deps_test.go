package recipes

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hone/data/task"
)

// order says which package of the module may import which, in the syntax of
// go/build/deps_test.go in Go's own tree: after "a, b < c, d < e;" c and d may import
// a and b, e may import all four. It is transitive. "a !< b" asserts that the order
// gives b no way to a. NONE stands for no package. Packages that do not exist yet may
// stand here; a package that exists must.
//
// This is policy: where the test fails, the import is what to change.
const order = `
	NONE
	< eval/metric, data/tokenizer/template, checkpoint/file, checkpoint/float;
	checkpoint/file < data/source, data/hub;
	checkpoint/float < trainer/exec;
	checkpoint/file, checkpoint/float < checkpoint/gguf < checkpoint, data/tokenizer;
	checkpoint/file < checkpoint/pickle < checkpoint;
	NONE < checkpoint/provenance < checkpoint, data/corpus, eval/report;

	# The mathematics and its execution. gen writes the assembly of cpu.
	NONE < trainer/exec/cpu/gen;
	trainer/exec < trainer/exec/cpu, trainer/comm, trainer/graph, optim;
	trainer/comm < trainer/exec/cuda;
	trainer/graph < trainer/model;
	checkpoint, data/tokenizer, trainer/model < trainer/pretrained;

	# A hub for tests.
	NONE < data/hub/hubtest;

	# The data.
	data/source < data/clean;
	data/source, data/clean, data/tokenizer, data/hub < data/corpus;
	data/corpus, data/tokenizer/template < data/task < data;

	# Training and evaluation meet in recipes/run alone.
	data, trainer/model < trainer/feed;
	optim, eval/metric, trainer/comm, trainer/feed, trainer/pretrained < trainer;
	trainer/pretrained, data/tokenizer/template < eval/generate < eval/chat;
	eval/generate, eval/metric, trainer/feed < eval;
	eval/metric < eval/report;

	# What is asked for, and what does it. A recipe is values; one place names a device.
	eval, optim, trainer/pretrained < recipes;
	recipes, eval/generate, eval/chat < recipes/exchange < recipes/run;
	recipes, trainer, eval/report, trainer/exec/cpu, trainer/exec/cuda < recipes/run;
	recipes, trainer, trainer/exec/cpu < recipes/bench;
	recipes/run, recipes/bench, recipes/exchange < cmd/hone;

	eval !< trainer;
	trainer !< eval;
	trainer/comm !< optim;
	data !< trainer/model;

	# A model knows no device, and a file format no model.
	trainer/exec/cpu !< trainer, eval, recipes;
	trainer !< recipes;
	trainer !< checkpoint;
	trainer/exec !< checkpoint, data;
`

// foreign says which packages import a module from outside (a path stands for all
// below it). It is not transitive: whoever is not named goes through the one that is.
var foreign = map[string][]string{
	"github.com/apache/arrow/go/v15":    {"data/source"},
	"github.com/google/flatbuffers":     {"data/source"},
	"github.com/klauspost/compress":     {"data/source", "eval"},
	"github.com/parquet-go/parquet-go":  {"data/source"},
	"github.com/andybalholm/brotli":     {"data/source"},
	"gorgonia.org/gorgonia":             {"trainer/graph"},
	"gorgonia.org/tensor":               {"trainer/graph"},
	"github.com/chewxy/hm":              {"trainer/graph"},
	"github.com/BurntSushi/toml":        {"recipes", "recipes/exchange"},
	"github.com/schollz/progressbar/v3": {"cmd/hone"},
	"github.com/spf13/cobra":            {"cmd/hone"},
	"github.com/spf13/pflag":            {"cmd/hone"},
	"golang.org/x/term":                 {"cmd/hone"},
	"github.com/rivo/uniseg":            {"cmd/hone"},
	"github.com/dlclark/regexp2/v2":     {"data/tokenizer"},
	"go.yaml.in/yaml/v3":                {"data/hub"},
	"golang.org/x/text/unicode/norm":    {"data/tokenizer", "data/clean"},
	"golang.org/x/sys":                  {"trainer/exec/cpu", "trainer/exec/cuda", "trainer/comm", "checkpoint", "data/source"},
}

// top is what may lie at the top of the tree, beside names that begin with a dot.
var top = []string{
	"cmd", "trainer", "data", "optim", "checkpoint", "eval", "recipes",
	"go.mod", "go.sum", "README.md", "LICENSE",
}

func TestImports(t *testing.T) {
	o, err := parseOrder(order)
	if err != nil {
		t.Fatal(err)
	}
	imports, err := moduleImports("..", "hone")
	if err != nil {
		t.Fatal(err)
	}
	// Guards against a walk that finds nothing, which would pass.
	if !slices.Contains(imports["trainer/model"], "hone/trainer/graph") || !slices.Contains(imports["trainer/graph"], "gorgonia.org/gorgonia") {
		t.Fatalf("the walk missed imports that are there; it found %d packages", len(imports))
	}
	for _, fault := range o.faults("hone", imports, foreign) {
		t.Error(fault)
	}
}

// kindsByName are the files outside data/task that name kinds of tasks, and why.
var kindsByName = map[string]string{
	"eval/scorer.go":            "the switch that chooses a scorer",
	"recipes/stage.go":          "the kind of a stage that names none",
	"recipes/bench/finetune.go": "the work that a peer is measured at",
}

// A task is a value that goes through the whole house: its kind is asked for what it is, never for its
// name.
func TestKindsByName(t *testing.T) {
	var names []string
	for _, k := range task.Kinds {
		name := ""
		for word := range strings.SplitSeq(k.Name, "_") {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		names = append(names, name)
	}
	asked := regexp.MustCompile(`\btask\.(` + strings.Join(names, "|") + `)\b`)
	found := map[string]bool{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := os.ReadFile(file)
		if name, _ := filepath.Rel("..", file); asked.Match(text) {
			if found[filepath.ToSlash(name)] = true; kindsByName[filepath.ToSlash(name)] == "" {
				t.Errorf("%s asks for a kind by name: %s (a field of task.Kind says what it wants to know)", name, asked.Find(text))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range kindsByName {
		if !found[name] {
			t.Errorf("%s names no kind", name)
		}
	}
}

func TestTopLevel(t *testing.T) {
	// What git does not track (runs, a built binary, recipes of the user's) is no part
	// of the tree. The index is looked at so that go test does not take an old result.
	os.Stat("../.git/index")
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil || len(out) == 0 {
		t.Skipf("no git checkout to list (%v)", err)
	}
	seen := map[string]bool{}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		name, _, _ := strings.Cut(file, "/")
		if !seen[name] && name[0] != '.' && !slices.Contains(top, name) {
			t.Errorf("%s is at the top of the tree, where only these may be: %s", name, strings.Join(top, ", "))
		}
		seen[name] = true
	}
	if !seen["go.mod"] {
		t.Errorf("git lists no go.mod among %d names", len(seen))
	}
}

// TestImportFaults holds the checker against trees that break the policy.
func TestImportFaults(t *testing.T) {
	const text = `
		NONE < leaf, other; # as here
		leaf < middle < top, roof;
		other < roof;
		other !< top; top !< roof;
	`
	only := map[string][]string{"example.org/lib": {"leaf"}, "example.org/lib/part": {"middle"}}
	for _, c := range []struct {
		name    string
		imports map[string][]string
		want    []string // substrings, one for each fault
	}{
		{"good", map[string][]string{
			"leaf":   {"fmt", "net/http", "example.org/lib", "example.org/lib/sub"},
			"middle": {"m/leaf", "example.org/lib/part"},
			"top":    {"m/middle", "m/leaf"},
			"roof":   {"m/other", "m/leaf"},
		}, nil},
		{"upwards", map[string][]string{"leaf": {"m/middle"}}, []string{"leaf imports middle"}},
		{"sideways", map[string][]string{"top": {"m/other", "m/roof"}}, []string{"top imports other", "top imports roof"}},
		{"unlisted importer", map[string][]string{"stray": {"m/leaf"}}, []string{"stray is not in the order"}},
		{"unlisted without imports", map[string][]string{"stray": nil}, []string{"stray is not in the order"}},
		{"unlisted imported", map[string][]string{"top": {"m/stray"}}, []string{"top imports stray"}},
		{"itself", map[string][]string{"top": {"m/top"}}, []string{"top imports top"}},
		{"the root", map[string][]string{"top": {"m"}}, []string{"top imports m"}},
		{"foreign by the wrong package", map[string][]string{"other": {"example.org/lib"}}, []string{"other imports example.org/lib: only leaf"}},
		{"foreign is not transitive", map[string][]string{"middle": {"example.org/lib"}}, []string{"middle imports example.org/lib: only leaf"}},
		{"foreign by its longest path", map[string][]string{"leaf": {"example.org/lib/part/x"}}, []string{"leaf imports example.org/lib/part/x: only middle"}},
		{"foreign unlisted", map[string][]string{"top": {"example.org/library"}}, []string{"top imports example.org/library: no package may"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := parseOrder(text)
			if err != nil {
				t.Fatal(err)
			}
			got := o.faults("m", c.imports, only)
			if len(got) != len(c.want) {
				t.Fatalf("faults %q, want %q", got, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("fault %q, want %q", got[i], want)
				}
			}
		})
	}
}

func TestOrderErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"NONE < a\n< b", "line 2: the last rule lacks its ;"},
		{"NONE < a;\na < ;", "line 2: a package is missing"},
		{"NONE < a, , b;", "line 1: a package is missing"},
		{"NONE < a b;", "line 1: unexpected \"b\""},
		{"NONE < a;\nNONE, a;", "line 2: a rule needs < or !<"},
		{"a < NONE;", "line 1: NONE imports nothing"},
		{"NONE, b < a;", "line 1: NONE stands alone"},
		{"NONE < a < b < a;", "a comes before itself"},
		{"NONE < a;\nd < b;", "d is on the left alone"},
		{"NONE < a < b < c; a !< c;", "a !< c, but the order has a < c"},
		{"NONE < a < b; a !< d;", "a !< d: d is in no other rule"},
	} {
		if _, err := parseOrder(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.text, err, c.want)
		}
	}
}

// TestModuleImports holds the walk against a small tree.
func TestModuleImports(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/a.go":           `package a; import ("fmt"; x "m/b"; _ "example.org/lib")`,
		"a/a_windows.go":   `package a; import "m/only/windows"`,
		"a/a_tag.go":       "//go:build tag\n\npackage a; import \"m/only/tag\"",
		"a/a_test.go":      `package a; import "m/only/test"`,
		"a/testdata/b.go":  `package b; import "m/testdata"`,
		"a/_old/b.go":      `package b; import "m/old"`,
		".hidden/b.go":     `package b; import "m/hidden"`,
		"b/c/c.go":         `package c`,
		"only_test/d/d.go": `package d; import "fmt"`,
		"tests/e_test.go":  `package e; import "m/only/test"`,
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := moduleImports(dir, "m")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"a":           {"example.org/lib", "fmt", "m/b", "m/only/tag", "m/only/windows"},
		"b/c":         {},
		"only_test/d": {"fmt"},
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("imports %v, want %v", got, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "root.go"), []byte("package m"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err = moduleImports(dir, "m"); err != nil || got["m"] == nil {
		t.Errorf("a package in the root is not seen: %v, %v", got, err)
	}
}

// partialOrder holds, for each package, those that it may import.
type partialOrder map[string]map[string]bool

func parseOrder(text string) (partialOrder, error) {
	type rule struct {
		line        int
		left, right []string
		not         bool
	}
	var rules []rule

	// A statement is a list, then operators and lists in turn.
	var lists [][]string
	var ops []string
	list, line := []string{}, 0
	comma := true // a name is due
	for number, s := range strings.Split(text, "\n") {
		line = number + 1
		s, _, _ = strings.Cut(s, "#")
		s = strings.NewReplacer(",", " , ", ";", " ; ").Replace(s)
		for _, token := range strings.Fields(s) {
			switch token {
			case ",", "<", "!<", ";":
				if comma {
					return nil, fmt.Errorf("line %d: a package is missing before %q", line, token)
				}
				comma = true
				if token == "," {
					continue
				}
				lists, list = append(lists, list), nil
				if token != ";" {
					ops = append(ops, token)
					continue
				}
				if len(ops) == 0 {
					return nil, fmt.Errorf("line %d: a rule needs < or !<", line)
				}
				for i, op := range ops {
					rules = append(rules, rule{line, lists[i], lists[i+1], op == "!<"})
				}
				lists, ops = nil, nil
			default:
				if !comma {
					return nil, fmt.Errorf("line %d: unexpected %q", line, token)
				}
				list, comma = append(list, token), false
			}
		}
	}
	if len(lists) > 0 || !comma {
		return nil, fmt.Errorf("line %d: the last rule lacks its ;", line)
	}

	o := partialOrder{}
	for _, r := range rules {
		if slices.Contains(r.right, "NONE") {
			return nil, fmt.Errorf("line %d: NONE imports nothing", r.line)
		}
		if slices.Contains(r.left, "NONE") && (len(r.left) > 1 || r.not) {
			return nil, fmt.Errorf("line %d: NONE stands alone before <", r.line)
		}
		if r.not {
			continue
		}
		for _, b := range r.right {
			if o[b] == nil {
				o[b] = map[string]bool{}
			}
			for _, a := range r.left {
				if a != "NONE" {
					o[b][a] = true
				}
			}
		}
	}
	// A misspelt name on the left would only forbid; it would not be seen.
	for _, r := range rules {
		for _, name := range slices.Concat(r.left, r.right) {
			if name == "NONE" || o[name] != nil {
				continue
			}
			if r.not {
				return nil, fmt.Errorf("line %d: %s !< %s: %s is in no other rule", r.line, r.left[0], r.right[0], name)
			}
			return nil, fmt.Errorf("line %d: %s is on the left alone", r.line, name)
		}
	}
	// Transitive closure, Warshall's.
	for via := range o {
		for _, before := range o {
			if before[via] {
				maps.Copy(before, o[via])
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if o[name][name] {
			return nil, fmt.Errorf("%s comes before itself", name)
		}
	}
	for _, r := range rules {
		for _, a := range r.left {
			for _, b := range r.right {
				if r.not && o[b][a] {
					return nil, fmt.Errorf("line %d: %s !< %s, but the order has %s < %s", r.line, a, b, a, b)
				}
			}
		}
	}
	return o, nil
}

// faults compares the imports of a module's packages with the order among them and
// with the table of who imports what from outside.
func (o partialOrder) faults(module string, imports, foreign map[string][]string) []string {
	var faults []string
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		if o[pkg] == nil {
			faults = append(faults, pkg+" is not in the order")
			continue
		}
		for _, imported := range imports[pkg] {
			domain, _, _ := strings.Cut(imported, "/")
			own := strings.TrimPrefix(imported, module+"/")
			switch {
			case own != imported || imported == module:
				if !o[pkg][own] {
					faults = append(faults, fmt.Sprintf("%s imports %s, which the order does not allow", pkg, own))
				}
			case strings.Contains(domain, "."): // otherwise of the standard library
				known := imported
				for known != "." && foreign[known] == nil {
					known = path.Dir(known)
				}
				if foreign[known] == nil {
					faults = append(faults, fmt.Sprintf("%s imports %s: no package may", pkg, imported))
				} else if !slices.Contains(foreign[known], pkg) {
					faults = append(faults, fmt.Sprintf("%s imports %s: only %s may", pkg, imported, strings.Join(foreign[known], ", ")))
				}
			}
		}
	}
	return faults
}

// moduleImports gives the sorted imports of each package below root, test files aside;
// keys are paths from root, and the module's for root itself.
//
// It reads the files, as go list would show those of one platform only, and as go test
// cannot see what a child process reads and would repeat an old result.
func moduleImports(root, module string) (map[string][]string, error) {
	imports := map[string][]string{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); file != root && (name == "testdata" || name[0] == '.' || name[0] == '_') {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		if pkg = filepath.ToSlash(pkg); pkg == "." {
			pkg = module
		}
		list := append([]string{}, imports[pkg]...)
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			list = append(list, imported)
		}
		slices.Sort(list)
		imports[pkg] = slices.Compact(list)
		return nil
	})
	return imports, err
}
