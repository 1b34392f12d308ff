// Package chat is conversations with a language model: messages, the template by which a model
// reads them, and answers.
package chat

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"hone/checkpoint"
	"hone/data/tokenizer"
	"hone/data/tokenizer/template"
)

// A Template writes conversations as a model reads them.
type Template struct {
	// Ends are the special tokens that end an answer in a conversation that the template writes.
	Ends []int32

	jinja *template.Template
	roles map[string]string
	tok   *tokenizer.Pipeline
}

// Open makes the template of a checkpoint, which has the tokenizer. Errors are faults of the user's
// input (exit code 2).
func Open(c *checkpoint.Checkpoint, tok *tokenizer.Pipeline) (*Template, error) {
	source, err := Source(c)
	if err != nil {
		return nil, err
	}
	if source == "" {
		return nil, errors.New("the model has no chat template")
	}
	roles, err := Roles(c)
	if err != nil {
		return nil, err
	}
	return New(source, roles, tok)
}

// New makes a template of a Jinja program, the special tokens that it names by their roles, and the
// tokenizer that has them.
func New(source string, roles map[string]string, tok *tokenizer.Pipeline) (*Template, error) {
	jinja, err := template.Parse(source)
	if err != nil {
		return nil, err
	}
	t := &Template{jinja: jinja, roles: roles, tok: tok}
	t.Ends = t.ends()
	return t, nil
}

// ends finds the token that stands behind an answer, in a conversation of a question and an answer.
func (t *Template) ends() []int32 {
	const answer = "xxxx"
	text, err := t.write([]Message{{Role: User, Content: "question"}, {Role: Assistant, Content: answer}}, false)
	at := strings.LastIndex(text, answer)
	if err != nil || at < 0 { // it writes other conversations only
		return nil
	}
	rest := strings.TrimLeftFunc(text[at+len(answer):], unicode.IsSpace)
	for _, a := range t.tok.Added() {
		if a.Special && strings.HasPrefix(rest, a.Content) {
			return []int32{a.ID}
		}
	}
	return nil
}

// Text writes a conversation, up to where the next answer begins.
func (t *Template) Text(messages []Message) (string, error) { return t.write(messages, true) }

// Tokens gives the tokens of a conversation, up to where the next answer begins: those of
// transformers' apply_chat_template. Special tokens that are spelled in messages are special
// tokens, as they are there.
func (t *Template) Tokens(messages []Message) ([]int32, error) {
	text, err := t.write(messages, true)
	if err != nil {
		return nil, err
	}
	ids := t.tok.Encode(nil, text)
	if len(ids) == 0 {
		return nil, errors.New("template: it writes nothing for this conversation")
	}
	return ids, tokenizer.Fault(t.tok)
}

func (t *Template) write(messages []Message, answer bool) (string, error) {
	list := []any{}
	for _, m := range messages {
		list = append(list, template.NewDict("role", m.Role, "content", m.Content))
	}
	v := template.Values{"messages": list, "tools": nil, "documents": nil, "add_generation_prompt": answer}
	for role, token := range t.roles {
		v[role] = token
	}
	text, _, err := t.jinja.Render(v)
	return text, err
}

// Spelled lists the special tokens that a text spells, which the model reads as these tokens.
func (t *Template) Spelled(text string) (list []string) {
	for _, a := range t.tok.Added() {
		if a.Special && a.Content != "" && strings.Contains(text, a.Content) {
			list = append(list, a.Content)
		}
	}
	return list
}

// specialTokens are the roles of tokens that a template can name.
var specialTokens = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// Source gives the chat template of a checkpoint: of chat_template.jinja or of
// tokenizer_config.json, where that has several the one named default. "": it has none.
func Source(c *checkpoint.Checkpoint) (string, error) {
	text, err := read(c, checkpoint.ChatTemplateFile)
	if err != nil || text != nil {
		return string(text), err
	}
	if path := filepath.Join(c.Dir, checkpoint.ChatTemplateFile); exists(path) {
		return "", fmt.Errorf("%s is no file of the checkpoint's manifest", path)
	}
	config, err := keys(c, checkpoint.TokenizerConfigFile)
	if err != nil {
		return "", err
	}
	raw := config["chat_template"]
	if raw == nil || string(raw) == "null" {
		return "", nil
	}
	var source string
	if json.Unmarshal(raw, &source) == nil {
		return source, nil
	}
	var list []struct{ Name, Template string }
	if json.Unmarshal(raw, &list) != nil {
		return "", fmt.Errorf("%s: chat_template is neither a text nor a list of templates with names", checkpoint.TokenizerConfigFile)
	}
	var names []string
	for _, n := range list {
		if n.Name == "default" {
			return n.Template, nil
		}
		names = append(names, n.Name)
	}
	return "", fmt.Errorf("%s: of the chat templates %s none is named default", checkpoint.TokenizerConfigFile, strings.Join(names, ", "))
}

// Roles gives the special tokens of a checkpoint by their roles: bos_token, eos_token and others.
func Roles(c *checkpoint.Checkpoint) (map[string]string, error) {
	config, err := keys(c, checkpoint.TokenizerConfigFile)
	if err != nil {
		return nil, err
	}
	if config["added_tokens_decoder"] == nil { // an older directory, in which this file goes first
		older, err := keys(c, "special_tokens_map.json")
		if err != nil {
			return nil, err
		}
		if config == nil {
			config = older
		}
		maps.Copy(config, older)
	}
	roles := map[string]string{}
	for _, role := range specialTokens {
		var text string
		var token struct{ Content string }
		if json.Unmarshal(config[role], &text) != nil {
			json.Unmarshal(config[role], &token) // else it is null, or not there
		}
		if text = cmp.Or(text, token.Content); text != "" {
			roles[role] = text
		}
	}
	return roles, nil
}

// keys reads a JSON object; nil: the checkpoint has no such file.
func keys(c *checkpoint.Checkpoint, name string) (keys map[string]json.RawMessage, err error) {
	text, err := read(c, name)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &keys)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return keys, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// read reads a file; nil: the checkpoint has no such file.
func read(c *checkpoint.Checkpoint, name string) ([]byte, error) {
	if _, ok := c.Manifest.Files[name]; !ok {
		return nil, nil
	}
	return c.File(name)
}
