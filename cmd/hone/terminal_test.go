package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"plain text, 한국어\tand\n":    "plain text, 한국어\tand\n",
		"a\x1b]0;title\x07b":        `a\u001b]0;title\u0007b`,
		"over\rwritten\x7f\u009b2J": `over\u000dwritten\u007f\u009b2J`,
		"no UTF-8 \xff\x1b":         "no UTF-8 \xff" + `\u001b`,
	} {
		if got := printable(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

// TestStreamJSON prints JSON whose strings hold what a terminal obeys: it is the same JSON.
func TestStreamJSON(t *testing.T) {
	var b bytes.Buffer
	term := &terminal{out: &stream{Writer: &b, printing: true}}
	const evil = "a\x1b[2J\x7f\u009b"
	if err := term.printJSON(evil); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got != evil {
		t.Errorf("%q, %v of %q", got, err, b.Bytes())
	}
	if bytes.ContainsAny(b.Bytes(), "\x1b\x7f\u009b") {
		t.Errorf("%q", b.Bytes())
	}
}
