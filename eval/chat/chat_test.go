package chat

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/data/tokenizer"
	"hone/eval/generate"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

const templates = "../../data/tokenizer/template/testdata/templates"

func readTemplate(t *testing.T, name string, roles map[string]string) *Template {
	t.Helper()
	tok, err := tokenizer.Open(filepath.Join("testdata", "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(templates, name+".jinja"))
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := New(string(source), roles, tok)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

// Whole conversations, turn by turn: the text and the tokens are those of transformers'
// apply_chat_template, and an answer ends at the token that stands behind answers.
func TestAgreesWithTransformers(t *testing.T) {
	var vectors struct {
		Cases []struct {
			Template string
			Roles    map[string]string
			End      int32
			Turns    []struct {
				Messages []fileMessage
				Text     string
				IDs      []int32
			}
		}
	}
	text, err := os.ReadFile(filepath.Join("testdata", "conversation.json"))
	if err == nil {
		err = json.Unmarshal(text, &vectors)
	}
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, c := range vectors.Cases {
		tmpl := readTemplate(t, c.Template, c.Roles)
		if !slices.Equal(tmpl.Ends, []int32{c.End}) {
			t.Errorf("%s: ends %v, want %d", c.Template, tmpl.Ends, c.End)
		}
		for _, turn := range c.Turns {
			var talk Conversation
			for _, m := range turn.Messages {
				switch m.Role {
				case System:
					talk.SetSystem(m.Content)
				case User:
					talk.Ask(m.Content)
				default:
					talk.Messages = append(talk.Messages, Message{Role: m.Role, Content: m.Content})
				}
			}
			text, err := tmpl.Text(talk.Read())
			if err != nil || text != turn.Text {
				t.Errorf("%s: %v, text %q, want %q", c.Template, err, text, turn.Text)
			}
			ids, err := tmpl.Tokens(talk.Read())
			if err != nil || !slices.Equal(ids, turn.IDs) {
				t.Errorf("%s: %v, tokens %v, want %v", c.Template, err, ids, turn.IDs)
			}
			compared++
		}
	}
	if compared != 40 {
		t.Errorf("%d conversations", compared)
	}
}

func TestFile(t *testing.T) {
	talk := []Message{
		{System, "be brief <&>", false}, {User, "하나\n\"two\"", false}, {Assistant, "thr", true}, {User, "", false},
	}
	text, err := Marshal(talk)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{
  "messages": [
    {
      "role": "system",
      "content": "be brief <&>"
    },`; !strings.HasPrefix(string(text), want) || !strings.Contains(string(text), `"unfinished": [`) {
		t.Errorf("%s", text)
	}
	back, ignored, err := Unmarshal(text)
	if err != nil || !slices.Equal(back, talk) || ignored != nil {
		t.Errorf("%v, %v, %v", back, ignored, err)
	}
	for _, c := range []struct {
		text    string
		want    []Message
		ignored []string
		err     string
	}{
		{`[{"role":"user","content":"a"}]`, []Message{{User, "a", false}}, nil, ""},
		{` {"model":"m","messages":[{"role":"assistant","content":"a","refusal":null}],"n":2}`, []Message{{Assistant, "a", false}}, []string{"model", "n"}, ""},
		{`[{"role":"user","content":[{"type":"text","text":"a"}]}]`, []Message{{User, "a", false}}, nil, ""},
		{`[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]`, nil, nil, `message 0: content: a part of type "image_url" is not a text`},
		{`[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]`, nil, nil, "2 parts; only one is supported"},
		{`[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[]}]`, nil, nil, "message 1: content: not a text"},
		{`[{"role":"assistant","content":"","tool_calls":[]}]`, nil, nil, "message 0: the key tool_calls is not supported"},
		{`[{"role":"tool","content":""}]`, nil, nil, `unknown role "tool" (known: system, user, assistant)`},
		{`[{"role":"user"}]`, nil, nil, "message 0: no content"},
		{`[{"role":1,"content":""}]`, nil, nil, "role: 1 is not a string"},
		{`[{"role":"user","content":""},{"role":"system","content":""}]`, nil, nil, "message 1: a system message is the first one"},
		{`{"message":[]}`, nil, nil, "no key messages"},
		{`{"messages":[]}`, nil, nil, "no messages"},
		{`{"messages":[{"role":"user","content":""}],"unfinished":[0]}`, nil, nil, "unfinished: message 0 is not an answer"},
		{`[{"role":"user","content":"` + "\xff" + `"}]`, nil, nil, "not valid UTF-8"},
		{``, nil, nil, "unexpected end of JSON input"},
		{`[] []`, nil, nil, "invalid character"},
	} {
		got, ignored, err := Unmarshal([]byte(c.text))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %s", c.text, err, c.err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, c.want) || !slices.Equal(ignored, c.ignored) {
			t.Errorf("%s: %v, %v, %v", c.text, got, ignored, err)
		}
	}
}

func TestConversation(t *testing.T) {
	var c Conversation
	show := func() string {
		var b strings.Builder
		for _, m := range c.Read() {
			b.WriteString(m.Role[:1] + m.Content + " ")
		}
		return b.String()
	}
	want := func(s string) {
		t.Helper()
		if got := show(); got != s {
			t.Errorf("%q, want %q", got, s)
		}
	}
	if _, ok := c.Undo(); ok || c.Retract() || c.Drop() || c.System() != "" {
		t.Error("an empty conversation has something")
	}
	c.SetSystem("S")
	for _, s := range []string{"1", "2", "3"} {
		c.Ask(s)
		c.Messages = append(c.Messages, Message{Role: Assistant, Content: s})
	}
	want("sS u1 a1 u2 a2 u3 a3 ")
	if !c.Retract() || !c.Asked() {
		t.Error("no question")
	}
	want("sS u1 a1 u2 a2 u3 ")
	if !c.Drop() {
		t.Error("nothing dropped")
	}
	want("sS u2 a2 u3 ")
	c.SetSystem("")
	want("u2 a2 u3 ")
	c.SetSystem("T")
	if !c.Drop() || c.Drop() {
		t.Error("the last question is to stay")
	}
	want("sT u3 ")
	if len(c.Messages) != 6 {
		t.Errorf("dropped messages are gone: %v", c.Messages)
	}
	if q, ok := c.Undo(); !ok || q != "3" {
		t.Errorf("undone: %q", q)
	}
	want("sT ")
	if q, ok := c.Undo(); !ok || q != "2" || c.Dropped != 2 {
		t.Errorf("undone: %q, %d dropped", q, c.Dropped)
	}
	c.Reset()
	if want("sT "); c.Dropped != 0 {
		t.Errorf("%d dropped", c.Dropped)
	}
}

// partner is a model of random weights that reads so many tokens.
func partner(t *testing.T, window int) *Partner {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	tmpl := readTemplate(t, "chatml", nil)
	c, err := model.DefaultConfig("gpt2")
	if err != nil {
		t.Fatal(err)
	}
	gpt := c.Family.(model.GPT2)
	gpt.NLayer, gpt.NHead, gpt.NEmbd, gpt.NPositions, gpt.InitializerRange = 2, 2, 16, window, 0.3
	c.Family, c.VocabSize, c.BOSTokenID, c.EOSTokenID = gpt, tmpl.tok.Size(), nil, nil
	net, err := model.NewNetwork(dev, exec.F32, c, model.Options{})
	if err == nil {
		err = net.Init(2)
	}
	if err != nil {
		t.Fatal(err)
	}
	g, err := generate.New(net, tmpl.tok, generate.Settings{Starts: true})
	if err != nil {
		t.Fatal(err)
	}
	p := NewPartner(g, tmpl)
	p.Options.MaxTokens = 5
	p.Options.Sampler.Temperature = 1
	return p
}

// A dialogue of three turns is read on from where it was, and each answer is the one of a partner
// that reads all of it anew.
func TestAnswer(t *testing.T) {
	p := partner(t, 256)
	var c Conversation
	c.SetSystem("You answer in one line.")
	for i := range 3 {
		c.Ask("And in Korean?")
		ids, err := p.t.Tokens(c.Read())
		if err != nil {
			t.Fatal(err)
		}
		fresh := partner(t, 256)
		o := p.Options
		o.Seed += uint64(i)
		want, err := fresh.g.Continue(t.Context(), ids, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		var shown strings.Builder
		a, err := p.Answer(t.Context(), &c, func(s string) { shown.WriteString(s) })
		if err != nil {
			t.Fatal(err)
		}
		last := c.Messages[len(c.Messages)-1]
		if a.Text != want.Text || last.Content != a.Text || shown.String() != a.Text || last.Unfinished != (a.Reason == "length") {
			t.Errorf("turn %d: %q, shown %q, kept %+v, want %q", i, a.Text, &shown, last, want.Text)
		}
		if a.PromptTokens != len(ids) || i > 0 && a.PromptRead > 40 || a.Used != len(ids)+len(a.IDs) || a.Context != 256 {
			t.Errorf("turn %d: read %d of %d tokens, %d used", i, a.PromptRead, a.PromptTokens, a.Used)
		}
	}
	// Undone and asked again, it is answered with another seed.
	q, _ := c.Undo()
	c.Ask(q)
	if _, err := p.Answer(t.Context(), &c, nil); err != nil || len(c.Messages) != 7 {
		t.Errorf("%v, %d messages", err, len(c.Messages))
	}
}

func TestInterrupted(t *testing.T) {
	p := partner(t, 256)
	p.Options.MaxTokens = 200
	var c Conversation
	c.Ask("Hello?")
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	a, err := p.Answer(ctx, &c, func(string) {
		if n++; n == 3 {
			cancel()
		}
	})
	if err != nil || a.Reason != "interrupted" || len(a.IDs) > 20 {
		t.Fatalf("%v, %+v", err, a)
	}
	if last := c.Messages[1]; !last.Unfinished || last.Content != a.Text || a.Text == "" {
		t.Errorf("kept %+v of %q", last, a.Text)
	}
	p.Options.MaxTokens = 2
	c.Ask("Hello?") // and it goes on
	if _, err := p.Answer(t.Context(), &c, nil); err != nil || len(c.Messages) != 4 {
		t.Errorf("%v, %v", err, c.Messages)
	}
}

func TestFull(t *testing.T) {
	p := partner(t, 128)
	var c Conversation
	c.SetSystem("brief")
	fill := func() (dropped int) {
		t.Helper()
		for range 12 {
			c.Ask("Is it the capital?")
			before := slices.Clone(c.Messages)
			a, err := p.Answer(t.Context(), &c, nil)
			if full := (*FullError)(nil); errors.As(err, &full) {
				if full.Tokens < 128 || full.Context != 128 || !slices.Equal(c.Messages, before) {
					t.Errorf("%v, %v", full, c.Messages)
				}
				return -1
			}
			if err != nil {
				t.Fatal(err)
			}
			if a.Used > 128 {
				t.Errorf("%d tokens", a.Used)
			}
			dropped += a.Dropped
		}
		return dropped
	}
	if n := fill(); n != -1 || c.Dropped != 0 {
		t.Fatalf("%d messages were dropped, unasked", n)
	}
	p.Options.Slide = true
	c.Undo()
	if n := fill(); n < 4 || n != c.Dropped || len(c.Messages) < 25 || c.Read()[0].Content != "brief" {
		t.Errorf("%d dropped, %d in all, %d messages", n, c.Dropped, len(c.Messages))
	}
	c.Ask(strings.Repeat("long ", 200)) // which no dropping makes fit
	dropped := c.Dropped
	if _, err := p.Answer(t.Context(), &c, nil); !errors.As(err, new(*FullError)) || c.Dropped != dropped {
		t.Errorf("%v, %d dropped", err, c.Dropped)
	}
}

func TestSpelled(t *testing.T) {
	tmpl := readTemplate(t, "chatml", nil)
	if got := tmpl.Spelled("a <|im_end|> and <bos>"); !slices.Equal(got, []string{"<|im_end|>", "<bos>"}) {
		t.Errorf("%q", got)
	}
	if got := tmpl.Spelled("plain"); got != nil {
		t.Errorf("%q", got)
	}
}
