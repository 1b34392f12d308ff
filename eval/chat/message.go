package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Message is what one side says at once.
type Message struct {
	Role       string // System, User or Assistant
	Content    string
	Unfinished bool // of an answer: it was cut off, by its reader or by its greatest length
}

// Roles of messages.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
)

var roles = []string{System, User, Assistant}

// file is a conversation as a file has it: an object with messages as OpenAI's API has them. What
// only hone knows stands beside the messages, so that their form stays that of the API.
type file struct {
	Messages   []fileMessage `json:"messages"`
	Unfinished []int         `json:"unfinished,omitempty"` // numbers of messages, from 0
}

type fileMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Marshal gives the JSON document of a conversation.
func Marshal(messages []Message) ([]byte, error) {
	f := file{Messages: []fileMessage{}}
	for i, m := range messages {
		f.Messages = append(f.Messages, fileMessage{m.Role, m.Content})
		if m.Unfinished {
			f.Unfinished = append(f.Unfinished, i)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(f)
	return b.Bytes(), err
}

// Unmarshal reads a conversation: an object with messages, as Marshal gives it and requests to
// OpenAI's API have it, or the list of the messages alone. The content of a message is a string,
// or a list with one part that is a text. Keys beside the messages are not followed, and
// returned as ignored. Whatever else a message has is an error.
func Unmarshal(text []byte) (messages []Message, ignored []string, err error) {
	if !utf8.Valid(text) {
		return nil, nil, errors.New("not valid UTF-8")
	}
	var list []map[string]json.RawMessage
	var unfinished []int
	if at := bytes.TrimLeft(text, " \t\r\n"); len(at) > 0 && at[0] == '{' {
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(text, &keys); err != nil {
			return nil, nil, err
		}
		if keys["messages"] == nil {
			return nil, nil, errors.New("no key messages")
		}
		for key, value := range keys {
			into := any(nil)
			switch key {
			case "messages":
				into = &list
			case "unfinished":
				into = &unfinished
			default:
				ignored = append(ignored, key)
				continue
			}
			if err := json.Unmarshal(value, into); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", key, err)
			}
		}
		slices.Sort(ignored)
	} else if err := json.Unmarshal(text, &list); err != nil {
		return nil, nil, err
	}
	if len(list) == 0 {
		return nil, nil, errors.New("no messages")
	}
	for i, keys := range list {
		m, err := readMessage(keys)
		if err == nil && m.Role == System && i > 0 {
			err = errors.New("a system message is the first one")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("message %d: %w", i, err)
		}
		messages = append(messages, m)
	}
	for _, i := range unfinished {
		if i < 0 || i >= len(messages) || messages[i].Role != Assistant {
			return nil, nil, fmt.Errorf("unfinished: message %d is not an answer", i)
		}
		messages[i].Unfinished = true
	}
	return messages, ignored, nil
}

func readMessage(keys map[string]json.RawMessage) (m Message, err error) {
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		value := keys[key]
		switch {
		case key == "role":
			if json.Unmarshal(value, &m.Role) != nil {
				return m, fmt.Errorf("role: %s is not a string", value)
			}
		case key == "content":
			if m.Content, err = readContent(value); err != nil {
				return m, fmt.Errorf("content: %w", err)
			}
		case string(value) != "null":
			return m, fmt.Errorf("the key %s is not supported (hint: role and content are)", key)
		}
	}
	if !slices.Contains(roles, m.Role) {
		return m, fmt.Errorf("unknown role %q (known: %s)", m.Role, strings.Join(roles, ", "))
	}
	if keys["content"] == nil {
		return m, errors.New("no content")
	}
	return m, nil
}

func readContent(value json.RawMessage) (string, error) {
	var text *string
	if json.Unmarshal(value, &text) == nil && text != nil {
		return *text, nil
	}
	var parts []struct {
		Type string  `json:"type"`
		Text *string `json:"text"`
	}
	if json.Unmarshal(value, &parts) != nil || len(parts) == 0 {
		return "", errors.New("not a text")
	}
	if len(parts) > 1 {
		return "", fmt.Errorf("%d parts; only one is supported", len(parts))
	}
	if parts[0].Type != "text" || parts[0].Text == nil {
		return "", fmt.Errorf("a part of type %q is not a text", parts[0].Type)
	}
	return *parts[0].Text, nil
}
