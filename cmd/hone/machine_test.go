package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"hone/recipes"
)

func TestMachineFails(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("HONE_CACHE", cache)
	at := func(path string, err error) error {
		return recipes.Input(fmt.Errorf("data: %w", &fs.PathError{Op: "open", Path: path, Err: err}))
	}
	for _, test := range []struct {
		err  error
		want bool
	}{
		{at("/some/file", syscall.ENOSPC), true},
		{at("/some/file", syscall.EROFS), true},
		{at(filepath.Join(cache, "goroot"), fs.ErrPermission), true},
		{at("/some/file", fs.ErrPermission), false}, // theirs: it is what they have named
		{at(cache+"2", fs.ErrPermission), false},
		{at("/some/file", fs.ErrNotExist), false},
	} {
		if got := machineFails(test.err); got != test.want {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}
