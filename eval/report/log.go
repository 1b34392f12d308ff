package report

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"hone/eval/metric"
)

// A Step is a line of metrics.jsonl: a logged step of training. A stage that
// tries several learning rates logs each under a name of its own, STAGE/…
type Step struct {
	Step            int           `json:"step"`
	Stage           string        `json:"stage"`
	Tokens          int64         `json:"tokens"` // since the stage began
	Loss            metric.Number `json:"loss"`   // nats per target
	LR              metric.Number `json:"lr"`
	GradNorm        metric.Number `json:"grad_norm"` // before clipping
	TokensPerSecond metric.Number `json:"tokens_per_second"`
	MFU             metric.Number `json:"mfu"`     // share of the machine's floating-point limit
	Seconds         metric.Number `json:"seconds"` // since the stage began
}

// A Validation is a line of metrics.jsonl: the model on validation text.
type Validation struct {
	Step        int            `json:"step"`
	Stage       string         `json:"stage"`
	Loss        metric.Number  `json:"val_loss"`
	BitsPerByte metric.Number  `json:"val_bits_per_byte"` // Missing of a classifier
	Accuracy    metric.Number  `json:"val_accuracy"`      // Missing of a language model
	Scored      *metric.Scored `json:"val_scored,omitempty"`
	// Metrics are others, by their names.
	Metrics map[string]metric.Number `json:"val_metrics,omitempty"`
}

// An Event is a line of metrics.jsonl: something that happened to the run. The steps
// after Step that are logged before a "resumed" event are repeated after it.
type Event struct {
	Event  string `json:"event"` // resumed, interrupted, non-finite, …
	Step   int    `json:"step"`
	Stage  string `json:"stage"`
	Detail string `json:"detail,omitempty"`
}

// A Sample is a line of samples.jsonl: a text that the model wrote.
type Sample struct {
	Stage       string  `json:"stage"`
	Step        int     `json:"step"`
	Prompt      string  `json:"prompt"`
	Text        string  `json:"text"`                // without the prompt
	Reference   string  `json:"reference,omitempty"` // the true text, of tasks of writing
	Temperature float64 `json:"temperature"`
	Seed        uint64  `json:"seed"`
}

// Metrics is the content of metrics.jsonl. Each list is in the order of stages and
// steps, and has each step once.
type Metrics struct {
	Stages     []string // in order of appearance
	Steps      []Step
	Validation []Validation
	Events     []Event // as they stand in the file
	Damaged    int     // lines that could not be read
}

// A logLine is any line of metrics.jsonl.
type logLine struct {
	Event  *string `json:"event"`
	Step   *int    `json:"step"`
	Stage  string  `json:"stage"`
	Detail string  `json:"detail"`
	Tokens int64   `json:"tokens"`

	Loss            field                    `json:"loss"`
	LR              field                    `json:"lr"`
	GradNorm        field                    `json:"grad_norm"`
	TokensPerSecond field                    `json:"tokens_per_second"`
	MFU             field                    `json:"mfu"`
	Seconds         field                    `json:"seconds"`
	ValLoss         field                    `json:"val_loss"`
	ValBitsPerByte  field                    `json:"val_bits_per_byte"`
	ValAccuracy     field                    `json:"val_accuracy"`
	ValScored       *metric.Scored           `json:"val_scored"`
	ValMetrics      map[string]metric.Number `json:"val_metrics"`
}

// A field is a value that a line may have. null is such a value: it was not finite.
type field struct {
	value metric.Number
	there bool
}

func (f *field) UnmarshalJSON(text []byte) error {
	f.there = true
	return f.value.UnmarshalJSON(text)
}

func (f field) number() metric.Number {
	if !f.there {
		return metric.Missing
	}
	return f.value
}

// ReadMetrics reads metrics.jsonl. Torn lines, which a killed process may leave, are
// counted in Damaged. Of a step that was logged twice, the later line is taken. The
// training values of a validation line are used only where no other line has them. It
// fails when the file has lines but none can be read.
func ReadMetrics(r io.Reader) (*Metrics, error) {
	m := new(Metrics)
	type at struct {
		stage string
		step  int
	}
	steps, besides, validation := map[at]Step{}, map[at]Step{}, map[at]Validation{}
	rank := map[string]int{}
	damaged, err := readLines(r, func(line []byte) error {
		var l logLine
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		if l.Event == nil && l.Step == nil {
			return errors.New("neither a step nor an event")
		}
		if _, ok := rank[l.Stage]; !ok && l.Stage != "" {
			rank[l.Stage] = len(m.Stages)
			m.Stages = append(m.Stages, l.Stage)
		}
		k := at{stage: l.Stage}
		if l.Step != nil {
			k.step = *l.Step
		}
		if l.Event != nil {
			m.Events = append(m.Events, Event{*l.Event, k.step, k.stage, l.Detail})
			if *l.Event == "resumed" {
				undone := func(other at) bool { return other.stage == k.stage && other.step > k.step }
				maps.DeleteFunc(steps, func(k at, _ Step) bool { return undone(k) })
				maps.DeleteFunc(besides, func(k at, _ Step) bool { return undone(k) })
				maps.DeleteFunc(validation, func(k at, _ Validation) bool { return undone(k) })
			}
			return nil
		}
		s := Step{k.step, k.stage, l.Tokens, l.Loss.number(), l.LR.number(), l.GradNorm.number(),
			l.TokensPerSecond.number(), l.MFU.number(), l.Seconds.number()}
		validated := l.ValLoss.there || l.ValBitsPerByte.there || l.ValAccuracy.there
		if validated {
			validation[k] = Validation{k.step, k.stage, l.ValLoss.number(), l.ValBitsPerByte.number(), l.ValAccuracy.number(), l.ValScored, l.ValMetrics}
		}
		switch {
		case l.Loss.there && validated:
			besides[k] = s
		case l.Loss.there:
			steps[k] = s
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.Damaged = damaged
	for k, s := range besides {
		if _, ok := steps[k]; !ok {
			steps[k] = s
		}
	}
	m.Steps = slices.SortedFunc(maps.Values(steps), func(a, b Step) int {
		return cmp.Or(cmp.Compare(rank[a.Stage], rank[b.Stage]), cmp.Compare(a.Step, b.Step))
	})
	m.Validation = slices.SortedFunc(maps.Values(validation), func(a, b Validation) int {
		return cmp.Or(cmp.Compare(rank[a.Stage], rank[b.Stage]), cmp.Compare(a.Step, b.Step))
	})
	return m, nil
}

// ReadSamples reads samples.jsonl. Torn lines are left out. Of a prompt that was sampled
// twice at the same step with the same seed, the later line is taken. It fails when the
// file has lines but none can be read.
func ReadSamples(r io.Reader) ([]Sample, error) {
	type key struct {
		stage, prompt string
		step          int
		temperature   float64
		seed          uint64
	}
	var samples []Sample
	seen := map[key]int{}
	_, err := readLines(r, func(line []byte) error {
		var s Sample
		if err := json.Unmarshal(line, &s); err != nil {
			return err
		}
		k := key{s.Stage, s.Prompt, s.Step, s.Temperature, s.Seed}
		if i, ok := seen[k]; ok {
			samples[i] = s
			return nil
		}
		seen[k] = len(samples)
		samples = append(samples, s)
		return nil
	})
	return samples, err
}

// readLines calls read with each line that is not blank, and counts the lines for which
// it fails.
func readLines(r io.Reader, read func(line []byte) error) (damaged int, err error) {
	in := bufio.NewReader(r)
	good, first := 0, error(nil)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return damaged, err
		}
		if t := bytes.TrimSpace(line); len(t) > 0 {
			if bad := read(t); bad == nil {
				good++
			} else {
				damaged++
				if first == nil {
					first = fmt.Errorf("line %d: %w", n, bad)
				}
			}
		}
		if err == io.EOF {
			break
		}
	}
	// A single damaged line may be all that a killed process wrote.
	if good == 0 && damaged > 1 {
		return damaged, first
	}
	return damaged, nil
}

// A Log appends lines to metrics.jsonl or samples.jsonl. It is not safe for
// concurrent use.
type Log struct{ file *os.File }

// OpenLog opens a log to append to it, or creates it. An incomplete last line, which a
// killed process may leave, is cut off, so that the next line is not joined to it.
func OpenLog(path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	end, err := lastLineEnd(f)
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("report: %s: %w", path, err), f.Close())
	}
	return &Log{f}, nil
}

// lastLineEnd is the offset after the last newline, 0 if there is none.
func lastLineEnd(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 4096)
	for end := info.Size(); end > 0; {
		start := max(0, end-int64(len(buf)))
		part := buf[:end-start]
		if _, err := f.ReadAt(part, start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// Write appends a [Step], [Validation], [Event] or [Sample] as one line. It writes with
// one system call, since another process may read the file at the same time.
func (l *Log) Write(line any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return fmt.Errorf("report: %s: %w", l.file.Name(), err)
	}
	if _, err := l.file.Write(b.Bytes()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// Close flushes the log to the disk and closes it.
func (l *Log) Close() error {
	if err := errors.Join(l.file.Sync(), l.file.Close()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
