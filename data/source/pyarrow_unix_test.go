//go:build unix

package source

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestBesidePyarrow reads all values of text columns and counts their characters, and
// says how fast that was beside pyarrow's compute function on the same files
// (testdata/speed.py), in turns, by the clock and by the time of the processor. The ratio
// is the median of the turns':
//
//	HONE_PYARROW=/path/to/python go test ./data/source -run BesidePyarrow -v
func TestBesidePyarrow(t *testing.T) {
	python := os.Getenv("HONE_PYARROW")
	if python == "" {
		t.Skip("set HONE_PYARROW to a Python with pyarrow")
	}
	dir, only := t.TempDir(), regexp.MustCompile(os.Getenv("HONE_PYARROW_FILES"))
	cmd := exec.Command(python, "testdata/speed.py", dir, "48")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	answers := json.NewDecoder(out)
	var made struct {
		Version string
		Files   []string
	}
	if err := answers.Decode(&made); err != nil {
		t.Fatal(err)
	}
	t.Logf("pyarrow %s; medians, milliseconds (of the processor)", made.Version)
	const turns = 7
	for _, name := range made.Files {
		if !only.MatchString(name) {
			continue
		}
		var ours, oursCPU, theirs, theirsCPU, ratio [turns]float64
		for i := range turns {
			start, startCPU := time.Now(), processor(t)
			n := countFile(t, filepath.Join(dir, name))
			ours[i], oursCPU[i] = time.Since(start).Seconds(), processor(t)-startCPU
			var peer struct {
				Characters   int64
				Seconds, CPU float64
			}
			fmt.Fprintln(in, name)
			if err := answers.Decode(&peer); err != nil {
				t.Fatal(err)
			}
			if n != peer.Characters {
				t.Fatalf("%s: %d characters, pyarrow counts %d", name, n, peer.Characters)
			}
			theirs[i], theirsCPU[i], ratio[i] = peer.Seconds, peer.CPU, peer.Seconds/ours[i]
		}
		median := func(v [turns]float64) float64 {
			slices.Sort(v[:])
			return v[turns/2]
		}
		t.Logf("%-28s %6.1f (%6.1f), pyarrow %6.1f (%6.1f): %.2f times its speed",
			name, 1e3*median(ours), 1e3*median(oursCPU), 1e3*median(theirs), 1e3*median(theirsCPU), median(ratio))
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
	s, err := table.Scan(context.Background(), "text")
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
