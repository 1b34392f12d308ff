package recipes

import "hone/optim"

// NewOptimizer is the optimiser of a stage that trains, at one of its learning rates.
func NewOptimizer(s *Stage, rate float64) (*optim.Optimizer, error) {
	return optim.New(optim.Config{
		Name: s.Optim, LR: rate, Beta1: s.AdamBeta1, Beta2: s.AdamBeta2, Eps: s.AdamEpsilon,
		Momentum: s.Momentum, WeightDecay: s.WeightDecay, MaxGradNorm: s.MaxGradNorm, EMADecay: s.EMADecay, LayerDecay: s.LayerwiseLRDecay,
	})
}

// NewSchedule is the learning rate of such a stage, step by step.
func NewSchedule(s *Training, rate float64) (optim.Schedule, error) {
	c := optim.ScheduleConfig{Kind: s.LRSchedulerType, LR: rate, Steps: s.Steps, WarmupSteps: s.WarmupSteps, MinLRRatio: s.MinLRRatio}
	switch c.Kind {
	case "constant", "inverse_sqrt": // have no end
		c.MinLRRatio = 0
	case "warmup_stable_decay":
		c.DecaySteps, c.DecayType = s.decaySteps(), s.DecayType
	}
	return optim.NewSchedule(c)
}
