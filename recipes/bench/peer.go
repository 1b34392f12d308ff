package bench

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"hone/recipes"
	"hone/trainer"
	"hone/trainer/exec/cpu"
)

// A Peer is another program that is compared with hone.
type Peer struct {
	Name   string // torch or transformers, which train; llama, which decodes
	Python string // the interpreter that has it
}

// ParsePeer reads NAME=PYTHON. An error is recipes.ErrInput.
func ParsePeer(s string) (Peer, error) {
	name, python, ok := strings.Cut(s, "=")
	if !ok || python == "" || !slices.Contains([]string{"torch", "transformers", "llama"}, name) {
		return Peer{}, recipes.Input(fmt.Errorf("bench: peer %q: want torch=PYTHON, transformers=PYTHON or llama=PYTHON, the interpreter of an environment that has it", s))
	}
	return Peer{name, python}, nil
}

// Configs are the configs that are measured beside the peer by default.
func (p Peer) Configs() []Config {
	if p.Name == "transformers" {
		return benchPeerConfigs
	}
	return Configs
}

// Check refuses a config of a family that the peer's script does not have; the error is
// recipes.ErrInput.
func (p Peer) Check(c Config) error {
	has := []string{"gpt2"}
	if p.Name == "transformers" {
		has = []string{"gpt2", "bert", "llama"}
	}
	if !slices.Contains(has, c.Family) {
		return recipes.Input(fmt.Errorf("bench: config %q is a %s, which is not measured beside %s; known are %s", c.Name, c.Family, p.Name, strings.Join(has, ", ")))
	}
	return nil
}

// A Beside is a config as hone or a peer trains it, in turns on one machine.
type Beside struct {
	Config
	Name            string    `json:"program"` // hone, torch, torch compiled, transformers, …
	Version         string    `json:"version"`
	Steps           int       `json:"steps"`
	Milliseconds    float64   `json:"milliseconds"` // median of the steps
	TokensPerSecond float64   `json:"tokens_per_second"`
	Limit           float64   `json:"limit_gflops"` // of the products' multiply-adds alone, in turns with the steps: median
	Share           float64   `json:"share_of_limit"`
	Ratio           float64   `json:"hone_over_it"` // ratio of tokens/s
	Seconds         []float64 `json:"seconds"`      // of each step
}

//go:embed torch.py
var torchScript []byte

//go:embed llama.py
var llamaScript []byte

//go:embed finetune.py
var finetuneScript []byte

// A process is that of a peer. It answers each line with a line of JSON.
type process struct {
	name    string
	version string
	loss    float64
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// A torchProcess makes training steps when asked to.
type torchProcess struct{ process }

// A llamaProcess reads and writes.
type llamaProcess struct{ process }

// start runs a script, and returns when it has said what it is.
func (t *process) start(ctx context.Context, python string, script []byte, arg any) (err error) {
	text, err := json.Marshal(arg)
	if err != nil {
		return err
	}
	t.cmd = exec.CommandContext(ctx, python, "-c", string(script), string(text))
	t.cmd.Stderr = os.Stderr
	if t.in, err = t.cmd.StdinPipe(); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	t.out = bufio.NewReader(out)
	if err := t.cmd.Start(); err != nil {
		return recipes.Input(fmt.Errorf("bench: %s: %w", t.name, err))
	}
	var about struct {
		Version, Python string
		Loss            float64 // finetune.py: before training
	}
	if err := t.read(&about); err != nil {
		return errors.Join(err, t.close())
	}
	t.version, t.loss = about.Version, about.Loss
	if about.Python != "" {
		t.version += ", Python " + about.Python
	}
	return nil
}

// startTorch starts the script, and returns when it has compiled and warmed up.
func startTorch(ctx context.Context, p Peer, c Config, threads int, compile, bf16 bool) (*torchProcess, error) {
	t := &torchProcess{process{name: p.Name}}
	if compile {
		t.name += " compiled"
	}
	return t, t.start(ctx, p.Python, torchScript, struct {
		Config
		Program string `json:"program"`
		Threads int    `json:"threads"`
		Compile bool   `json:"compile"`
		BF16    bool   `json:"bf16"`
	}{c, p.Name, threads, compile, bf16})
}

// startLlama opens a GGUF file in llama.cpp.
func startLlama(ctx context.Context, p Peer, path string, threads int) (*llamaProcess, error) {
	t := &llamaProcess{process{name: "llama.cpp"}}
	return t, t.start(ctx, p.Python, llamaScript, map[string]any{"path": path, "threads": threads, "context": decodeContext})
}

// turn makes the steps of a reading, and gives their seconds.
func (t *llamaProcess) turn(r Reading, steps int) (seconds []float64, err error) {
	ask, err := json.Marshal(map[string]int{"sequences": r.Sequences, "tokens": r.Tokens, "position": r.Position, "steps": steps})
	if err != nil {
		return nil, err
	}
	return t.ask(string(ask), steps)
}

// ask gives the answer to a line: so many seconds.
func (t *process) ask(line string, n int) (seconds []float64, err error) {
	if err := t.put(line, &seconds); err != nil {
		return nil, err
	}
	if len(seconds) != n {
		return nil, fmt.Errorf("bench: %s: %d times for %d steps", t.name, len(seconds), n)
	}
	return seconds, nil
}

// put writes a line, and reads the answer to it.
func (t *process) put(line string, answer any) error {
	if _, err := fmt.Fprintln(t.in, line); err != nil {
		return fmt.Errorf("bench: %s: %w", t.name, err)
	}
	return t.read(answer)
}

func (t *process) read(v any) error {
	line, err := t.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, v)
	}
	if err != nil {
		return fmt.Errorf("bench: %s: no valid answer: %w (its own messages are above)", t.name, err)
	}
	return nil
}

func (t *process) close() error {
	t.in.Close()
	if err := t.cmd.Wait(); err != nil {
		return fmt.Errorf("bench: %s: %w", t.name, err)
	}
	return nil
}

// steps makes n steps, and gives their seconds.
func (t *torchProcess) steps(n int) (seconds []float64, err error) { return t.ask(fmt.Sprint(n), n) }

// rounds is the number of turns of hone and its peers.
const rounds = 4

// turnSteps is the number of steps of a config that each program makes in its turn.
func turnSteps(seconds, step float64) int { return max(1, int(seconds/rounds/step)) }

// Estimates for the duration of a comparison, from two cores: the seconds that a peer takes to
// start and to compile, the time of its step relative to hone's, and the share of the peak that
// hone's step reaches.
const (
	peerStarts    = 6
	peerCompiles  = 35
	peerStep      = 2
	honeMultiples = 0.6
)

// peerSeconds estimates the duration of a comparison of hone with a peer, plain and compiled, for a
// config whose step has that many FLOPs on a machine of that many GFLOP/s.
func peerSeconds(flops, gflops, seconds float64) float64 {
	step := flops / (honeMultiples * gflops * 1e9)
	steps := float64(rounds * turnSteps(seconds, step))
	return 2*peerStarts + peerCompiles + (warmUp+steps)*step*(1+2*peerStep)
}

// sayPeers says how long the comparison will take, before it begins.
func (b *Result) sayPeers(list []Config, o Options) error {
	total := 0.0
	for _, c := range list {
		_, p, err := c.program()
		if err != nil {
			return err
		}
		total += peerSeconds(p.FLOPs(), b.GFLOPS, o.Seconds)
	}
	total *= float64(len(o.Peers))
	o.Say(fmt.Sprintf("bench: comparing %d models in hone and in %s, plain and compiled, will take about %d minutes (hint: --config or fewer --seconds make it shorter)",
		len(list), o.Peers[0].Name, int(math.Ceil(total/60))))
	return nil
}

// measurePeers measures a config in hone, PyTorch and PyTorch compiled, in turns, so that other
// work of the machine affects all of them alike.
func measurePeers(ctx context.Context, dev *cpu.Device, c Config, b *Result, o Options) (list []Beside, err error) {
	list = []Beside{{Config: c, Name: "hone", Version: "hone " + recipes.Version()}}
	var others []*torchProcess
	defer func() {
		for _, t := range others {
			err = errors.Join(err, t.close())
		}
	}()
	for _, p := range o.Peers {
		for _, compile := range []bool{false, true} {
			what := ""
			if compile {
				what = ", compiling"
			}
			o.Say(fmt.Sprintf("bench: %s: starting %s%s", c.Name, p.Name, what))
			t, err := startTorch(ctx, p, c, dev.Threads(), compile, o.bf16())
			if err != nil {
				return nil, err
			}
			others = append(others, t)
			list = append(list, Beside{Config: c, Name: t.name, Version: t.version})
		}
	}
	var params, turn, made int
	var products float64
	turns := b.turns()
	began := time.Now()
	err = train(ctx, dev, c, o.bf16(), func(t *trainer.Trainer, i trainer.StepInfo) error {
		if i.Step <= warmUp {
			params, products = c.params(t.Network().Layout()), 0
			for _, x := range t.Executors() {
				products += x.Program().FLOPs()
			}
			turn = turnSteps(o.Seconds, i.Seconds)
			began = time.Now()
			return nil
		}
		list[0].Seconds = append(list[0].Seconds, i.Seconds)
		turns.add(i.Seconds)
		if made++; made%turn != 0 {
			return nil
		}
		for k, p := range others {
			seconds, err := p.steps(turn)
			if err != nil {
				return err
			}
			list[k+1].Seconds = append(list[k+1].Seconds, seconds...)
			for _, s := range seconds {
				turns.add(s)
			}
		}
		o.Say(fmt.Sprintf("bench: %s: turn %d of %d, %.0f s", c.Name, made/turn, rounds, time.Since(began).Seconds()))
		if made == rounds*turn {
			return errMeasured
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	limits, _ := turns.limits()
	limit := b.products(limits)
	for k := range list {
		p := &list[k]
		took := median(p.Seconds)
		p.Steps, p.Milliseconds = len(p.Seconds), 1e3*took
		p.TokensPerSecond = float64(c.B*c.T) / took
		p.Limit = limit
		p.Share = b.share(fmt.Sprintf("the step of %s in %s", c.Name, p.Name), c.flops(params, products)/took/1e9, limit)
		p.Ratio = list[0].TokensPerSecond / p.TokensPerSecond
	}
	return list, nil
}

func (b *Result) printPeers(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "config\tprogram\tsteps\tms a step\ttokens/s\t% of multiply-adds\thone ÷ it\t")
	for _, p := range b.Peers {
		fmt.Fprintf(t, "%s\t%s\t%d\t%.1f\t%.0f\t%s\t%.2f\t\n", p.Config.Name, p.Name, p.Steps, p.Milliseconds, p.TokensPerSecond, percent(p.Share, 0), p.Ratio)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "medians; %s\n", strings.Join(b.versions(), "; "))
	return err
}

func (b *Result) versions() []string {
	var list []string
	for _, p := range b.Peers {
		if len(list) == 0 || p.Version != list[len(list)-1] && p.Config.Name == b.Peers[0].Config.Name {
			list = append(list, p.Version)
		}
	}
	return list
}

// Markdown writes the comparison with the peers as a table of one line for each config.
func (b *Result) Markdown(w io.Writer) error {
	if len(b.Decodes) > 0 {
		return b.markdownDecodes(w)
	}
	if b.Finetune != nil {
		return b.markdownFinetune(w)
	}
	if len(b.Peers) == 0 {
		return errors.New("bench: --markdown prints the comparison with another program: --against is missing")
	}
	var heads, rule string
	for _, p := range b.Peers {
		if p.Config.Name != b.Peers[0].Config.Name {
			break
		}
		heads += " " + p.Name + " |"
		rule += "---:|"
	}
	peak := "FMA"
	if b.Precision == "bf16" {
		peak = "bf16"
	}
	fmt.Fprintf(w, "| tokens/s |%s hone ÷ best other | hone's share of %s rate in turns |\n|---|%s---:|---:|", heads, peak, rule)
	best := 0.0
	var last Beside
	end := func() {
		if last.Name != "" {
			fmt.Fprintf(w, " %.2f | %s %% |", last.TokensPerSecond/best, percent(last.Share, 0))
		}
	}
	for _, p := range b.Peers {
		if p.Name == "hone" {
			end()
			fmt.Fprintf(w, "\n| %s: %d × %d, T=%d, B=%d, V=%d |", p.Config.Name, p.Layers, p.Dim, p.T, p.B, p.V)
			last, best = p, 0
		} else {
			best = max(best, p.TokensPerSecond)
		}
		fmt.Fprintf(w, " %s |", recipes.Thousands(p.TokensPerSecond))
	}
	end()
	fmt.Fprintf(w, "\n\nMedians of steps taken in turns on one machine: %s; %s, %d threads, %s; %s.\n",
		b.Machine, b.Device, b.Threads, b.arithmetic(), strings.Join(b.versions(), "; "))
	return b.printFaults(w)
}
