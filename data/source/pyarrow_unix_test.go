//go:build unix

package source

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestBesidePyarrow reads all values of text columns and counts their characters, and
// says how fast that was beside pyarrow's compute function on the same files
// (testdata/speed.py), by the clock and, where other processes disturb, by the time of the
// processor:
//
//	HONE_PYARROW=/path/to/python go test ./data/source -run BesidePyarrow -v
func TestBesidePyarrow(t *testing.T) {
	python := os.Getenv("HONE_PYARROW")
	if python == "" {
		t.Skip("set HONE_PYARROW to a Python with pyarrow")
	}
	dir := t.TempDir()
	cmd := exec.Command(python, "testdata/speed.py", dir, "64")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var peer struct {
		Version string
		Files   map[string]struct {
			Characters int64
			Seconds    float64
			CPU        float64
		}
	}
	if err := json.Unmarshal(out, &peer); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(peer.Files)) {
		path := filepath.Join(dir, name)
		best, cpu, want := math.Inf(1), math.Inf(1), peer.Files[name]
		for range 5 {
			start, startCPU := time.Now(), processor(t)
			n := countFile(t, path)
			if n != want.Characters {
				t.Fatalf("%s: %d characters, pyarrow counts %d", name, n, want.Characters)
			}
			best, cpu = min(best, time.Since(start).Seconds()), min(cpu, processor(t)-startCPU)
		}
		t.Logf("%-28s %6.1f ms (%6.1f of processor), pyarrow %s %6.1f (%6.1f): %.2f times its speed (%.2f)",
			name, 1e3*best, 1e3*cpu, peer.Version, 1e3*want.Seconds, 1e3*want.CPU, want.Seconds/best, want.CPU/cpu)
	}
}

// processor returns the seconds of the processor that the process has taken.
func processor(t *testing.T) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// countFile counts the characters of the column text.
func countFile(t *testing.T, path string) (n int64) {
	table, err := Describe(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := table.Scan("text")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var lengths []int64
	for {
		b, err := s.Next()
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		lengths = b.Characters(lengths[:0], 0)
		for _, l := range lengths {
			n += l
		}
	}
}
