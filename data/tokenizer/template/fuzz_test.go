package template

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzTemplate wants neither a panic nor a hang of any template, and the same text
// from the same input.
func FuzzTemplate(f *testing.F) {
	var vars Values
	for i, c := range readCases(f, "syntax.json.gz") {
		if i == 0 {
			d := field[*Dict](c, "variables")
			vars = Values{}
			for _, k := range d.keys {
				vars[k.(string)], _ = d.Get(k.(string))
			}
		}
		if i < 500 || i%10 == 0 {
			f.Add(field[string](c, "source"))
		}
	}
	files, err := filepath.Glob("testdata/templates/*.jinja")
	if err != nil || len(files) == 0 {
		f.Fatal("no templates: ", err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	vars["messages"] = vars["m"]
	f.Fuzz(func(t *testing.T, src string) {
		tmpl, err := Parse(src)
		if err != nil {
			return
		}
		tmpl.MaxSteps, tmpl.MaxBytes, tmpl.Now = 20_000, 1<<20, clock
		text, spans, err := tmpl.Render(vars)
		again, _, err2 := tmpl.Render(vars)
		if text != again || (err == nil) != (err2 == nil) {
			t.Fatalf("%q, %v; again %q, %v", text, err, again, err2)
		}
		for _, s := range spans {
			if s.Start < 0 || s.End < s.Start || s.End > len(text) && err == nil {
				t.Fatalf("span %v of %d bytes", s, len(text))
			}
		}
	})
}
