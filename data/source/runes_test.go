package source

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

func TestCharacters(t *testing.T) {
	words := []string{"", "", "a", "plain ASCII, longer than sixty-four bytes, so that a text covers a whole word of marks", "파일을 읽어", "🙂é~\x7f\u0080\u07ff\u0800\uffff\U0010ffff"}
	r := rand.New(rand.NewPCG(1, 2))
	for _, rows := range []int{0, 1, 2, 63, 3000} { // the last: more than is marked at once
		small := array.NewStringBuilder(memory.DefaultAllocator)
		large := array.NewLargeStringBuilder(memory.DefaultAllocator)
		want := []int64{-1}
		for range rows {
			s := words[r.IntN(len(words))] + words[r.IntN(len(words))]
			if r.IntN(9) == 0 {
				small.AppendNull()
				large.AppendNull()
				want = append(want, 0)
				continue
			}
			small.Append(s)
			large.Append(s)
			want = append(want, int64(utf8.RuneCountInString(s)))
		}
		one, two := small.NewArray(), large.NewArray()
		for from := range min(rows, 70) {
			b := &Batch{Rows: rows - from, columns: []arrow.Array{array.NewSlice(one, int64(from), int64(rows)), array.NewSlice(two, int64(from), int64(rows))}}
			for col := range 2 {
				if got := b.Characters([]int64{-1}, col); !slices.Equal(got[1:], want[from+1:]) || got[0] != -1 {
					t.Fatalf("%d rows from %d, column %d: %d, want %d", rows, from, col, got, want[from+1:])
				}
			}
		}
	}
}
