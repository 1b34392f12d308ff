package source_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"hone/data/source"
)

// Records of any format are read in order and in bounded memory, a batch of rows at a time.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "reviews.csv")
	if err := os.WriteFile(path, []byte("text,label\n\"Good, but long\",1\nBad,0\n"), 0o666); err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	table, err := source.Describe(ctx, path, source.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(table.Format, len(table.Columns), "columns")
	rows, err := table.Scan(ctx, "text", "label")
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		for i := range batch.Rows {
			text, _ := batch.Text(0, i)
			label, _ := batch.Text(1, i)
			fmt.Printf("%s: %q\n", label, text)
		}
	}
	// Output:
	// csv 2 columns
	// 1: "Good, but long"
	// 0: "Bad"
}
