package eval

import (
	"math"
)

// logistic is multinomial logistic regression with an L2 penalty, as scikit-learn's
// LogisticRegression: the intercepts have no penalty, and two classes have one set of weights.
type logistic struct {
	classes int // columns of weights: 1 for two classes
	weights []float64
	bias    []float64
}

// A sparse is a row of features, in increasing order.
type sparse struct {
	at    []int32
	value []float64
}

// fitLogistic minimises the mean of -ln p of labels in [0, classes) and the squared weights over 2·c
// times the rows, from start or from 0. It stops where no derivative is above tolerance, or after so
// many steps.
func fitLogistic(rows []sparse, labels []int, features, classes int, c, tolerance float64, steps int, start *logistic) *logistic {
	m := &logistic{classes: classes}
	if classes == 2 {
		m.classes = 1
	}
	x := make([]float64, (features+1)*m.classes) // the intercepts come last
	if start != nil {
		copy(x, start.weights)
		copy(x[features*m.classes:], start.bias)
	}
	penalty := 1 / (c * float64(len(rows)))
	scores := make([]float64, m.classes)
	m.weights, m.bias = x[:features*m.classes], x[features*m.classes:]
	loss := func(at, gradient []float64) float64 {
		m.weights, m.bias = at[:features*m.classes], at[features*m.classes:]
		clear(gradient)
		bias := gradient[features*m.classes:]
		sum := 0.0
		for i := range rows {
			m.score(&rows[i], scores)
			sum += residual(scores, labels[i])
			for j, f := range rows[i].at {
				v, g := rows[i].value[j], gradient[int(f)*m.classes:]
				for k, s := range scores {
					g[k] += v * s
				}
			}
			for k, s := range scores {
				bias[k] += s
			}
		}
		n, squares := float64(len(rows)), 0.0
		for i := range gradient {
			gradient[i] /= n
		}
		for i, w := range m.weights {
			gradient[i] += penalty * w
			squares += w * w
		}
		return sum/n + penalty*squares/2
	}
	lbfgs(x, loss, tolerance, steps)
	m.weights, m.bias = x[:features*m.classes], x[features*m.classes:]
	return m
}

// score puts the scores of a row, before softmax or sigmoid, into scores.
func (m *logistic) score(row *sparse, scores []float64) {
	copy(scores, m.bias)
	for j, f := range row.at {
		v, w := row.value[j], m.weights[int(f)*m.classes:]
		for k := range scores {
			scores[k] += v * w[k]
		}
	}
}

// probabilities gives the probability of each class.
func (m *logistic) probabilities(row *sparse) []float64 {
	scores := make([]float64, m.classes)
	m.score(row, scores)
	if m.classes == 1 {
		p := 1 / (1 + math.Exp(-scores[0]))
		return []float64{1 - p, p}
	}
	residual(scores, -1)
	return scores
}

// residual replaces scores by the probabilities, less 1 at the label, and gives -ln p of the label.
// label -1 is none.
func residual(scores []float64, label int) (nats float64) {
	if len(scores) == 1 {
		z := scores[0]
		if label == 0 {
			z = -z
		}
		// -ln sigmoid(z), without overflow
		nats = math.Max(0, -z) + math.Log1p(math.Exp(-math.Abs(z)))
		scores[0] = 1/(1+math.Exp(-scores[0])) - float64(label)
		return nats
	}
	top := scores[0]
	for _, s := range scores {
		top = max(top, s)
	}
	sum := 0.0
	for k, s := range scores {
		if k == label {
			nats = top - s
		}
		scores[k] = math.Exp(s - top)
		sum += scores[k]
	}
	nats += math.Log(sum)
	for k := range scores {
		scores[k] /= sum
	}
	if label >= 0 {
		scores[label]--
	}
	return nats
}

// memory is the number of steps from which lbfgs estimates curvature.
const memory = 5

// lbfgs minimises a convex function from x on by limited-memory BFGS (Nocedal 1980), in place. loss
// gives the value at a point, and puts its derivatives into gradient.
func lbfgs(x []float64, loss func(at, gradient []float64) float64, tolerance float64, steps int) {
	n := len(x)
	type pair struct {
		s, y []float64
		rho  float64
	}
	var past []pair
	g, next, gNext, d := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	value := loss(x, g)
	alpha := make([]float64, memory)
	for range steps {
		worst := 0.0
		for _, v := range g {
			worst = max(worst, math.Abs(v))
		}
		if worst <= tolerance {
			return
		}
		for i, v := range g {
			d[i] = -v
		}
		for k := len(past) - 1; k >= 0; k-- {
			p := &past[k]
			alpha[k] = p.rho * dot(p.s, d)
			add(d, -alpha[k], p.y)
		}
		if len(past) > 0 {
			p := &past[len(past)-1]
			scale := 1 / (p.rho * dot(p.y, p.y))
			for i := range d {
				d[i] *= scale
			}
		}
		for k := range past {
			p := &past[k]
			add(d, alpha[k]-p.rho*dot(p.y, d), p.s)
		}
		slope := dot(g, d)
		if slope >= 0 {
			return // rounding is all that is left
		}
		step := 1.0
		if len(past) == 0 {
			step = min(1, 1/math.Sqrt(dot(g, g)))
		}
		var at float64
		for try := 0; ; try++ {
			copy(next, x)
			add(next, step, d)
			if at = loss(next, gNext); at <= value+1e-4*step*slope {
				break
			}
			// Near the minimum the value is rounded more than the derivatives.
			if math.Abs(at-value) <= 1e-14*math.Abs(value) && dot(gNext, gNext) < dot(g, g) {
				break
			}
			if try == 20 {
				return
			}
			step /= 2
		}
		p := pair{make([]float64, n), make([]float64, n), 0}
		if len(past) == memory {
			p.s, p.y = past[0].s, past[0].y
			past = past[1:]
		}
		for i := range x {
			p.s[i], p.y[i] = next[i]-x[i], gNext[i]-g[i]
		}
		if sy := dot(p.s, p.y); sy > 0 {
			p.rho = 1 / sy
			past = append(past, p)
		}
		copy(x, next)
		g, gNext, value = gNext, g, at
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// add adds f times b to a.
func add(a []float64, f float64, b []float64) {
	for i, v := range b {
		a[i] += f * v
	}
}
