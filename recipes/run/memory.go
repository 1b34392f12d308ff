package run

import (
	"fmt"
	"math"

	"hone/recipes"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// fits refuses a recipe whose stages need more memory than the machine has, before any work: the
// system would end the process in the middle of it.
func fits(r *recipes.Recipe, say func(string)) error {
	most := int64(0)
	for i := range r.Stages {
		s := &r.Stages[i]
		if !s.Trains() {
			continue
		}
		p, err := newStageParts(r, s, []string{"0", "1"}) // labels are not known yet, and weigh little
		if err != nil {
			return recipes.Input(fmt.Errorf("stage %s: %w", s.Name, err))
		}
		need := p.bytes(s) + processBytes
		if err := enough(need); err != nil {
			return recipes.Input(fmt.Errorf("stage %s: %w", s.Name, err))
		}
		most = max(most, need)
	}
	if _, free := cpu.Memory(); free > 0 && most > free {
		say(fmt.Sprintf("warning: the run needs %s of memory, and %s are free now: the system may end this process", gigabytes(most), gigabytes(free)))
	}
	return nil
}

// enough refuses a need of more memory than the machine has.
func enough(need int64) error {
	if total, _ := cpu.Memory(); need > total {
		return fmt.Errorf("needs %s of memory, this machine has %s\nhint: a smaller model, micro_batch_size or sequence_length needs less, and so does recompute = true", gigabytes(need), gigabytes(total))
	}
	return nil
}

// added is a + b, or the greatest int64 where that overflows.
func added(a, b int64) int64 {
	if a < 0 || b < 0 || a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// arenas is the size of the arenas that a program does not share.
func arenas(p *exec.Program) int64 {
	return added(int64(p.Size(exec.Cache)), added(int64(p.Size(exec.Input)), int64(p.Size(exec.Scratch))))
}

// gigabytes formats a number of bytes for people, in powers of 1000.
func gigabytes(n int64) string {
	switch {
	case n == math.MaxInt64:
		return "more than 9,000,000,000 GB"
	case n < 1e9:
		return fmt.Sprintf("%d MB", (n+999_999)/1e6)
	case n < 10e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.0f GB", float64(n)/1e9)
}
