package corpus

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// maxHeldOut is the number of texts of held-out splits that are remembered: about 64 MB.
const maxHeldOut = 1 << 20

// A finder counts the texts of held-out splits that are texts of a training split too, byte
// for byte. If there are more texts than it can remember, it takes a sample: those with small
// hashes. All held-out texts must be added before those for training.
type finder struct {
	most  int
	limit uint64           // hashes of the sample are not above it
	held  map[heldText]int // rows; below 0: they are in training too
}

// A heldText is a text of one of the held-out splits.
type heldText struct {
	hash  uint64
	split int
}

// SharedTexts counts the texts that a held-out split shares with the training splits.
type SharedTexts struct {
	Rows   int64 `json:"rows"`   // looked at, those without text aside
	Shared int64 `json:"shared"` // of these, with a text that is in training too
}

// newFinder makes a finder without texts.
func newFinder() *finder {
	return &finder{most: maxHeldOut, limit: math.MaxUint64, held: map[heldText]int{}}
}

func hashText(text string) uint64 {
	h := sha256.New()
	h.Write([]byte(text))
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// hold adds a text of held-out split number split.
func (s *finder) hold(split int, text string) {
	if text == "" {
		return
	}
	h := hashText(text)
	if h > s.limit {
		return
	}
	s.held[heldText{h, split}]++
	for len(s.held) > s.most {
		s.limit /= 2
		for k := range s.held {
			if k.hash > s.limit {
				delete(s.held, k)
			}
		}
	}
}

// train adds a text for training; splits is the number of held-out splits.
func (s *finder) train(text string, splits int) {
	if text == "" || len(s.held) == 0 {
		return
	}
	h := hashText(text)
	if h > s.limit {
		return
	}
	for i := range splits {
		if k := (heldText{h, i}); s.held[k] > 0 {
			s.held[k] = -s.held[k]
		}
	}
}

// count gives the result for a held-out split.
func (s *finder) count(split int) (n SharedTexts) {
	for k, rows := range s.held {
		if k.split != split {
			continue
		}
		if rows < 0 {
			rows = -rows
			n.Shared += int64(rows)
		}
		n.Rows += int64(rows)
	}
	return n
}
