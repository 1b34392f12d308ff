package recipes

import (
	"fmt"
	"strconv"
	"strings"
)

// Seeds are those that a stage is trained with in turn: a list, or so many from the recipe's seed on. Without either it
// is the recipe's.
type Seeds struct {
	Count int
	List  []int
}

// MarshalTOML writes what has been set.
func (s Seeds) MarshalTOML() ([]byte, error) {
	if s.List == nil {
		return []byte(strconv.Itoa(s.Count)), nil
	}
	return []byte("[" + strings.Trim(strings.ReplaceAll(fmt.Sprint(s.List), " ", ", "), "[]") + "]"), nil
}

// SeedsFrom are the seeds of a stage of a recipe with this one.
func (s *Training) SeedsFrom(seed int) []int {
	switch {
	case s.Seeds == nil:
		return []int{seed}
	case s.Seeds.List != nil:
		return s.Seeds.List
	}
	var list []int
	for i := range s.Seeds.Count {
		list = append(list, seed+i)
	}
	return list
}

// Trials are the numbers of learning rates and seeds of a stage, each with each.
func (s *Training) Trials(seed int) int { return len(s.LearningRate) * len(s.SeedsFrom(seed)) }

// seeds are those that a value of a recipe says; nil: it is a fault.
func (d *decoder) seeds(x any, path string) *Seeds {
	const want = "want a number of seeds, such as 5, or a list of different seeds, such as [1, 2, 3]"
	least := func(v any, n int64) bool { i, ok := v.(int64); return ok && i >= n && i <= maxRow }
	list, ok := x.([]any)
	if !ok {
		if !least(x, 1) {
			d.fault(path, "%s, not %s", want, describe(x))
			return nil
		}
		return &Seeds{Count: int(x.(int64))}
	}
	s := new(Seeds)
	seen := map[int64]bool{}
	for i, e := range list {
		switch n, _ := e.(int64); {
		case !least(e, 0):
			d.fault(path, "%s; entry %d is %s", want, i+1, describe(e))
			return nil
		case seen[n]:
			d.fault(path, "%s; %d comes twice", want, n)
			return nil
		default:
			seen[n] = true
			s.List = append(s.List, int(n))
		}
	}
	if len(list) == 0 {
		d.fault(path, "%s; the list is empty", want)
		return nil
	}
	return s
}
