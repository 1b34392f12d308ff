package corpus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hone/data/clean"
	"hone/data/source"
)

// goTree writes a small Go source tree and makes it GOROOT: for each of two
// families 30 documents, besides some of cmd, with duplicates among them.
func goTree(t *testing.T) {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("VERSION", "go9.9\n")
	write("src/fmt/print.go", "package fmt\n")
	for _, family := range []string{"net", "os", "tiny", "cmd/go"} {
		n := 30
		if family == "tiny" {
			n = 3
		}
		text := "package p\n"
		for i := range n {
			text += fmt.Sprintf("\n// F%d of %s does things that differ by number: %d, %d and then %d, never %d.\nfunc F%d() {}\n", i, family, i*7, i*i, i+100, i*1001, i)
		}
		text += "\n// Close closes the file, rendering it unusable for input and for output, whatever happens.\nfunc Close() {}\n"
		write("src/"+family+"/f.go", text)
	}
	t.Setenv("GOROOT", root)
}

var _ Records = (*Split)(nil)

func small() ConvertOptions {
	return ConvertOptions{MinLabel: 20, Shares: clean.Shares{Validation: 0.15, Test: 0.2}}
}

func all(t *testing.T, s *Split) (list []Record) {
	t.Helper()
	if s == nil {
		return nil
	}
	for i := range s.Rows() {
		r, err := s.Record(i)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

func TestPrepareGoroot(t *testing.T) {
	goTree(t)
	cache := filepath.Join(t.TempDir(), "not", "there", "yet")
	ctx := context.Background()
	spec := Spec{From: GorootScheme, Convert: small()}
	calls := 0
	c, err := Prepare(ctx, spec, cache, func(done, total int64) { calls++ })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if calls == 0 {
		t.Error("no progress")
	}
	if want := []string{"net", "os"}; !reflect.DeepEqual(c.Labels, want) {
		t.Errorf("labels %v, want %v", c.Labels, want)
	}
	if base := filepath.Base(c.Dir); !strings.HasPrefix(base, "goroot-go9.9-") {
		t.Errorf("directory %s", base)
	}
	texts := map[string]bool{}
	var rows int64
	for _, s := range c.Splits() {
		if s.Rows() == 0 {
			t.Errorf("%s is empty", s.Name)
		}
		rows += s.Rows()
		for _, r := range all(t, s) {
			if texts[r.Text] {
				t.Errorf("twice: %q", r.Text)
			}
			texts[r.Text] = true
			family, _, _ := strings.Cut(r.Path, "/")
			if labelled := family == "net" || family == "os"; r.HasLabel != labelled || labelled && r.Label != family {
				t.Errorf("%+v", r)
			}
		}
		if _, err := s.Record(s.Rows()); err == nil {
			t.Error("a record past the end")
		}
	}
	// 93 functions of their own, and Close, of which four are one.
	if want := int64(94); rows != want || c.Provenance.Documents != want {
		t.Errorf("%d rows, announced %d, want %d", rows, c.Provenance.Documents, want)
	}
	m := c.Manifest
	if m.Duplicates.Documents != 97 || m.Duplicates.Exact != 3 || m.Duplicates.Near != 0 {
		t.Errorf("duplicates %+v", m.Duplicates)
	}
	if len(m.Overlap) != 2 || m.Overlap[0].Split != "validation" || m.Overlap[1].Split != "test" || m.Overlap[1].Distinct == 0 || m.Overlap[1].Shared == 0 {
		t.Errorf("overlap %+v", m.Overlap)
	}
	if p := c.Provenance; p.Name != "goroot" || p.Licence != "BSD-3-Clause" || len(p.SHA256) != 64 || p.Consent == "" || !strings.Contains(p.Source, "go9.9") {
		t.Errorf("provenance %+v", p)
	}

	// Again: from the cache, the same; and made anew elsewhere with other
	// threads, the same bytes.
	again, err := Prepare(ctx, spec, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	other, err := Prepare(ctx, spec, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, o := range []*Corpus{again, other} {
		if !reflect.DeepEqual(o.Provenance, c.Provenance) || !reflect.DeepEqual(o.Manifest, c.Manifest) {
			t.Errorf("another corpus:\n%+v\n%+v", o.Manifest, c.Manifest)
		}
	}
	// Other parameters are another corpus.
	spec.Convert.MinLabel = 5
	fewer, err := Prepare(ctx, spec, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer fewer.Close()
	if fewer.Dir == c.Dir {
		t.Error("other parameters share the directory")
	}
	if left, _ := filepath.Glob(filepath.Join(cache, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPrepareAtOnce(t *testing.T) {
	goTree(t)
	cache := t.TempDir()
	var wg sync.WaitGroup
	var dirs [4]string
	for i := range dirs {
		wg.Go(func() {
			c, err := Prepare(context.Background(), Spec{From: GorootScheme, Convert: small()}, cache, nil)
			if err != nil {
				t.Error(err)
				return
			}
			dirs[i] = c.Dir
			c.Close()
		})
	}
	wg.Wait()
	entries, err := os.ReadDir(cache)
	if err != nil || len(entries) != 1 || filepath.Join(cache, entries[0].Name()) != dirs[0] {
		t.Errorf("%v in the cache, %v", entries, err)
	}
}

func TestCancelledConversion(t *testing.T) {
	goTree(t)
	cache := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Prepare(ctx, Spec{From: GorootScheme}, cache, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	// What a killed process left is ignored, and swept away; a living one's stays, and what
	// is no directory of a conversion.
	dead := filepath.Join(cache, fmt.Sprintf("%s%d-goroot-1", convertingPrefix, math.MaxInt32))
	living := filepath.Join(cache, fmt.Sprintf("%s%d-goroot-2", convertingPrefix, os.Getpid()))
	other := filepath.Join(cache, convertingPrefix+"-goroot-3")
	for _, d := range []string{dead, living, other} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(cache, fmt.Sprintf("%s%d-link", convertingPrefix, math.MaxInt32))
	if err := os.Symlink(other, link); err != nil {
		t.Log(err) // it may need privileges
		link = other
	}
	c, err := Prepare(context.Background(), Spec{From: GorootScheme, Convert: small()}, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Error("the directory of a process that has ended is still there")
	}
	for _, path := range []string{living, other, link} {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
}

// shard writes rows of text and label ("": null) as one file.
func shard(t *testing.T, dir, name string, rows ...[2]string) string {
	t.Helper()
	w := source.NewShards(dir, name, 0, "text", "label")
	for _, r := range rows {
		w.Append(source.Value{Text: r[0], Null: r[0] == ""}, source.Value{Text: r[1], Null: r[1] == ""})
	}
	shards, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, shards[0].File)
}

func TestPrepareFiles(t *testing.T) {
	dir := t.TempDir()
	one := shard(t, dir, "train", [2]string{"first text", "b"}, [2]string{"", "a"}, [2]string{"third", ""})
	shard(t, dir, "other", [2]string{"fourth", "c"})
	shard(t, dir, "dev", [2]string{"held out", "a"})
	if err := os.Mkdir(filepath.Join(dir, "test"), 0o755); err != nil {
		t.Fatal(err)
	}
	shard(t, filepath.Join(dir, "test"), "data", [2]string{"tested", ""})
	ctx := context.Background()
	c, err := Prepare(ctx, Spec{From: dir, Name: "mine", Licence: "CC0-1.0"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if want := []string{"a", "b", "c"}; !reflect.DeepEqual(c.Labels, want) {
		t.Errorf("labels %v", c.Labels)
	}
	want := []Record{{Text: "fourth", Label: "c", HasLabel: true}, {Text: "first text", Label: "b", HasLabel: true}, {Null: true, Label: "a", HasLabel: true}, {Text: "third"}}
	if got := all(t, c.Train); !reflect.DeepEqual(got, want) {
		t.Errorf("train %+v", got)
	}
	if v, s := all(t, c.Validation), all(t, c.Test); len(v) != 1 || v[0].Text != "held out" || len(s) != 1 || s[0].Text != "tested" {
		t.Errorf("validation %+v, test %+v", v, s)
	}
	if p := c.Provenance; p.Name != "mine" || p.Licence != "CC0-1.0" || p.Documents != 6 || len(p.SHA256) != 64 {
		t.Errorf("provenance %+v", p)
	}
	// More labels than there can be, under the usual name: texts without labels.
	var many [][2]string
	for i := range maxLabels + 1 {
		many = append(many, [2]string{"text", fmt.Sprint(i)})
	}
	crowd := shard(t, t.TempDir(), "train", many...)
	m, err := Prepare(ctx, Spec{From: crowd}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if r, err := m.Train.Record(7); err != nil || r.Text != "text" || len(m.Labels) != 0 {
		t.Errorf("%+v, %v, %d labels", r, err, len(m.Labels))
	}
	if _, err := Prepare(ctx, Spec{From: crowd, Label: "label"}, "", nil); err == nil || !strings.Contains(err.Error(), "more than 10000 values") {
		t.Errorf("%v", err)
	}
	single, err := Prepare(ctx, Spec{From: one, Text: "label", Label: "text"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer single.Close()
	if r, err := single.Train.Record(0); err != nil || r.Text != "b" || r.Label != "first text" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestPrepareErrors(t *testing.T) {
	dir := t.TempDir()
	good := shard(t, dir, "train", [2]string{"text", "a"})
	empty := shard(t, t.TempDir(), "train")
	bad := shard(t, t.TempDir(), "train", [2]string{"fine", "a"}, [2]string{"b\xffd", "a"})
	garbage := filepath.Join(dir, "garbage.bin")
	if err := os.WriteFile(garbage, []byte("\x00no text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{}, "no corpus is given"},
		{Spec{From: filepath.Join(dir, "absent.arrow")}, "absent.arrow"},
		{Spec{From: filepath.Join(dir, "x*.arrow")}, "no file matches"},
		{Spec{From: t.TempDir()}, "the directory has no file of a known kind"},
		{Spec{From: garbage}, "garbage.bin: is of no known kind"},
		{Spec{From: empty}, "the corpus is empty"},
		{Spec{From: good, Text: "txet"}, `no column "txet" (did you mean "text"?); its columns: text (utf8), label (utf8)`},
		{Spec{From: good, Label: "class"}, `no column "class"; its columns:`},
	} {
		got, err := Prepare(context.Background(), c.spec, t.TempDir(), nil)
		if err == nil {
			got.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "data: ") != 1 {
			t.Errorf("%+v: %v, want %q", c.spec, err, c.want)
		}
	}
	c, err := Prepare(context.Background(), Spec{From: bad}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Train.Record(1); err == nil || !strings.Contains(err.Error(), "record batch 0, row 1") || !strings.Contains(err.Error(), "invalid UTF-8") {
		t.Errorf("%v", err)
	}
}

func TestConvert(t *testing.T) {
	dir := t.TempDir()
	var rows [][2]string
	for i := range 600 {
		rows = append(rows, [2]string{fmt.Sprintf("text number %d", i), []string{"x", "y", ""}[i%3]})
	}
	rows[5][0] = ""
	in := shard(t, dir, "in", rows...)
	ctx := context.Background()
	out := filepath.Join(dir, "sub", "out")
	m, err := Convert(ctx, in, out, ConvertOptions{Shares: clean.Shares{Test: 0.25}, Licence: "MIT"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.Rows != 599 || m.Drops["null text"] != 1 || len(m.Splits) != 2 || m.Licence != "MIT" || m.Name != filepath.Base(in) {
		t.Errorf("%+v", m)
	}
	c, err := Prepare(ctx, Spec{From: out, Consent: "given"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Validation != nil || c.Test.Rows() < 100 || c.Train.Rows()+c.Test.Rows() != 599 {
		t.Errorf("%d and %d rows", c.Train.Rows(), c.Test.Rows())
	}
	if c.Provenance.Consent != "given" || c.Provenance.Licence != "MIT" || !slices.Equal(c.Labels, []string{"x", "y"}) {
		t.Errorf("%+v %v", c.Provenance, c.Labels)
	}
	if _, err := Convert(ctx, in, out, ConvertOptions{}, nil); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("over another: %v", err)
	}
	if _, err := Convert(ctx, shard(t, t.TempDir(), "e"), filepath.Join(dir, "e"), ConvertOptions{}, nil); err == nil || !strings.Contains(err.Error(), "the corpus is empty") {
		t.Errorf("an empty one: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	// Without shares and again: order and content are those of the file.
	whole := filepath.Join(dir, "whole")
	if _, err := Convert(ctx, in, whole, ConvertOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	w, err := Prepare(ctx, Spec{From: whole}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i, r := range all(t, w.Train) {
		if i >= 5 {
			i++ // the dropped one
		}
		if r.Text != rows[i][0] || r.Label != rows[i][1] || r.HasLabel != (rows[i][1] != "") {
			t.Fatalf("row %d: %+v, want %v", i, r, rows[i])
		}
	}
}

// TestDamagedShard flips every bit of a shard whose hash is known.
func TestDamagedShard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "corpus")
	in := shard(t, t.TempDir(), "in", [2]string{"some text", "a"}, [2]string{"more of it", "b"})
	m, err := Convert(context.Background(), in, dir, ConvertOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, m.Splits[0].Shards[0].File)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for bit := range 8 * len(whole) {
		at := int64(bit / 8)
		if _, err := f.WriteAt([]byte{whole[at] ^ 1<<(bit%8)}, at); err != nil {
			t.Fatal(err)
		}
		c, err := Prepare(context.Background(), Spec{From: dir}, "", nil)
		if err == nil {
			c.Close()
			t.Fatalf("bit %d of byte %d: no error", bit%8, at)
		}
		if !strings.Contains(err.Error(), path+": damaged: its SHA-256 is") {
			t.Fatalf("bit %d of byte %d: %v", bit%8, at, err)
		}
		if _, err := f.WriteAt(whole[at:at+1], at); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Prepare(context.Background(), Spec{From: dir}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()

	manifest := filepath.Join(dir, manifestName)
	b, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string][2]string{
		"format version 2, but this version of hone reads version 1": {`"format_version": 1`, `"format_version": 2`},
		"is not in its directory":                                    {`"file": "`, `"file": "../`},
		"the SHA-256 of its shards is":                               {`"sha256": "`, `"sha256": "f`},
		"unknown split":                                              {`"name": "train"`, `"name": "tarin"`},
		"corpus.json":                                                {`{`, `[`},
	} {
		if err := os.WriteFile(manifest, []byte(strings.Replace(string(b), change[0], change[1], 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Prepare(context.Background(), Spec{From: dir}, "", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", change, err)
		}
	}
}

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	a := shard(t, dir, "a", [2]string{"1234", "x"}, [2]string{"", "y"}, [2]string{"12345678", "y"})
	w := source.NewShards(dir, "b", 0, "body")
	w.Append(source.Value{Text: "other"})
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := Inspect(context.Background(), []string{filepath.Join(dir, "*.arrow")}, InspectOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if info.Files != 2 || info.Rows != 4 || !slices.Equal(info.Columns, []string{"text", "label", "body"}) || info.Types["body"] != "utf8" {
		t.Errorf("%+v", info)
	}
	if want := (&TextInfo{"text", 12, 12, 1, []LengthBin{{4, 7, 1}, {8, 15, 1}}, []ScriptTotal{}}); !reflect.DeepEqual(info.Text, want) {
		t.Errorf("%+v, want %+v", info.Text, want)
	}
	if want := []LabelTotal{{"y", 2}, {"x", 1}}; !reflect.DeepEqual(info.Labels, want) {
		t.Errorf("%+v", info.Labels)
	}
	b, err := json.Marshal(info)
	if err != nil || !strings.HasPrefix(string(b), `{"files":2,"rows":4,"bytes":`) {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := Inspect(context.Background(), []string{a}, InspectOptions{Text: "body"}, nil); err == nil || !strings.Contains(err.Error(), `no column "body"`) {
		t.Errorf("%v", err)
	}
	if _, err := Inspect(context.Background(), []string{a, filepath.Join(dir, "absent")}, InspectOptions{}, nil); err == nil {
		t.Error("an absent file")
	}
}

// TestThisGoroot converts the real source tree.
func TestThisGoroot(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all of the Go source tree")
	}
	start := time.Now()
	c, err := Prepare(context.Background(), Spec{From: GorootScheme}, t.TempDir(), nil)
	if err != nil {
		t.Skipf("no Go source tree here: %v", err)
	}
	defer c.Close()
	var bytes, labelled int64
	for _, s := range c.Manifest.Splits {
		bytes += s.TextBytes
		labelled += s.Labelled
	}
	t.Logf("%v: %d documents, %d bytes of text, %d labelled with %d labels, duplicates %+v, overlap %+v, drops %v",
		time.Since(start).Round(time.Millisecond), c.Provenance.Documents, bytes, labelled, len(c.Labels), *c.Manifest.Duplicates, c.Manifest.Overlap, c.Manifest.Drops)
	if c.Provenance.Documents < 10000 || bytes < 3e6 || bytes > 6e6 {
		t.Errorf("%d documents of %d bytes", c.Provenance.Documents, bytes)
	}
	for _, want := range []string{"crypto", "go", "net", "runtime"} {
		if !slices.Contains(c.Labels, want) {
			t.Errorf("label %s is missing: %v", want, c.Labels)
		}
	}
	if slices.Contains(c.Labels, "cmd") {
		t.Error("cmd is a label")
	}
	for _, l := range c.Manifest.Labels {
		if l.Train+l.Validation+l.Test < 150 {
			t.Errorf("label %+v has fewer than 150 documents", l)
		}
	}
	for _, s := range c.Splits() {
		for i := range s.Rows() {
			r, err := s.Record(i)
			if err != nil {
				t.Fatal(err)
			}
			if r.Null || len(r.Text) < source.MinGorootDoc || strings.Contains(r.Text, "Use of this source code") {
				t.Fatalf("%+v", r)
			}
		}
	}
}
