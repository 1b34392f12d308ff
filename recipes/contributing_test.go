package recipes

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every file, package and test that CONTRIBUTING.md names exists.
func TestContributing(t *testing.T) {
	page, err := os.ReadFile("../.github/CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	isTest := regexp.MustCompile(`^Test[A-Z]\w*$`)
	isPath := regexp.MustCompile(`^[\w.]+(/[\w.]+)+$`)
	seen := 0
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(page), -1) {
		switch name := m[1]; {
		case isTest.MatchString(name):
			seen++
			if !tests[name] {
				t.Errorf("there is no test %s", name)
			}
		case isPath.MatchString(name):
			seen++
			if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(name))); err != nil {
				t.Error(err)
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d names were looked for", seen)
	}
}
