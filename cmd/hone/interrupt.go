package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is what a command has, after it is told to stop, to end by itself: some loops
// look at their context only now and then, or never. Every file is written beside its
// place and renamed, so nothing is lost where it ends in the midst of its work.
const patience = 600 * time.Millisecond

// listen makes signals end the program with exit code 130: the first cancels ctx, and a
// command that has not ended by itself soon after is ended, but for a training step, which
// is finished and saved (see hold). A second signal ends it at once. When over is closed, the
// program ends as it will: leaving may take a while, under the race detector a second.
func listen(t *terminal, ctx context.Context, cancel func(), over <-chan struct{}) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // under nohup it stays ignored
		signal.Notify(signals, syscall.SIGHUP)
	}
	// A write to a pipe that nobody reads is an error then, not the end.
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
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
				os.Exit(exitInterrupted)
			}
		}()
		<-signals
		os.Exit(exitInterrupted)
	}()
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
