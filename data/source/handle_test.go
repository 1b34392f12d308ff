package source

import (
	"fmt"
	"path/filepath"
	"testing"
)

// TestManyFiles reads from more files than may be open at once.
func TestManyFiles(t *testing.T) {
	dir := t.TempDir()
	var files []*File
	for i := range 3 * maxOpen {
		w := NewShards(dir, fmt.Sprint(i), 0, "text")
		w.Append(Value{Text: fmt.Sprintf("text %d", i)})
		shards, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		f, err := Open(filepath.Join(dir, shards[0].File))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Select("text"); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	for try := range 2 {
		for i, f := range files {
			b, row, err := f.Row(0)
			if err != nil {
				t.Fatal(err)
			}
			if text, _ := b.Text(0, row); text != fmt.Sprintf("text %d", i) {
				t.Errorf("try %d, file %d: %q", try, i, text)
			}
			if n := open.order.Len(); n > maxOpen {
				t.Fatalf("%d descriptors", n)
			}
		}
	}
	for _, f := range files {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := open.order.Len(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
}
