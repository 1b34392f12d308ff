package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is the time that an interrupted command has to end by itself: some loops look at
// their context only now and then, or never. Ending it after that loses nothing, since every
// file is written under a temporary name and renamed.
const patience = 600 * time.Millisecond

// listen makes signals end the program with exit code 130. The first signal cancels ctx; a
// command that has not ended after patience is ended, unless there is a training step to finish
// and save (see hold). A second signal ends the program at once. Once over is closed the program
// is leaving by itself, which can take a second under the race detector.
func listen(t *terminal, ctx context.Context, cancel func(), over <-chan struct{}) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // under nohup it stays ignored
		signal.Notify(signals, syscall.SIGHUP)
	}
	// A write to a closed pipe is then an error, and does not kill the program.
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		for waiting := true; waiting; {
			select {
			case by := <-signals:
				if by == os.Interrupt && t.takesInterrupt() {
					continue
				}
				cancel()
			case <-ctx.Done():
			}
			waiting = false
		}
		go func() {
			time.Sleep(patience)
			if !t.steps.TryLock() {
				t.steps.Lock() // until the step is saved
				time.Sleep(patience)
			}
			select {
			case <-over:
			default:
				t.sayInterrupted()
				t.leave()
			}
		}()
		<-signals
		t.leave()
	}()
}

// leave ends an interrupted program at once.
func (t *terminal) leave() {
	t.mu.Lock() // nobody switches the terminal any more
	if t.cooked != nil {
		t.cooked()
	}
	os.Exit(exitInterrupted)
}

// interrupts makes an interrupt (Ctrl-C) call take, until restore is called. The program ends where
// take does not report true.
func (t *terminal) interrupts(take func() bool) (restore func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.take
	t.take = take
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.take = before
	}
}

// takesInterrupt reports whether an interrupt was taken, so that the program goes on.
func (t *terminal) takesInterrupt() bool {
	t.mu.Lock()
	take := t.take
	t.mu.Unlock()
	return take != nil && take()
}

// hold keeps an interrupted program alive until release is called.
func (t *terminal) hold() (release func()) {
	t.steps.Lock()
	return t.steps.Unlock
}

// sayInterrupted is the last line of an interrupted program.
func (t *terminal) sayInterrupted() {
	if t.resumes {
		fmt.Fprintln(t.err, "hone: interrupted; run the same command again to go on")
		return
	}
	fmt.Fprintln(t.err, "hone: interrupted")
}
