package recipes

import (
	"errors"
	"slices"

	"hone/trainer/model"
)

// Adapter are the keys of [stage.adapter], by PEFT's names.
type Adapter struct {
	PeftType        string             `toml:"peft_type" doc:"kind of adapter: LORA, a pair of small matrices beside each of some layers"`
	R               int                `toml:"r" doc:"rank of the pairs"`
	LoraAlpha       float64            `toml:"lora_alpha" doc:"factor of what a pair adds, divided by its rank"`
	UseRSLoRA       bool               `toml:"use_rslora" doc:"divides it by the root of the rank instead"`
	UseDoRA         bool               `toml:"use_dora" doc:"trains the norms of the matrices' rows by themselves, beside pairs for their directions (DoRA)"`
	LoraDropout     float64            `toml:"lora_dropout" doc:"share of a pair's inputs that a step leaves out"`
	InitLoraWeights string             `toml:"init_lora_weights" doc:"how the first matrix of a pair starts: gaussian, or \"\", uniform; the second one starts as zeros"`
	TargetModules   model.Names        `toml:"target_modules" doc:"layers that get a pair: a list of names or of their ends, a regular expression that matches whole names, or \"all-linear\", all but the output layer; []: those that PEFT has for the family"`
	ExcludeModules  model.Names        `toml:"exclude_modules" doc:"layers that get none, named in the same way"`
	ModulesToSave   []string           `toml:"modules_to_save" doc:"modules that are trained and saved whole, by the ends of their names; a new head is among them"`
	RankPattern     map[string]int     `toml:"rank_pattern,omitempty" doc:"ranks of modules whose names end in a match of a regular expression"`
	AlphaPattern    map[string]float64 `toml:"alpha_pattern,omitempty" doc:"lora_alpha of such modules"`
}

// peftTypes are the kinds of adapters.
var peftTypes = []string{"LORA"}

func defaultAdapter() Adapter { return Adapter{PeftType: peftTypes[0], R: 8, LoraAlpha: 8} }

// LoRA is what the keys say.
func (a *Adapter) LoRA() *model.LoRA {
	return &model.LoRA{
		R: a.R, Alpha: a.LoraAlpha, RSLoRA: a.UseRSLoRA, DoRA: a.UseDoRA, Dropout: a.LoraDropout, Init: model.LoRAInit(a.InitLoraWeights),
		Targets: a.TargetModules, Excluded: a.ExcludeModules, Saved: a.ModulesToSave, RankPattern: a.RankPattern, AlphaPattern: a.AlphaPattern,
	}
}

// adapter checks a stage that trains one.
func (d *decoder) adapter(r *Recipe, s *Stage, at string) {
	a := s.Adapter
	at += "adapter."
	d.oneOf(at+"peft_type", a.PeftType, peftTypes)
	d.positive(at+"r", a.R, 1)
	d.above(at+"lora_alpha", a.LoraAlpha)
	if !(a.LoraDropout >= 0 && a.LoraDropout < 1) {
		d.fault(at+"lora_dropout", "%g is not 0 or more and below 1", a.LoraDropout)
	}
	if !slices.Contains(model.LoRAInits, model.LoRAInit(a.InitLoraWeights)) {
		d.fault(at+"init_lora_weights", "%q is not known; known are \"\" and gaussian", a.InitLoraWeights)
	}
	if s.From == "" {
		d.fault(at+"peft_type", "from is missing: an adapter stands beside a trained model, and not beside random weights")
	}
	if s.Trainable != "" {
		d.fault(at+"peft_type", "trainable = %q beside an adapter, which leaves the model as it is: modules_to_save names what is trained whole", s.Trainable)
	}
	if r.Model.Family == nil || a.R < 1 {
		return // a fault already
	}
	c := r.Model
	c.SetLabels([]string{"", ""}) // any
	_, err := a.LoRA().Pairs(c, s.Head())
	var fault *model.KeyError
	switch {
	case errors.As(err, &fault):
		hint := ""
		if len(fault.Known) > 0 {
			hint = suggest(fault.Name, fault.Known)
		}
		key := fault.Key
		if fault.Name != "" {
			d.fault(at+key, "%q %v%s", fault.Name, fault.Err, hint)
		} else {
			d.fault(at+key, "%v%s", fault.Err, hint)
		}
	case err != nil:
		d.fault(at+"peft_type", "%v", err)
	}
}
