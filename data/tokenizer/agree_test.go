package tokenizer

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// random is the generator of testdata/agree.py.
type random uint64

func (r *random) below(n int) int {
	*r = *r*6364136223846793005 + 1442695040888963407
	return int(uint64(*r) >> 33 % uint64(n))
}

type lineClass struct {
	Name   string
	Lines  int
	Hashed int // of these
	Atoms  int
	Length int
	From   []json.RawMessage
}

// classLines makes n lines of a class, as testdata/agree.py does.
func classLines(t testing.TB, number int, c lineClass, n int) iter.Seq[string] {
	type atom struct {
		s string
		r [3]int
	}
	atoms := make([]atom, len(c.From))
	for i, raw := range c.From {
		if json.Unmarshal(raw, &atoms[i].s) != nil && json.Unmarshal(raw, &atoms[i].r) != nil {
			t.Fatalf("atom %s", raw)
		}
	}
	makeLine := func(r *random) string {
		var line []rune
		for range 1 + r.below(c.Atoms) {
			a := atoms[r.below(len(atoms))]
			if a.r[1] == 0 {
				line = append(line, []rune(a.s)...)
				continue
			}
			for range 1 + r.below(a.r[2]) {
				p := rune(a.r[0] + r.below(a.r[1]-a.r[0]+1))
				if 0xd800 <= p && p < 0xe000 {
					p = 0xfffd
				}
				line = append(line, p)
			}
		}
		if c.Length > 0 {
			for len(line) < c.Length {
				line = append(line, line...)
			}
			line = line[:c.Length]
		}
		return string(line)
	}
	return func(yield func(string) bool) {
		r := random(number + 1)
		for range n {
			if !yield(makeLine(&r)) {
				return
			}
		}
	}
}

func writeRecord(h hash.Hash, ids []int32, offsets []Offset, last string) {
	var b []byte
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	b = append(b, '|')
	for i, o := range offsets {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(o.Start), 10)
		b = append(b, '-')
		b = strconv.AppendInt(b, int64(o.End), 10)
	}
	b = append(b, '|')
	b = append(b, last...)
	h.Write(append(b, '\n'))
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil))[:16] }

// merged is a tokenizer.json with other sections and other keys of the model.
func merged(t testing.TB, base string, sections, model map[string]json.RawMessage) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", base))
	if err != nil {
		t.Fatal(err)
	}
	var f, m map[string]json.RawMessage
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	for k, v := range sections {
		f[k] = v
	}
	if err := json.Unmarshal(f["model"], &m); err != nil {
		t.Fatal(err)
	}
	for k, v := range model {
		m[k] = v
	}
	if f["model"], err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(f); err != nil {
		t.Fatal(err)
	}
	return data
}

type agreeCase struct {
	Name            string
	Base            string
	File, SHA256    string // instead of Base: one in use, see open
	Sections, Model map[string]json.RawMessage
	Hashes          map[string]string
	Full            map[string]string // of all lines of a class, where that is long
	Pair            string
}

// open gives the case's tokenizer. Those in use are looked for among the data sets, then in
// the directory that HONE_TOKENIZERS names and testdata/real.py writes; one that is not
// there is nil.
func (c agreeCase) open(t testing.TB) *Pipeline {
	t.Helper()
	var data []byte
	if c.File == "" {
		data = merged(t, c.Base, c.Sections, c.Model)
	} else {
		data, _ = os.ReadFile(filepath.Join(sets, "tokenizers", filepath.FromSlash(c.File)))
		if dir := os.Getenv("HONE_TOKENIZERS"); data == nil && dir != "" {
			var err error
			if data, err = os.ReadFile(filepath.Join(dir, c.File)); err != nil {
				t.Fatal(err)
			}
		}
		if data == nil {
			return nil
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != c.SHA256 {
			t.Fatalf("%s: sha256 %s, want %s", c.File, got, c.SHA256)
		}
		if strings.HasSuffix(c.File, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if data, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
	}
	p, err := parse(data)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	if c.File != "" {
		p.truncation, p.padding = nil, nil
	}
	return p
}

// agreeAll tells whether all that was compared with the library is compared again, not
// only what takes seconds.
func agreeAll() bool { return os.Getenv("HONE_AGREE_ALL") != "" }

// checkLine tokenizes a line; the ids without offsets must be the same.
func checkLine(t *testing.T, tok *Pipeline, line string) Encoding {
	e, err := tok.Tokenize(line, true)
	if err != nil {
		t.Fatal(err)
	}
	if tok.truncation != nil || tok.padding != nil {
		return e
	}
	var ids []int32
	for i, id := range e.IDs {
		if !e.Special[i] {
			ids = append(ids, id)
		}
	}
	if fast := tok.Encode(nil, line); !slices.Equal(fast, ids) {
		t.Fatalf("Encode(%.200q)\n got %v\nTokenize %v", line, fast, ids)
	}
	return e
}

// TestAgree compares ids, offsets and decoded text with hashes of what the
// library gives, for every kind of component. The ids without offsets must be
// the same, and so must those of what is written and read again.
func TestAgree(t *testing.T) {
	classes := readJSON[[]lineClass](t, "agree/classes.json")
	made := make(map[string][]string)
	for i, c := range classes {
		made[c.Name] = slices.Collect(classLines(t, i, c, cmp.Or(c.Hashed, c.Lines)))
	}
	full := 0
	for _, c := range readJSON[[]agreeCase](t, "agree/cases.json") {
		full += len(c.Full)
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			tok := c.open(t)
			if tok == nil {
				t.Skip("HONE_TOKENIZERS names no directory written by testdata/real.py")
			}
			again, err := parse(tok.JSON())
			if err != nil {
				t.Fatalf("its own JSON: %v", err)
			}
			if !bytes.Equal(again.JSON(), tok.JSON()) {
				t.Error("JSON differs after reading it")
			}
			if len(c.Hashes) == 0 {
				t.Fatal("no hashes")
			}
			compare := func(name, want string, lines iter.Seq[string]) {
				h := sha256.New()
				n := 0
				for line := range lines {
					e := checkLine(t, tok, line)
					writeRecord(h, e.IDs, e.Chars, tok.Text(e.IDs, false))
					n++
				}
				if got := sum(h); got != want {
					t.Errorf("%s: %s over %d lines, the library has %s", name, got, n, want)
				}
			}
			for i, class := range classes {
				if want := c.Hashes[class.Name]; want != "" && !(testing.Short() && class.Hashed > 0) {
					compare(class.Name, want, slices.Values(made[class.Name]))
				}
				if want := c.Full[class.Name]; want != "" && agreeAll() {
					compare("all of "+class.Name, want, classLines(t, i, class, class.Lines))
				}
			}
			if c.Pair != "" {
				h := sha256.New()
				for i := range made["english"] {
					e, err := tok.TokenizePair(made["english"][i], made["korean"][i], true)
					if err != nil {
						t.Fatal(err)
					}
					writeRecord(h, e.IDs, e.Chars, strings.Trim(fmt.Sprint(e.Types), "[]"))
				}
				if got := sum(h); got != c.Pair {
					t.Errorf("pairs: %s, the library has %s", got, c.Pair)
				}
			}
		})
	}
	if full == 0 {
		t.Error("no case has hashes of all lines")
	}
}

// TestAgreeSets compares on the text of the data sets: of all files if agreeAll, else of
// the small ones.
func TestAgreeSets(t *testing.T) {
	needSets(t)
	t.Parallel()
	cases := make(map[string]agreeCase)
	for _, c := range readJSON[[]agreeCase](t, "agree/cases.json") {
		cases[c.Name] = c
	}
	type set struct {
		File   string
		Bytes  int
		Lines  int
		Hashes map[string]string
	}
	list := readJSON[[]set](t, "agree/sets.json")
	if len(list) < 50 {
		t.Fatalf("%d files", len(list))
	}
	opened := make(map[string]*Pipeline)
	compared := make(map[string]int)
	for _, f := range list {
		if !agreeAll() && f.Bytes > 60_000 {
			continue
		}
		for name, want := range f.Hashes {
			tok, ok := opened[name]
			if !ok {
				c, ok := cases[name]
				if !ok {
					t.Fatalf("no tokenizer %q", name)
				}
				tok = c.open(t)
				opened[name] = tok
			}
			if tok == nil {
				continue // not here
			}
			h := sha256.New()
			n, size := 0, 0
			var b []byte
			for line := range lines(t, []string{f.File}) {
				size += len(line)
				line, _ = strings.CutSuffix(line, "\n")
				e := checkLine(t, tok, lossy(line))
				b = b[:0]
				for _, id := range e.IDs {
					b = binary.LittleEndian.AppendUint32(b, uint32(id))
				}
				for _, o := range e.Chars {
					b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, uint32(o.Start)), uint32(o.End))
				}
				h.Write(append(append(b, tok.Text(e.IDs, false)...), '\n'))
				n++
			}
			if got := sum(h); n != f.Lines || size != f.Bytes || got != want {
				t.Errorf("%s, %s: %s over %d lines, %d bytes; the library has %s over %d lines, %d bytes", f.File, name, got, n, size, want, f.Lines, f.Bytes)
			}
			compared[name] += size
		}
	}
	t.Logf("bytes compared: %v", compared)
	if len(compared) < 9 {
		t.Errorf("only %d tokenizers were compared", len(compared))
	}
}

// TestAgreeDump compares with what testdata/agree.py dump wrote.
func TestAgreeDump(t *testing.T) {
	dir := os.Getenv("HONE_AGREE")
	if dir == "" {
		t.Skip("HONE_AGREE names no directory written by testdata/agree.py dump")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if len(files) == 0 {
		t.Fatalf("no dumps in %s", dir)
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		d := json.NewDecoder(bufio.NewReaderSize(f, 1<<20))
		var head struct{ File string }
		if err := d.Decode(&head); err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(head.File), func(t *testing.T) {
			tok, err := Open(head.File)
			if err != nil {
				t.Fatal(err)
			}
			tok.truncation, tok.padding = nil, nil
			lines, faults := make(map[string]int), make(map[string]int)
			var names []string
			for d.More() {
				var class, line, text string
				var ids []int32
				var offsets [][2]int
				if err := d.Decode(&[]any{&class, &line, &ids, &offsets, &text}); err != nil {
					t.Fatal(err)
				}
				if lines[class] == 0 {
					names = append(names, class)
				}
				lines[class]++
				e, err := tok.Tokenize(line, true)
				if err != nil {
					t.Fatal(err)
				}
				chars := make([][2]int, len(e.Chars))
				for i, o := range e.Chars {
					chars[i] = [2]int{o.Start, o.End}
				}
				var plain []int32
				for i, id := range e.IDs {
					if !e.Special[i] {
						plain = append(plain, id)
					}
				}
				got := tok.Text(e.IDs, false)
				fast := tok.Encode(nil, line)
				if slices.Equal(e.IDs, ids) && slices.Equal(chars, offsets) && got == text && slices.Equal(fast, plain) {
					continue
				}
				if faults[class]++; faults[class] <= 2 {
					if len(line) < 3000 {
						t.Errorf("%s: %q\n got %v %v %q\nwant %v %v %q\nfast %v", class, line, e.IDs, chars, got, ids, offsets, text, fast)
					} else {
						t.Errorf("%s: a line of %d bytes: ids %t, offsets %t, text %t, fast %t", class, len(line), slices.Equal(e.IDs, ids), slices.Equal(chars, offsets), got == text, slices.Equal(fast, plain))
					}
				}
			}
			for _, name := range names {
				t.Logf("%-8s %6d lines, %d differ", name, lines[name], faults[name])
			}
		})
	}
}
