package tokenizer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// directoryCase is a directory without tokenizer.json, and what AutoTokenizer makes of it; see
// testdata/directories.py.
type directoryCase struct {
	Name  string
	Files map[string]json.RawMessage // a string: that file of testdata/directories
	Error string
	Class string
	One   []struct {
		Text        string
		IDs, Framed []int32
	}
	Two []struct {
		First, Second string
		IDs, Types    []int32
	}
}

func (c directoryCase) write(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range c.Files {
		var of string
		text := []byte(content)
		if json.Unmarshal(content, &of) == nil {
			var err error
			if text, err = os.ReadFile(filepath.Join("testdata/directories", of)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// check gives the first difference, "" for none.
func (c directoryCase) check(p *Pipeline) string {
	for _, v := range c.One {
		if got := p.Encode(nil, v.Text); !slices.Equal(got, v.IDs) {
			return fmt.Sprintf("%q: %v, want %v", v.Text, got, v.IDs)
		}
		if e, err := p.Tokenize(v.Text, true); err != nil || !slices.Equal(e.IDs, v.Framed) {
			return fmt.Sprintf("%q with its frame: %v, want %v; %v", v.Text, e.IDs, v.Framed, err)
		}
	}
	for _, v := range c.Two {
		if e, err := p.TokenizePair(v.First, v.Second, true); err != nil || !slices.Equal(e.IDs, v.IDs) || !slices.Equal(e.Types, v.Types) {
			return fmt.Sprintf("%q, %q: %v %v, want %v %v; %v", v.First, v.Second, e.IDs, e.Types, v.IDs, v.Types, err)
		}
	}
	return ""
}

// TestDirectories: a directory without tokenizer.json gives the ids and the frames that
// transformers gives it, also once it is written as tokenizer.json.
func TestDirectories(t *testing.T) {
	for _, c := range readJSON[[]directoryCase](t, "directories/cases.json") {
		t.Run(c.Name, func(t *testing.T) {
			p, err := Open(c.write(t))
			if err != nil {
				t.Fatal(err)
			}
			if len(c.One) == 0 || len(c.Two) == 0 {
				t.Fatal("no values")
			}
			if s := c.check(p); s != "" {
				t.Error(s)
			}
			again, err := Parse(p.JSON())
			if err != nil {
				t.Fatal(err)
			}
			if s := c.check(again); s != "" {
				t.Errorf("written: %s", s)
			}
		})
	}
}

// TestManyDirectories is TestDirectories for those that testdata/directories.py draws; some
// may be refused.
func TestManyDirectories(t *testing.T) {
	path := os.Getenv("HONE_DIRECTORIES")
	if path == "" {
		t.Skip("HONE_DIRECTORIES names no file of testdata/directories.py")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []directoryCase
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	right, refused, errors := 0, map[string]int{}, 0
	for _, c := range list {
		p, err := Open(c.write(t))
		if c.Error != "" {
			errors++
			continue
		}
		if err != nil {
			s := err.Error()
			refused[s[strings.LastIndex(s, "/")+1:]]++
			continue
		}
		if s := c.check(p); s != "" {
			files, _ := json.Marshal(c.Files)
			t.Errorf("%s (%s) %s: %s", c.Name, c.Class, files, s)
			continue
		}
		right++
	}
	t.Logf("%d of %d right, %d are errors there", right, len(list), errors)
	for s, n := range refused {
		t.Logf("refused %d: %s", n, s)
	}
}

// What is not followed is refused by the name of the file and the key.
func TestDirectoryRefusals(t *testing.T) {
	text := func(v any) json.RawMessage {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	type keys = map[string]any
	for _, test := range []struct {
		config, tokenizer, added any
		want                     string
	}{
		{keys{"model_type": "canine"}, keys{}, nil, `config.json: the tokenizer of model_type "canine" is not known (hint: set tokenizer_class`},
		{keys{"model_type": "bert"}, keys{"tokenizer_class": "BertJapaneseTokenizer"}, nil, `tokenizer_config.json: tokenizer_class "BertJapaneseTokenizer" is not supported without a tokenizer.json (known: BertTokenizer, CamembertTokenizer`},
		{keys{"model_type": "bert"}, keys{"auto_map": keys{"AutoTokenizer": []any{"a.B", nil}}}, nil, "tokenizer_config.json: auto_map names a program of the model's own"},
		{keys{"model_type": "bert"}, keys{"split_special_tokens": true}, nil, "tokenizer_config.json: split_special_tokens is not supported"},
		{keys{"model_type": "bert"}, keys{"do_lower_case": "no"}, nil, "tokenizer_config.json: do_lower_case: a JSON string cannot be read as bool"},
		{keys{"model_type": "bert"}, keys{"unk_token": nil}, nil, "as a BertTokenizer: unk_token is null"},
		{keys{"model_type": "bert"}, keys{"cls_token": 3}, nil, "tokenizer_config.json: cls_token: 3 is not a token"},
		{keys{"model_type": "bert"}, nil, keys{"new": 1000}, `the added token "new" has id 1000 in the files, but the vocabulary and the tokens before it give it 65`},
		{keys{"model_type": "bert"}, nil, keys{"x": 1 << 40}, "added_tokens.json: "},
		{keys{"model_type": "gpt2"}, nil, nil, "as a GPT2Tokenizer: the directory has neither tokenizer.json nor vocab.json"},
	} {
		c := directoryCase{Files: map[string]json.RawMessage{"vocab.txt": text("lower.txt"), "config.json": text(test.config)}}
		for name, v := range map[string]any{"tokenizer_config.json": test.tokenizer, "added_tokens.json": test.added} {
			if v != nil {
				c.Files[name] = text(v)
			}
		}
		if _, err := Open(c.write(t)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q in it", err, test.want)
		}
	}
}
