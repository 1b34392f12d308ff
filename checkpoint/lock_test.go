package checkpoint

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestLockRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "x")
	unlock, err := LockRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = LockRun(dir)
	wantError(t, err, fmt.Sprintf("%s is in use by process %d: ", dir, os.Getpid()))
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = LockRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

// saverDir makes this test binary save into a directory until it is killed.
const saverDir = "CHECKPOINT_TEST_SAVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(saverDir); dir != "" {
		if err := saver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// saver takes the lock and saves step after step, from the latest on, each of
// them over itself as well; it prints the steps that are safe.
func saver(dir string) error {
	if _, err := LockRun(dir); err != nil {
		return err
	}
	last, err := Latest(dir, nil)
	if err != nil {
		return err
	}
	step := 0
	if last != nil {
		step = last.Manifest.Step
	}
	for {
		step++
		for _, tag := range []string{"a", "b"} {
			if err := Save(StepDir(dir, step), Manifest{Step: step}, testFiles(step, tag)); err != nil {
				return err
			}
			fmt.Println(step)
		}
		if _, err := Retain(dir, Retention{Keep: 2}); err != nil {
			return err
		}
		c, err := Latest(dir, nil)
		if err != nil {
			return err
		}
		if err := SetFinal(dir, c); err != nil {
			return err
		}
	}
}

// TestKill kills a process at arbitrary times, most of them inside a save.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	for i := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), saverDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		safe := 0
		read := func() bool {
			if !lines.Scan() {
				return false
			}
			step, err := strconv.Atoi(lines.Text())
			if err == nil {
				safe = step
			}
			return true
		}
		if !read() {
			t.Fatal("the saver saved nothing")
		}
		_, err = LockRun(dir)
		wantError(t, err, fmt.Sprintf("in use by process %d", cmd.Process.Pid))
		time.Sleep(time.Duration(i*1700) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for read() {
		}
		_ = cmd.Wait() // killed: always an error
		unlock, err := LockRun(dir)
		if err != nil {
			t.Fatalf("the lock outlives its process: %v", err)
		}
		if err := unlock(); err != nil {
			t.Fatal(err)
		}
		c, err := Latest(dir, func(line string) { t.Error(line) })
		if err != nil {
			t.Fatal(err)
		}
		if c == nil || c.Manifest.Step < safe {
			t.Fatalf("after step %d was saved the latest is %+v", safe, c)
		}
		step := c.Manifest.Step
		if got := model(t, c); got != string(content(step, "a")) && got != string(content(step, "b")) {
			t.Errorf("step %d holds %.30q", step, got)
		}
		// There may be none before the first is set; half a one is an error.
		if _, err := Open(FinalDir(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
	mustSave(t, dir, 1<<20, "x")
	if err := SetFinal(dir, latest(t, dir)); err != nil {
		t.Fatal(err)
	}
	for _, path := range leftovers(t, dir) {
		if filepath.Base(path) != lockFile {
			t.Errorf("left behind: %s", path)
		}
	}
}
