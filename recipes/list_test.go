package recipes

import "testing"

// Everything built in says what it is.
func TestListDescribes(t *testing.T) {
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for kind, items := range list {
		for _, i := range items {
			if i.Description == "" {
				t.Errorf("%s: %s has no description", kind, i.Name)
			}
		}
	}
}
