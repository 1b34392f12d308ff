package cpu

import (
	"math"

	"hone/trainer/exec"
)

// goalLoss: x(R,K), goals(R,K), weights(R) -> loss(1), error(R). It is little work, and one thread does it.
func goalLoss[T float](_ *Device, in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 5); err != nil {
		return err
	}
	r, k, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	x, goals, weights, loss, errs := view[T](args[0]), view[T](args[1]), view[T](args[2]), view[T](args[3]), view[T](args[4])
	if len(goals) != len(x) || len(weights) != r || len(loss) != 1 || len(errs) != r {
		return mismatch(in, args)
	}
	sum := 0.0
	for row := range r {
		total := 0.0
		for i := row * k; i < (row+1)*k; i++ {
			v, goal := float64(x[i]), float64(goals[i])
			switch {
			case in.Op == exec.OpSquaredError:
				total += float64((v - goal) * (v - goal))
			case goal > 0 && goal != 1:
				total += float64(goal * (max(-v, 0) + math.Log1p(math.Exp(-math.Abs(v)))))
			default: // without overflow
				total += max(v, 0) - float64(v*goal) + math.Log1p(math.Exp(-math.Abs(v)))
			}
		}
		errs[row] = T(total / float64(k))
		sum += float64(float64(weights[row]) * (total / float64(k)))
	}
	loss[0] = T(sum)
	return nil
}

// goalLossGrad: x, goals, weights, dloss(1) -> dx(R,K).
func goalLossGrad[T float](_ *Device, in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 5); err != nil {
		return err
	}
	r, k, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	x, goals, weights, dloss, dx := view[T](args[0]), view[T](args[1]), view[T](args[2]), view[T](args[3]), view[T](args[4])
	if len(goals) != len(x) || len(weights) != r || len(dloss) != 1 || len(dx) != len(x) {
		return mismatch(in, args)
	}
	for row := range r {
		factor := float64(float64(dloss[0])*float64(weights[row])) / float64(k)
		for i := row * k; i < (row+1)*k; i++ {
			v, goal := float64(x[i]), float64(goals[i])
			switch {
			case in.Op == exec.OpSquaredErrorGrad:
				dx[i] = T(2 * float64(factor*(v-goal)))
			case goal > 0 && goal != 1:
				dx[i] = T(-factor * goal / (1 + math.Exp(v)))
			default:
				dx[i] = T(factor * (1/(1+math.Exp(-v)) - goal))
			}
		}
	}
	return nil
}
