package chat

import "slices"

// A Conversation is a system message, if it begins with one, and then questions and answers. The
// last question may have no answer yet.
type Conversation struct {
	Messages []Message
	// Dropped is how many messages behind the system message the model does not read any more:
	// they would not fit into its context.
	Dropped int
}

// System is the content of the system message; "": there is none.
func (c *Conversation) System() string {
	if c.systems() == 0 {
		return ""
	}
	return c.Messages[0].Content
}

// systems is how many system messages there are, 0 or 1.
func (c *Conversation) systems() int {
	if len(c.Messages) > 0 && c.Messages[0].Role == System {
		return 1
	}
	return 0
}

// SetSystem sets the system message; "" removes it.
func (c *Conversation) SetSystem(text string) {
	rest := c.Messages[c.systems():]
	c.Messages = nil
	if text != "" {
		c.Messages = []Message{{Role: System, Content: text}}
	}
	c.Messages = append(c.Messages, rest...)
}

// Read is what the model reads: all messages but the dropped ones.
func (c *Conversation) Read() []Message {
	n := c.systems()
	return slices.Concat(c.Messages[:n], c.Messages[n+c.Dropped:])
}

// Reads reports whether the model reads message i, which was not dropped.
func (c *Conversation) Reads(i int) bool { return i < c.systems() || i >= c.systems()+c.Dropped }

// Ask appends a question.
func (c *Conversation) Ask(text string) {
	c.Messages = append(c.Messages, Message{Role: User, Content: text})
}

// Asked reports whether the last message is a question without an answer.
func (c *Conversation) Asked() bool {
	n := len(c.Messages)
	return n > 0 && c.Messages[n-1].Role == User
}

// Undo removes the last question, with its answer if it has one, and returns the question.
func (c *Conversation) Undo() (question string, ok bool) {
	for i, m := range slices.Backward(c.Messages) {
		if m.Role == User {
			c.cut(i)
			return m.Content, true
		}
	}
	return "", false
}

// Retract removes the last answer, so that its question can be answered again. It reports
// whether the last message is a question now.
func (c *Conversation) Retract() bool {
	if n := len(c.Messages); n > 0 && c.Messages[n-1].Role == Assistant {
		c.cut(n - 1)
	}
	return c.Asked()
}

// Reset removes all messages but the system message.
func (c *Conversation) Reset() { c.cut(c.systems()) }

func (c *Conversation) cut(n int) {
	c.Messages = c.Messages[:n:n]
	c.Dropped = min(c.Dropped, n-c.systems())
}

// Drop takes the oldest question that the model reads, with its answer, out of what it reads. It
// reports whether there was one before the last question.
func (c *Conversation) Drop() bool {
	n := c.systems()
	for i := n + c.Dropped + 1; i < len(c.Messages); i++ {
		if c.Messages[i].Role == User {
			c.Dropped = i - n
			return true
		}
	}
	return false
}
