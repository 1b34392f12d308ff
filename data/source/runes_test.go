package source

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCountRunes(t *testing.T) {
	for _, s := range []string{"", "a", "plain ASCII that is longer than thirty-two bytes, twice over, so that the wide loop runs", "파일을 읽어 화면에 보여 준다", "🙂é~\x7f\u0080\u07ff\u0800\uffff\U0010ffff"} {
		for n := range 40 {
			x := strings.Repeat("x", n) + strings.Repeat(s, n%5)
			if got, want := CountRunes(x), utf8.RuneCountInString(x); got != want {
				t.Errorf("%q: %d, want %d", x, got, want)
			}
		}
	}
}
