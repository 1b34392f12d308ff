package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"hone/checkpoint"
	"hone/checkpoint/file"
	"hone/data/source"
	"hone/data/tokenizer"
	"hone/eval/chat"
	"hone/eval/generate"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// chatCommands are what can be typed beside messages.
const chatCommands = `  /retry              answer the last message again
  /undo               take the last message back, with its answer
  /reset              begin anew; the system message stays
  /system [TEXT]      set the system message, or remove it
  /set [NAME VALUE]   set an option, named as the flag of the command; list them ("" is none)
  /show               show the conversation
  /save FILE          write the conversation to a JSON file
  /load FILE          go on with one that was saved
  /help               print this
  /quit               leave; Ctrl-D too`

// chatMessages says how messages are typed.
const chatMessages = `A message is a line. One that ends in a backslash goes on in the next line; text between """ and
""" is a message with all its lines. A message that begins with a slash is typed with two.`

func newChat(t *terminal) *cobra.Command {
	var system, templateFile string
	o := generate.Options{}
	load := pretrained.Options{}
	sampling := samplingFlags(&o, 1000)
	c := &cobra.Command{
		Use:   "chat CHECKPOINT",
		Short: "talk with a language model",
		Long: `Talks with a language model that is made for it: messages are read by its own chat template
(chat_template of its tokenizer_config.json, or chat_template.jinja), and answers end at the
tokens that it ends them with.

` + chatMessages + ` Beside messages there are commands:

` + chatCommands + `

Ctrl-C ends an answer; what there is of it stays in the conversation. What was read and
written before is not read again. When the conversation fills the model's context, nothing is
dropped: /undo and /reset make room, and so does --context slide, which drops the oldest
messages, except for the system message, and says so.

Where stdin is no terminal, each line of it is a message or a command, blank lines are skipped,
answers alone go to stdout, and the first mistake ends the command. /save writes messages as
OpenAI's API has them, {"messages": [{"role": "user", "content": "…"}, …]}, and /load reads such
files and lists of messages.

` + writerArgument + `

` + weightsArgument,
		Example: `  hone chat SmolLM2-135M-Instruct.Q4_1.gguf
  echo "What is the capital of Korea?" | hone chat SmolLM2-135M-Instruct.Q4_1.gguf --temperature 0 --system "Answer in one line."`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := settle(&o, c.Flags().Changed); err != nil {
				return recipes.Input(err)
			}
			dir, err := checkpointOf(c.Context(), t, args[0])
			if err != nil {
				return err
			}
			template, err := openTemplate(dir, templateFile) // before the weights are read
			if err != nil {
				return recipes.Input(err)
			}
			w, err := openWriter(t, dir, load, &o, c.Flags().Changed)
			if err != nil {
				return err
			}
			defer w.Close()
			if o.N > 1 {
				t.say(fmt.Sprintf("generation_config.json: %d results are not followed: a message has one answer", o.N))
				o.N = 1
			}
			if err := settle(&o, c.Flags().Changed); err != nil { // with what the model's files say
				return recipes.Input(err)
			}
			t.verbatim()
			s := &talk{t: t, partner: chat.NewPartner(w.Generator, template), template: template, options: &o, flags: sampling, vocabulary: w.model.Config.VocabSize}
			if system != "" {
				s.SetSystem(system)
			}
			if isTerminal(os.Stdin) {
				s.typed = true
				reads := "texts of any length"
				if n := s.partner.Context(); n > 0 {
					reads = fmt.Sprintf("%d tokens", n)
				}
				t.say(fmt.Sprintf("%s reads %s. /help lists commands, /quit or Ctrl-D leaves.", args[0], reads))
			}
			s.read = t.lines(os.Stdin)
			return s.run(c.Context())
		},
	}
	sampling.Lookup("context").Usage = "what becomes of a conversation that fills the model's context: no message fits any more (stop), or the oldest ones are dropped (slide)"
	t.adapterFlag(c)
	f := c.Flags()
	f.StringVar(&system, "system", "", "system message, which the conversation begins with")
	f.StringVar(&templateFile, "template", "", "file of a chat template (Jinja) to be used in place of the model's own")
	f.AddFlagSet(sampling)
	f.AddFlagSet(weightFlags(&load))
	return c
}

// openTemplate opens the chat template of a checkpoint, or for it the one in a file.
func openTemplate(dir, path string) (*chat.Template, error) {
	c, err := checkpoint.Open(pretrained.Dir(dir))
	if err != nil {
		return nil, err
	}
	tok, err := tokenizer.Open(filepath.Join(c.Dir, checkpoint.TokenizerFile))
	if err != nil {
		return nil, err
	}
	if path == "" {
		t, err := chat.Open(c, tok)
		if err != nil {
			err = fmt.Errorf("%s: %w (hint: --template FILE gives another; hone generate continues a text without one)", dir, err)
		}
		return t, err
	}
	source, err := file.Read(path)
	if err != nil {
		return nil, err
	}
	roles, err := chat.Roles(c)
	if err != nil {
		return nil, err
	}
	t, err := chat.New(string(source), roles, tok)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return t, err
}

// A talk is a conversation at a terminal, or by a pipe.
type talk struct {
	chat.Conversation
	t          *terminal
	partner    *chat.Partner
	template   *chat.Template
	options    *generate.Options
	flags      *pflag.FlagSet // that set the options
	vocabulary int
	read       func(prompt string) (string, error)
	typed      bool            // stdin is a terminal
	number     int             // of the line that was read last
	lost       bool            // stdin cannot be read any more
	own        map[string]bool // files that the conversation was saved to or loaded from
}

var errQuit = errors.New("quit")

// run reads messages and commands, to the end of stdin.
func (s *talk) run(ctx context.Context) error {
	asked := false
	for {
		text, literal, err := s.message()
		switch {
		case err == io.EOF || err == errInterrupt:
			if !asked && !s.typed {
				return recipes.Input(errors.New("stdin has no message to answer"))
			}
			return nil
		case err != nil:
		case strings.TrimSpace(text) == "":
			continue
		case !literal && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//"):
			asked = true
			err = s.command(ctx, text)
		default:
			asked = true
			if !literal {
				text = strings.TrimPrefix(text, "/")
			}
			err = s.ask(ctx, text)
		}
		switch {
		case err == nil:
		case err == errQuit:
			return nil
		case s.lost:
			return fmt.Errorf("stdin: %w", err)
		case ctx.Err() != nil:
			return ctx.Err()
		case !s.typed:
			return recipes.Input(fmt.Errorf("stdin: line %d: %w", s.number, err))
		case errors.As(err, new(*chat.FullError)):
			s.t.say(fmt.Sprintf("%v\nhint: /undo and /reset make room, /set context slide drops the oldest messages", err))
		default:
			s.t.say(err.Error())
		}
	}
}

// message reads a message or a command. literal: it stood between """ and """.
func (s *talk) message() (text string, literal bool, err error) {
	const quotes = `"""`
	prompt := "> "
	for {
		s.number++
		line, err := s.read(prompt)
		if err == io.EOF && prompt != "> " {
			if literal {
				return "", false, errors.New(`""" without another """ behind it`)
			}
			return text, false, nil // the last line ends in a backslash
		}
		if err == errInterrupt && prompt != "> " {
			return "", false, nil // the lines so far are dropped
		}
		if err != nil {
			s.lost = err != io.EOF && err != errInterrupt && err != errNoUTF8
			return "", false, err
		}
		if !utf8.ValidString(line) {
			return "", false, errors.New("not valid UTF-8")
		}
		if rest, ok := strings.CutPrefix(line, quotes); ok && prompt == "> " {
			literal, line = true, rest
		}
		prompt = ". "
		if !literal {
			rest, more := strings.CutSuffix(line, `\`)
			text += rest
			if !more {
				return text, false, nil
			}
			text += "\n"
			continue
		}
		rest, end := strings.CutSuffix(strings.TrimRight(line, " \t"), quotes)
		if !end {
			text += line + "\n"
			continue
		}
		if rest == "" { // the quotes stand on lines of their own
			text = strings.TrimSuffix(text, "\n")
		}
		return strings.TrimPrefix(text+rest, "\n"), true, nil
	}
}

// ask asks the model. A message that does not fit, or that the template refuses, is not kept.
func (s *talk) ask(ctx context.Context, text string) error {
	for _, token := range s.template.Spelled(text) {
		s.t.say(fmt.Sprintf("warning: the model reads %s in the message as its special token", token))
	}
	s.Ask(text)
	err := s.answer(ctx)
	if err != nil && s.Asked() {
		s.Undo()
	}
	return err
}

// answer answers the last question.
func (s *talk) answer(ctx context.Context) error {
	writing, stop := context.WithCancel(ctx)
	defer stop()
	if s.typed { // else an interrupt ends the program
		defer s.t.interrupts(func() bool {
			first := writing.Err() == nil
			stop()
			return first
		})()
	}
	s.partner.Options = *s.options
	emit := func(piece string) { fmt.Fprint(s.t.out, piece) }
	if s.t.json {
		emit = nil
	}
	a, err := s.partner.Answer(writing, &s.Conversation, emit)
	if err != nil {
		return err
	}
	if s.t.json {
		if err := s.t.printJSON(a); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(s.t.out)
	}
	s.t.say(describeAnswer(a))
	return ctx.Err()
}

// describeAnswer says how an answer ended, how much was read and written, and how fast.
func describeAnswer(a *chat.Answer) string {
	var parts []string
	part := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case a.Reason == "interrupted":
		part("interrupted")
	case a.ContextFull:
		part("cut off: the context is full")
	case a.Reason == "length":
		part("cut off by max-tokens")
	}
	pace := func(tokens int, perSecond float64) string {
		if perSecond == 0 {
			return fmt.Sprintf("%d tokens", tokens)
		}
		return fmt.Sprintf("%d tokens at %.0f/s", tokens, perSecond)
	}
	part("read %s", pace(a.PromptRead, float64(a.PromptRead)/a.PromptSeconds))
	part("wrote %s", pace(len(a.IDs), a.TokensPerSecond))
	part("context: %s", tokensOf(a.Used, a.Context))
	if a.Dropped > 0 {
		part("dropped the oldest %d messages from it", a.Dropped)
	}
	return "[" + strings.Join(parts, "; ") + "]"
}

// command does what a line that begins with a slash says.
func (s *talk) command(ctx context.Context, line string) error {
	name, rest, _ := strings.Cut(line[1:], " ")
	rest = strings.TrimSpace(rest)
	switch takes := map[string]bool{"system": true, "set": true, "save": true, "load": true}; {
	case rest != "" && !takes[name] && slices.Contains(chatCommandNames(), name):
		return fmt.Errorf("/%s: %q is one argument too many", name, rest)
	case rest == "" && (name == "save" || name == "load"):
		return fmt.Errorf("/%s FILE: the file is missing", name)
	}
	switch name {
	case "help":
		s.t.say(chatMessages + "\n\n" + chatCommands)
	case "quit":
		return errQuit
	case "reset":
		s.Reset()
		s.t.say("the conversation begins anew")
	case "system":
		s.SetSystem(rest)
		if rest == "" {
			s.t.say("there is no system message")
		}
	case "undo":
		question, ok := s.Undo()
		if !ok {
			return errors.New("/undo: there is no message to take back")
		}
		s.t.say("taken back: " + question)
	case "retry":
		before := s.Conversation
		if !s.Retract() {
			return errors.New("/retry: there is no message to answer")
		}
		err := s.answer(ctx)
		if err != nil && s.Asked() {
			s.Conversation = before
		}
		return err
	case "save":
		return s.save(rest)
	case "load":
		return s.load(rest)
	case "set":
		return s.set(rest)
	case "show":
		return s.show()
	default:
		err := fmt.Errorf("unknown command /%s", name)
		if near := source.Nearest(name, chatCommandNames()); near != "" {
			err = fmt.Errorf("%w; did you mean /%s?", err, near)
		}
		return fmt.Errorf("%w (hint: /help lists commands; a message that begins with a slash is typed with two)", err)
	}
	return nil
}

func chatCommandNames() (names []string) {
	for line := range strings.Lines(chatCommands) {
		names = append(names, strings.TrimPrefix(strings.Fields(line)[0], "/"))
	}
	return names
}

// save writes the conversation to a file. One that is there and not the conversation's own is kept.
func (s *talk) save(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) && !s.own[absolute(path)] {
		if err == nil {
			err = fmt.Errorf("%s is there already (hint: /save to another name)", path)
		}
		return err
	}
	text, err := chat.Marshal(s.Messages)
	if err == nil {
		err = file.WriteBytes(path, text)
	}
	if err != nil {
		return err
	}
	s.owns(path)
	s.t.say(fmt.Sprintf("saved: %d messages in %s", len(s.Messages), path))
	return nil
}

// load replaces the conversation by one of a file.
func (s *talk) load(path string) error {
	text, err := file.Read(path)
	if err != nil {
		return err
	}
	messages, ignored, err := chat.Unmarshal(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, err := s.template.Text(messages); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s.Conversation = chat.Conversation{Messages: messages}
	for _, key := range ignored {
		s.t.say(fmt.Sprintf("%s: the key %s is not followed", path, key))
	}
	if len(ignored) == 0 { // or they would be lost
		s.owns(path)
	}
	said := fmt.Sprintf("loaded: %d messages", len(messages))
	if s.Asked() {
		said += "; the last one has no answer yet (/retry)"
	}
	s.t.say(said)
	return nil
}

func (s *talk) owns(path string) {
	if s.own == nil {
		s.own = map[string]bool{}
	}
	s.own[absolute(path)] = true
}

// absolute is a path that stays the same file.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// set sets an option, lists them all, or shows one.
func (s *talk) set(text string) error {
	name, value, given := strings.Cut(text, " ")
	name, value = strings.TrimLeft(name, "-"), strings.TrimSpace(value)
	var names []string
	s.flags.VisitAll(func(f *pflag.Flag) {
		if names = append(names, f.Name); text == "" {
			s.t.say(fmt.Sprintf("  %-20s %-10s %s", f.Name, f.Value, f.Usage))
		}
	})
	if text == "" {
		return nil
	}
	f := s.flags.Lookup(name)
	if f == nil {
		err := fmt.Errorf("/set: unknown option %q", name)
		if near := source.Nearest(name, names); near != "" {
			err = fmt.Errorf("%w; did you mean %q?", err, near)
		}
		return fmt.Errorf("%w (hint: /set lists them)", err)
	}
	if !given {
		s.t.say(fmt.Sprintf("%s is %s", name, f.Value))
		return nil
	}
	put := f.Value.Set
	was := []string{f.Value.String()}
	list, several := f.Value.(pflag.SliceValue)
	if several { // or Set would append to it
		put = func(v string) error {
			if v == `""` {
				return list.Replace(nil)
			}
			return list.Replace([]string{v})
		}
		was = list.GetSlice()
	}
	err := put(value)
	if err == nil {
		err = finite(f)
	}
	if err == nil {
		err = s.options.Validate(s.vocabulary)
	}
	if err == nil {
		return nil
	}
	if several {
		list.Replace(was)
	} else {
		f.Value.Set(was[0])
	}
	return fmt.Errorf("/set %s: %w", name, err)
}

// show prints the conversation.
func (s *talk) show() error {
	for i, m := range s.Messages {
		note := ""
		if m.Unfinished {
			note += " (cut off)"
		}
		if !s.Reads(i) {
			note += " (dropped)"
		}
		s.t.say(m.Role + note + ": " + m.Content)
	}
	n, err := s.partner.Tokens(&s.Conversation)
	if err != nil {
		return err
	}
	s.t.say(fmt.Sprintf("[%d messages; context: %s]", len(s.Messages), tokensOf(n, s.partner.Context())))
	return nil
}

// tokensOf is n tokens of so many that a model reads; 0: any number.
func tokensOf(n, most int) string {
	if most == 0 {
		return fmt.Sprintf("%d tokens", n)
	}
	return fmt.Sprintf("%d of %d tokens", n, most)
}

// lines gives the function that reads lines, with an editor where they are typed at a terminal.
func (t *terminal) lines(in *os.File) func(prompt string) (string, error) {
	buffer := bufio.NewReader(in)
	if isTerminal(in) && t.interactive() && os.Getenv("TERM") != "dumb" {
		return t.editor(in, buffer)
	}
	return func(prompt string) (string, error) {
		if isTerminal(in) {
			fmt.Fprint(t.err, prompt)
		}
		line, err := buffer.ReadString('\n')
		if err == io.EOF && line != "" {
			err = nil // the last line has no end
		}
		return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), err
	}
}

// editor gives the function that reads lines with an editor. The terminal is in raw mode only
// while a line is read, so that Ctrl-C ends an answer.
func (t *terminal) editor(in *os.File, buffer *bufio.Reader) func(prompt string) (string, error) {
	e := &editor{in: buffer, out: t.err, size: func() (columns, rows int) {
		if columns, rows, err := term.GetSize(int(in.Fd())); err == nil && columns > 1 && rows > 0 {
			return columns, rows
		}
		return 80, 24
	}}
	if s, ok := t.err.(*stream); ok {
		e.out = s.Writer // what it writes moves the cursor
	}
	t.interrupts(func() bool { return true }) // one that comes just when an answer has ended
	return func(prompt string) (string, error) {
		t.mu.Lock()
		was, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			t.mu.Unlock()
			return "", err
		}
		t.cooked = func() {
			fmt.Fprint(e.out, pasteOff)
			term.Restore(int(in.Fd()), was)
		}
		t.mu.Unlock()
		line, err := e.readLine(prompt)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.cooked()
		t.cooked = nil
		return line, err
	}
}
