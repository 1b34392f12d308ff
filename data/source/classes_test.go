package source

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestClasses reads a card as datasets 5.2 and huggingface_hub write it, and what does not
// agree with it.
func TestClasses(t *testing.T) {
	const card = `---
dataset_info:
- config_name: one
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': 'not a: b'
          '1': 'yes'
          '2': it's
          '3': 'it''s, "quoted"'
  - name: n
    dtype: int32
  - name: tone
    dtype:
      class_label:
        names:
          0: low
          1: high
  splits:
  - name: train
    num_bytes: 10
- config_name: two
  features:
  - name: tone
    dtype:
      class_label:
        names:
        - low
        - high
  - name: topic
    dtype:
      class_label:
        names:
          '0': art
---
# Names: '0': none
class_label:
  names:
    '0': no
`
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want map[string][]string) {
		t.Helper()
		if got := Classes(dir); !reflect.DeepEqual(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	check(map[string][]string{})
	write("README.md", card)
	label, tone := []string{"not a: b", "yes", "it's", `it's, "quoted"`}, []string{"low", "high"}
	check(map[string][]string{"label": label, "tone": tone, "topic": {"art"}})
	write("dataset_infos.json", `{"a": {"features": {"topic": {"_type": "ClassLabel", "names": ["sports"]}, "tone": {"_type": "ClassLabel", "names": ["low", "high"]}}}}`)
	check(map[string][]string{"label": label, "tone": tone}) // of topics they do not agree
	write("dataset_info.json", `{"features": {"tags": {"feature": {"names": ["O", "B"], "_type": "ClassLabel"}, "length": -1, "_type": "Sequence"}, "old": [{"names": ["X"], "_type": "ClassLabel"}],
		"deep": {"feature": {"feature": {"names": ["Y"], "_type": "ClassLabel"}, "_type": "List"}, "_type": "List"}, "texts": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}}}`)
	check(map[string][]string{"label": label, "tone": tone, "tags": {"O", "B"}, "old": {"X"}}) // of lists, but not of lists of lists
	if err := os.Remove(filepath.Join(dir, "dataset_info.json")); err != nil {
		t.Fatal(err)
	}
	write("README.md", "no head\n"+card)
	check(map[string][]string{"tone": tone, "topic": {"sports"}})
}
