package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// A typist sits at a pseudo-terminal that a program runs in.
type typist struct {
	t      *testing.T
	master *os.File
	slave  *os.File
	cmd    *exec.Cmd
	mu     sync.Mutex
	seen   string // what the terminal was sent
	from   int    // where await goes on
}

// sit starts a program at a new terminal.
func sit(t *testing.T, cmd *exec.Cmd) *typist {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { master.Close() })
	ioctl := func(f *os.File, request uintptr, p unsafe.Pointer) {
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(p)); e != 0 {
			t.Fatal(e)
		}
	}
	var unlock, number int32
	ioctl(master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	ioctl(master, syscall.TIOCGPTN, unsafe.Pointer(&number))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { slave.Close() })
	size := [4]uint16{24, 80}
	ioctl(slave, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	y := &typist{t: t, master: master, slave: slave, cmd: cmd}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			y.mu.Lock()
			y.seen += string(b[:n])
			y.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return y
}

// raw reports whether the terminal is in raw mode.
func (y *typist) raw() bool {
	var s syscall.Termios
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, y.slave.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&s))); e != 0 {
		y.t.Fatal(e)
	}
	return s.Lflag&syscall.ICANON == 0
}

func (y *typist) press(keys string) {
	y.t.Helper()
	if _, err := y.master.Write([]byte(keys)); err != nil {
		y.t.Fatal(err)
	}
}

// await waits until the terminal has shown a text behind the one that was awaited before.
func (y *typist) await(text string) {
	y.t.Helper()
	for began := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		y.mu.Lock()
		rest := y.seen[y.from:]
		if i := strings.Index(rest, text); i >= 0 {
			y.from += i + len(text)
			y.mu.Unlock()
			return
		}
		y.mu.Unlock()
		if time.Since(began) > time.Minute {
			y.cmd.Process.Kill()
			y.t.Fatalf("%q was not shown, but %q", text, rest)
		}
	}
}

// ends waits for the program and gives its exit code.
func (y *typist) ends() int {
	y.t.Helper()
	timer := time.AfterFunc(time.Minute, func() { y.cmd.Process.Kill() })
	defer timer.Stop()
	var exit *exec.ExitError
	if err := y.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		y.t.Fatal(err)
	}
	if y.raw() {
		y.t.Error("the terminal was left in raw mode")
	}
	return y.cmd.ProcessState.ExitCode()
}

// prompt is what stands before what is typed, when the editor waits.
const prompt = pasteOn + "\r\x1b[J> \r\x1b[2C"

// A chat at a terminal: the answer is interrupted by Ctrl-C and kept, the line is edited, and
// Ctrl-C and Ctrl-D leave. A signal leaves too, and the terminal as it was.
func TestChatAtTerminal(t *testing.T) {
	dir := t.TempDir()
	if err := prepare(dir); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		if cmd, stderr := hone(t, dir, nil, args...); cmd.Run() != nil {
			t.Fatal(stderr)
		}
	}
	run("run", "tiny.toml", "--dir", "r", "model.n_positions=8192", "stage.pretrain.sequence_length=32", "stage.pretrain.steps=2",
		"stage.finetune.steps=1", "stage.finetune.sequence_length=32", "stage.scratch.steps=1", "stage.scratch.sequence_length=32")
	run("export", "r/pretrain", "out")
	for name, text := range map[string]string{
		"chat_template.jinja":    "{% for m in messages %}{{ m.role }}: {{ m.content }}<|endoftext|>{% endfor %}assistant:",
		"generation_config.json": `{"min_new_tokens": 8000}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "out", name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run("import", "out", "model")
	start := func() *typist {
		cmd, _ := hone(t, dir, []string{"TERM=xterm"}, "chat", "model", "--max-tokens", "8000")
		return sit(t, cmd)
	}
	y := start()
	y.await(prompt)
	if !y.raw() {
		t.Error("lines are not edited")
	}
	y.press("hallo\x1b[D\x1b[D\x1b[D\x7fe\r") // hello
	y.await("hello")
	y.await("\r\n")
	time.Sleep(50 * time.Millisecond) // it writes
	if y.raw() {
		t.Error("the terminal is in raw mode while the model writes: Ctrl-C would be a character")
	}
	y.press("\x03")
	y.await("[interrupted; read ")
	y.await(prompt)
	y.press("/show\r")
	y.await("user: hello\r\n")
	y.await("assistant (cut off): ")
	y.await(prompt)
	y.press("/undo\r")
	y.await("taken back: hello")
	y.await(prompt)
	y.press("/nothing\r")
	y.await("unknown command /nothing")
	y.await(prompt)
	y.press("\x1b[200~two\nlines\x1b[201~\r")
	y.await("\r\n")
	time.Sleep(50 * time.Millisecond)
	y.press("\x03")
	y.await("[interrupted; ")
	y.await(prompt)
	y.press("/save talk.json\r")
	y.await("saved: 2 messages in talk.json")
	y.await(prompt)
	y.press("\"\"\"of several\r")
	y.await(". \r\x1b[2C")
	y.press("\x03") // drops them
	y.await(prompt)
	y.press("half a line\x03") // is emptied
	y.await(prompt[len(pasteOn):])
	y.press("\x03")
	if code := y.ends(); code != 0 {
		t.Errorf("exit code %d after Ctrl-C", code)
	}
	text, err := os.ReadFile(filepath.Join(dir, "talk.json"))
	if err != nil || !strings.Contains(string(text), `"content": "two\nlines"`) || !strings.Contains(string(text), `"unfinished": [`) {
		t.Errorf("%v, saved %s", err, text)
	}

	y = start()
	y.await(prompt)
	y.press("\x04")
	if code := y.ends(); code != 0 {
		t.Errorf("exit code %d after Ctrl-D", code)
	}

	y = start()
	y.await(prompt)
	if err := y.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := y.ends(); code != exitInterrupted {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}
