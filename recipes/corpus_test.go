package recipes

import (
	"strings"
	"testing"
)

// TestReadKeyFaults names each wrong key of how a corpus is read, with its line.
func TestReadKeyFaults(t *testing.T) {
	text, ok := builtin("quickstart")
	if !ok {
		t.Fatal("no quickstart")
	}
	const corpus = "[corpus.extra]\nsource = \"goroot:\"\nformat = \"xls\"\ndelimiter = \"::\"\nquote = \"single\"\nrows = \"data\"\n"
	_, err := parse("bad.toml", corpus+text, nil)
	if err == nil {
		t.Fatal("it passes")
	}
	for _, want := range []string{":3: corpus.extra.format", ":4: corpus.extra.delimiter", ":5: corpus.extra.quote"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "extra.rows") {
		t.Errorf("%v", err)
	}
}
