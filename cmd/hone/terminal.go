package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"hone/eval/report"
	"hone/recipes"
)

// A terminal is where the program prints: results to out, progress to err.
type terminal struct {
	args     []string // of the program
	out, err io.Writer
	json     bool
	resumes  bool     // the same command again goes on
	adapters []string // of --adapter

	mu     sync.Mutex
	bar    *progressbar.ProgressBar // being drawn
	take   func() bool              // see interrupts
	cooked func()                   // leaves the raw mode in which a line is being edited
	steps  sync.Mutex               // held while there is a training step to save
}

// A stream is stdout or stderr. It keeps the first error, since most prints do not check theirs,
// and calls broken when the reader has closed the pipe.
type stream struct {
	io.Writer
	broken   func()
	printing bool // control characters are escaped, see printable
	mu       sync.Mutex
	err      error
}

func (s *stream) Write(p []byte) (int, error) {
	text := p
	if s.printing {
		text = []byte(printable(string(p)))
	}
	n, err := s.Writer.Write(text)
	if n == len(text) {
		n = len(p)
	}
	n = min(n, len(p))
	if err != nil {
		s.mu.Lock()
		if s.err == nil {
			s.err = err
		}
		s.mu.Unlock()
		if errors.Is(err, syscall.EPIPE) {
			s.broken()
		}
	}
	return n, err
}

// printable escapes control characters, ESC as \u001b, so that no name of a corpus, label or
// text of a model moves the cursor or sets a title. In JSON the escape means the same.
func printable(s string) string {
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if !strings.ContainsFunc(s, control) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if control(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		b.WriteString(s[i : i+n]) // invalid UTF-8 stays as it is
	}
	return b.String()
}

// verbatim stops the escaping of control characters, for a model's text or a recipe, unless
// stdout is a terminal.
func (t *terminal) verbatim() {
	if s, ok := t.out.(*stream); ok && !isTerminal(s.Writer) {
		s.printing = false
	}
}

// failed is the first error of a write.
func (s *stream) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// command is the command line of the program, quoted for a shell.
func (t *terminal) command() string {
	line := "hone"
	for _, a := range t.args {
		line += " " + report.ShellQuote(a)
	}
	return line
}

// interactive reports whether stderr is a terminal, on which a bar can be redrawn.
func (t *terminal) interactive() bool {
	if s, ok := t.err.(*stream); ok {
		return isTerminal(s.Writer)
	}
	return isTerminal(t.err)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// say prints a line on stderr, above the bar that is being drawn.
func (t *terminal) say(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bar != nil {
		t.bar.Clear()
	}
	fmt.Fprintln(t.err, printable(line))
}

// console is the terminal for the packages of recipes.
func (t *terminal) console() recipes.Console { return recipes.Console{Say: t.say, Bar: t.newBar} }

// newBar starts a progress bar for a piece of work, counted in unit.
func (t *terminal) newBar(title, unit string) recipes.Bar {
	if !t.interactive() {
		return &plainBar{t: t, title: title, unit: unit, began: time.Now()}
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(t.err),
		progressbar.OptionSetDescription(title),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetRenderBlankState(true),
	}
	if unit == "bytes" {
		options = append(options, progressbar.OptionShowBytes(true))
	}
	bar := progressbar.NewOptions64(-1, options...)
	t.mu.Lock()
	t.bar = bar
	t.mu.Unlock()
	return &drawnBar{t: t, bar: bar, title: title}
}

// drawnBar is a bar that is redrawn on a terminal.
type drawnBar struct {
	t     *terminal
	bar   *progressbar.ProgressBar
	title string
}

func (b *drawnBar) Set(done, total int64, note string) {
	b.t.mu.Lock()
	defer b.t.mu.Unlock()
	if total > 0 && b.bar.GetMax64() != total {
		b.bar.ChangeMax64(total)
	}
	if note != "" {
		b.bar.Describe(b.title + ": " + note)
	}
	b.bar.Set64(done)
}

func (b *drawnBar) Close() {
	b.t.mu.Lock()
	defer b.t.mu.Unlock()
	b.bar.Clear()
	b.bar.Exit()
	b.t.bar = nil
}

// plainBar prints a line of progress every plainEvery, where stderr is not a terminal.
type plainBar struct {
	t            *terminal
	title, unit  string
	began, wrote time.Time
	first        int64 // done at the start, which for a resumed run is not 0
	started      bool
}

// plainEvery is the time between two lines of one piece of work.
const plainEvery = 10 * time.Second

func (b *plainBar) Set(done, total int64, note string) {
	if !b.started {
		b.started, b.first = true, done
	}
	// The first line comes after a second, to show that something happens.
	since, due := b.wrote, plainEvery
	if since.IsZero() {
		since, due = b.began, time.Second
	}
	if time.Since(since) < due {
		return
	}
	b.wrote = time.Now()
	line := fmt.Sprintf("%s: %d %s", b.title, done, b.unit)
	switch {
	case b.unit == "bytes" && total > 0:
		line = fmt.Sprintf("%s: %.1f of %.1f MB", b.title, float64(done)/1e6, float64(total)/1e6)
	case b.unit == "bytes":
		line = fmt.Sprintf("%s: %.1f MB", b.title, float64(done)/1e6)
	case total > 0:
		line = fmt.Sprintf("%s: %d of %d %s", b.title, done, total, b.unit)
	}
	if note != "" {
		line += ", " + note
	}
	if done > b.first && total > done {
		left := time.Duration(float64(time.Since(b.began)) / float64(done-b.first) * float64(total-done))
		line += ", " + left.Round(time.Second).String() + " left"
	}
	b.t.say(line)
}

func (b *plainBar) Close() {}
