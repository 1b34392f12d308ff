package hub_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"hone/data/hub"
	"hone/data/hub/hubtest"
)

func Example() {
	// In place of the hub, one on loopback with a model of two files.
	server := hubtest.Start()
	defer server.Close()
	server.Commit("models/org/tiny", map[string]string{"config.json": "{}", "model.safetensors": "weights"})
	os.Setenv("HF_ENDPOINT", server.URL)

	cache, err := os.MkdirTemp("", "hub")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(cache)
	client, err := hub.New(cache)
	if err != nil {
		log.Fatal(err)
	}
	ref, err := hub.Parse("hf:org/tiny")
	if err != nil {
		log.Fatal(err)
	}
	snapshot, err := client.Open(context.Background(), ref)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := snapshot.Fetch(context.Background(), func(f hub.File) bool { return filepath.Ext(f.Path) == ".json" }, nil)
	if err != nil {
		log.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d files, of them config.json: %s\n", len(snapshot.Files), config)
	// Output: 2 files, of them config.json: {}
}
