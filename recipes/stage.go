package recipes

import (
	"fmt"
	"maps"
	"reflect"

	"hone/data"
	"hone/data/task"
	"hone/trainer/model"
)

// A Stage is one step of the way. Its keys come in groups; which of them a stage has follows
// from its kind and its objective: the tag of names kinds, or kind/objective, and a group
// without it is of all; finetune+KEY are the kinds of tasks that follow KEY. Groups that a stage does not have
// are zero.
type Stage struct {
	Common
	Training    `of:"pretrain finetune"`
	Packing     `of:"pretrain/masked finetune"`
	Pretraining `of:"pretrain"`
	Masking     `of:"pretrain/masked"`
	Permuting   `of:"pretrain/permutation"`
	Corruption  `of:"pretrain/span_corruption"`
	Writing     `of:"finetune+eval_generate"`
	Targets     `of:"pretrain/span_corruption finetune+max_target_length"`
	Tasked      `of:"finetune evaluate"`
	Finetuning  `of:"finetune"`
	Vectors     `of:"finetune+loss"`
	Stopping    `of:"finetune"`
	Deciding    `of:"finetune"`
	Evaluating  `of:"evaluate"`

	Auto bool `toml:"-"` // Precision was "auto"

	task *task.Task // that Task names; nil: none
}

// Common are the keys of every stage.
type Common struct {
	Name          string `toml:"name" need:"yes" doc:"name of the stage and of its directory in the run's; other stages call it by it"`
	Kind          string `toml:"kind" need:"yes" doc:"what the stage does: learn from text (pretrain), learn labels (finetune), measure models (evaluate)"`
	Corpus        string `toml:"corpus" doc:"name of the corpus that the stage reads, NAME of its [corpus.NAME]; may be left out where the recipe has one corpus"`
	EvalDocuments int    `toml:"eval_documents" unit:"documents" doc:"documents of the split that are scored, at most, by validation while training and by a stage of kind evaluate; 0: all"`
}

// Tasked are the keys of stages of a task.
type Tasked struct {
	Task string `toml:"task,omitempty" doc:"task that is learned, or that models are evaluated on: the name of a built-in one or of a [task.NAME] of the recipe, or a TOML file; \"\": labels of the column label in fine-tuning, and in an evaluation what the models have learned"`
}

// Targets are the keys of stages that write texts with a decoder of its own.
type Targets struct {
	MaxTargetLength int `toml:"max_target_length" unit:"tokens" doc:"length of a decoder's row, in models that have an encoder beside it; 0: what a row of one text needs, or that of the encoder"`
}

// SetTask makes a stage one of another task of the same kind.
func (s *Stage) SetTask(t *task.Task) { s.task = t }

// TaskOf is the task that a stage names; nil: it names none.
func (s *Stage) TaskOf() *task.Task { return s.task }

// stageKinds are the kinds of stages.
var stageKinds = []string{"pretrain", "finetune", evaluate}

// evaluate is the kind of the stages that train nothing.
const evaluate = "evaluate"

// Head is that of the stage's model.
func (s *Stage) Head() model.Head {
	if t := data.TaskOf(s.Learns()); t != nil {
		for _, h := range model.Heads() {
			if h.String() == t.Kind.Head {
				return h
			}
		}
	}
	if s.NextSentence {
		return model.Pretraining
	}
	return model.LanguageModel
}

// Trains says that the stage trains a model.
func (s *Stage) Trains() bool { return s.Kind != evaluate }

func defaultStage() Stage {
	return Stage{
		Common:     Common{EvalDocuments: 256},
		Training:   DefaultTraining(),
		Evaluating: Evaluating{Split: "validation"},
	}
}

// objectives are those of kinds of stages.
func objectives(kinds ...string) (names []string) {
	for _, kind := range kinds {
		switch kind {
		case "pretrain":
			for _, o := range data.Objectives {
				names = append(names, o.String())
			}
		case "finetune":
			for _, k := range task.Kinds {
				if k.Labelled() {
					names = append(names, k.String())
				}
			}
		}
	}
	return names
}

// defaultObjective is what a stage of a kind learns that does not say.
func defaultObjective(kind string) string {
	switch kind {
	case "pretrain":
		return data.Objectives[0].String()
	case "finetune":
		return task.Classification.Name // of texts with a label, which any file has
	}
	return ""
}

// stage fills one from its table: a key of a group that it does not have is a fault.
func (d *decoder) stage(tree map[string]any, at string) Stage {
	kind, _ := tree["kind"].(string)
	objective, _ := tree["objective"].(string)
	name, _ := tree["task"].(string)
	t, ofTask := d.tasks[taskName(name)]
	if ofTask && objective == "" && kind == "finetune" {
		objective = t.Kind
	}
	if objective == "" {
		objective = defaultObjective(kind)
	}
	own, s := maps.Clone(tree), defaultStage()
	var structs []reflect.Value
	for _, g := range groups() {
		f := g.in(&s)
		if g.has(kind, objective) {
			structs = append(structs, f)
			continue
		}
		_, keys := tagged(f)
		for _, k := range keys {
			if _, ok := own[k]; ok && !d.earlier {
				d.fault(join(at, k), "%s", g.only(kind, objective))
			}
			delete(own, k)
		}
		f.SetZero()
	}
	d.table(own, at, structs...)
	if ofTask && s.Task != "" {
		s.Task = taskName(name)
		var err error
		if s.task, err = t.Compile(); err != nil && !d.earlier {
			d.fault(join(at, "task"), "%v", err)
		}
		if kind == "finetune" && s.Objective == "" {
			s.Objective = t.Kind
		}
	}
	return s
}

// written is a Stage as TOML: groups that it does not have are nil.
type written struct {
	*Common
	*Training
	*Packing
	*Pretraining
	*Masking
	*Permuting
	*Corruption
	*Writing
	*Targets
	*Tasked
	*Finetuning
	*Vectors
	*Stopping
	*Deciding
	*Evaluating
}

func (s *Stage) written() (w written) {
	for _, g := range groups() {
		if g.has(s.Kind, s.Objective) {
			reflect.ValueOf(&w).Elem().FieldByName(g.name).Set(g.in(s).Addr())
		}
	}
	return w
}

// Stage finds a stage by name.
func (r *Recipe) Stage(name string) (*Stage, error) {
	for i := range r.Stages {
		if r.Stages[i].Name == name {
			return &r.Stages[i], nil
		}
	}
	return nil, fmt.Errorf("recipe %s has no stage %q", r.Name, name)
}
