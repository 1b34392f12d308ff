package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"hone/trainer/exec"
)

// LoRA is what PEFT's adapter_config.json says of low-rank pairs.
type LoRA struct {
	R            int                `json:"r"`
	Alpha        float64            `json:"lora_alpha"` // a pair is scaled by it, divided by the rank
	RSLoRA       bool               `json:"use_rslora"` // or by the root of the rank (Kalajdzievski 2023)
	DoRA         bool               `json:"use_dora"`
	Dropout      float64            `json:"lora_dropout"`
	Init         LoRAInit           `json:"init_lora_weights"`
	Targets      Names              `json:"target_modules"` // none: the family's
	Excluded     Names              `json:"exclude_modules"`
	Saved        []string           `json:"modules_to_save"` // ends of names of modules that are trained whole
	RankPattern  map[string]int     `json:"rank_pattern"`    // of modules whose names end in a match of a regular expression
	AlphaPattern map[string]float64 `json:"alpha_pattern"`
}

// LoRAInit is how pairs start: "" or "gaussian".
type LoRAInit string

// LoRAInits are the names of init_lora_weights.
var LoRAInits = []LoRAInit{"", "gaussian"}

// UnmarshalJSON reads true, which is "".
func (i *LoRAInit) UnmarshalJSON(b []byte) error {
	if s := string(b); s == "true" || s == "false" || s == "null" {
		*i = ""
		return nil // how a pair has started changes no trained one
	}
	return json.Unmarshal(b, (*string)(i))
}

// MarshalJSON writes it as PEFT has it.
func (i LoRAInit) MarshalJSON() ([]byte, error) {
	if i == "" {
		return []byte("true"), nil
	}
	return json.Marshal(string(i))
}

// Names are modules: those of a list, whose names are equal to one of its names or end with it, behind a dot; those whose
// names a regular expression matches whole; or with AllLinear all matrices but the output layer.
type Names struct {
	List    []string
	Pattern string
}

// AllLinear is the Pattern of all matrices but the output layer.
const AllLinear = "all-linear"

// Empty says that no module is named.
func (n Names) Empty() bool { return len(n.List) == 0 && n.Pattern == "" }

// UnmarshalJSON reads a list, a string or null.
func (n *Names) UnmarshalJSON(b []byte) error {
	*n = Names{}
	if strings.HasPrefix(string(b), "[") {
		return json.Unmarshal(b, &n.List)
	}
	if string(b) == "null" {
		return nil
	}
	return json.Unmarshal(b, &n.Pattern)
}

// MarshalJSON is the reverse.
func (n Names) MarshalJSON() ([]byte, error) {
	switch {
	case n.Pattern != "":
		return json.Marshal(n.Pattern)
	case len(n.List) == 0:
		return []byte("null"), nil
	}
	return json.Marshal(n.List)
}

// MarshalTOML writes a list or a string.
func (n Names) MarshalTOML() ([]byte, error) {
	if n.Pattern != "" {
		return json.Marshal(n.Pattern)
	}
	if n.List == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(n.List)
}

// ends says that a module is called so, or ends so behind a dot.
func ends(module, name string) bool { return module == name || strings.HasSuffix(module, "."+name) }

// A KeyError is a fault of one of PEFT's keys. Known are the names that it could have meant.
type KeyError struct {
	Key, Name string
	Err       error
	Known     []string
}

func (e *KeyError) Error() string {
	if e.Name != "" {
		return fmt.Sprintf("%s: %q %v", e.Key, e.Name, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Key, e.Err)
}

func (e *KeyError) Unwrap() error { return e.Err }

// test gives a test of a module's name.
func (n Names) test(key string) (func(module string) bool, error) {
	if n.Pattern == "" {
		return func(module string) bool {
			return slices.ContainsFunc(n.List, func(name string) bool { return ends(module, name) })
		}, nil
	}
	re, err := regexp.Compile(`^(?:` + n.Pattern + `)$`)
	if err != nil {
		return nil, &KeyError{Key: key, Name: n.Pattern, Err: fmt.Errorf("is no regular expression: %v", err)}
	}
	return re.MatchString, nil
}

// matches is test, and refuses a list with a name that no module has.
func (n Names) matches(key string, modules []Module) (func(module string) bool, error) {
	for _, name := range n.List {
		if !slices.ContainsFunc(modules, func(m Module) bool { return ends(m.Name, name) }) {
			return nil, &KeyError{Key: key, Name: name, Err: fmt.Errorf("is no module of the model"), Known: shortNames(modules)}
		}
	}
	return n.test(key)
}

// shortNames are the last parts of modules' names.
func shortNames(modules []Module) (names []string) {
	for _, m := range modules {
		if name := m.Name[strings.LastIndexByte(m.Name, '.')+1:]; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Pairs decides which modules of a model get a pair, as PEFT does. An error is a *KeyError.
func (l *LoRA) Pairs(c Config, h Head) (*Adapter, error) {
	modules, err := Modules(c, h)
	if err != nil {
		return nil, err
	}
	if l.DoRA && l.Dropout > 0 {
		return nil, &KeyError{Key: "use_dora", Err: fmt.Errorf("true is not supported with lora_dropout above 0")}
	}
	a := &Adapter{Pairs: map[string]Pair{}, Saved: l.saved(c, h), Dropout: l.Dropout}
	targets := l.Targets
	if targets.Empty() {
		if targets.List = c.Traits().Adapted; targets.Empty() {
			return nil, &KeyError{Key: "target_modules", Err: fmt.Errorf("missing: PEFT has no default for %s; want a list of modules, a regular expression or %q", c.ModelType, AllLinear), Known: shortNames(modules)}
		}
	}
	chosen := func(m Module) bool { return m.Kind != Embedding && !m.Output }
	if !strings.EqualFold(targets.Pattern, AllLinear) {
		match, err := targets.matches("target_modules", modules)
		if err != nil {
			return nil, err
		}
		chosen = func(m Module) bool { return match(m.Name) }
	}
	excluded, err := l.Excluded.matches("exclude_modules", modules)
	if err != nil {
		return nil, err
	}
	ranks, err := newPatterns("rank_pattern", l.RankPattern)
	if err != nil {
		return nil, err
	}
	alphas, err := newPatterns("alpha_pattern", l.AlphaPattern)
	if err != nil {
		return nil, err
	}
	var adapted []Module
	for _, m := range modules {
		if !chosen(m) || excluded(m.Name) || a.saves(m.Name+".") {
			continue
		}
		r, err := ranks.of(m.Name, l.R)
		if err != nil {
			return nil, err
		}
		alpha, err := alphas.of(m.Name, l.Alpha)
		if err != nil {
			return nil, err
		}
		if r < 1 || r > min(m.In, m.Out) {
			return nil, &KeyError{Key: "r", Err: fmt.Errorf("%d beside %s, whose matrix is %d × %d: want a rank from 1 to %d", r, m.Name, m.Out, m.In, min(m.In, m.Out))}
		}
		adapted = append(adapted, m)
		a.Pairs[m.Name] = Pair{Rank: r, Scale: l.scale(r, alpha), Gaussian: l.Init == "gaussian", DoRA: l.DoRA}
	}
	if len(a.Pairs) == 0 {
		return nil, &KeyError{Key: "target_modules", Name: targets.Pattern, Err: fmt.Errorf("matches no module of the model"), Known: shortNames(modules)}
	}
	for _, p := range [...]struct{ key, unused string }{{"rank_pattern", ranks.unused()}, {"alpha_pattern", alphas.unused()}} {
		if p.unused != "" {
			return nil, &KeyError{Key: p.key, Name: p.unused, Err: fmt.Errorf("matches no module that has a pair"), Known: shortNames(adapted)}
		}
	}
	for _, name := range a.Saved {
		if err := savable(c, h, name, !slices.Contains(headModules(c, h), name)); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (l *LoRA) scale(r int, alpha float64) float64 {
	if l.RSLoRA {
		return alpha / math.Sqrt(float64(r))
	}
	return alpha / float64(r)
}

// saved are the modules that are trained whole: those that are named, the ones that PEFT adds for a head, and those of the
// families' heads that PEFT does not know.
func (l *LoRA) saved(c Config, h Head) []string {
	list := slices.Clone(l.Saved)
	for _, name := range headModules(c, h) {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// headModules are the modules of a head that no pretrained model has.
func headModules(c Config, h Head) []string {
	switch h {
	case Classifier, TokenClassifier, MultipleChoice:
		names := []string{"classifier", "score"}
		switch c.ModelType {
		case "xlnet":
			names = append(names, "sequence_summary", "logits_proj")
		case "t5":
			names = append(names, "classification_head")
		}
		return names
	case QuestionAnswering:
		return []string{"qa_outputs"}
	}
	return nil
}

// savable refuses a module that is not there, and one whose matrix is another module's too.
func savable(c Config, h Head, name string, named bool) error {
	b, err := parameters(c, exec.F32, Options{Head: h})
	if err != nil {
		return err
	}
	a := Adapter{Saved: []string{name}}
	found := false
	var known []string
	names := c.Family.tensors(h)
	for _, p := range b.Params() {
		if module := p.Name[:max(0, strings.LastIndexByte(p.Name, '.'))]; !slices.Contains(known, module) {
			known = append(known, module)
		}
		if !a.saves(p.Name) {
			continue
		}
		found = true
		for copy, of := range names.ties {
			if of == p.Name && strings.HasSuffix(p.Name, ".weight") && c.TieWordEmbeddings {
				return &KeyError{Key: "modules_to_save", Name: name, Err: fmt.Errorf("holds %s, which is tied to %s: PEFT would train one of them without the other", p.Name, copy)}
			}
		}
	}
	if named && !found {
		return &KeyError{Key: "modules_to_save", Name: name, Err: fmt.Errorf("is no module of the model with parameters of its own"), Known: known}
	}
	return nil
}

// patterns are the values of rank_pattern or alpha_pattern.
type patterns[V comparable] struct {
	key    string
	values map[string]V
	res    map[string]*regexp.Regexp
	used   map[string]bool
}

func newPatterns[V comparable](key string, values map[string]V) (*patterns[V], error) {
	p := &patterns[V]{key, values, map[string]*regexp.Regexp{}, map[string]bool{}}
	for k := range values {
		re, err := regexp.Compile(`^(?:.*\.)?(?:` + k + `)$`)
		if err != nil {
			return nil, &KeyError{Key: key, Name: k, Err: fmt.Errorf("is no regular expression: %v", err)}
		}
		p.res[k] = re
	}
	return p, nil
}

// of is the value for a module. Where several patterns match, PEFT takes the one that its file names first; here they must
// agree.
func (p *patterns[V]) of(module string, otherwise V) (V, error) {
	by := ""
	for _, k := range slices.Sorted(maps.Keys(p.res)) {
		if !p.res[k].MatchString(module) {
			continue
		}
		p.used[k] = true
		if by != "" && p.values[by] != p.values[k] {
			return otherwise, &KeyError{Key: p.key, Name: k, Err: fmt.Errorf("and %q both match %s, with different values", by, module)}
		}
		by = k
	}
	if by == "" {
		return otherwise, nil
	}
	return p.values[by], nil
}

// unused is a pattern that has matched nothing.
func (p *patterns[V]) unused() string {
	for _, k := range slices.Sorted(maps.Keys(p.res)) {
		if !p.used[k] {
			return k
		}
	}
	return ""
}

// Of is the rank and the scale of a module's pair.
func (l *LoRA) Of(module string) (rank int, scale float64, err error) {
	ranks, err := newPatterns("rank_pattern", l.RankPattern)
	if err != nil {
		return 0, 0, err
	}
	alphas, err := newPatterns("alpha_pattern", l.AlphaPattern)
	if err != nil {
		return 0, 0, err
	}
	if rank, err = ranks.of(module, l.R); err != nil {
		return 0, 0, err
	}
	alpha, err := alphas.of(module, l.Alpha)
	return rank, l.scale(rank, alpha), err
}

// Targeted are the modules that a list of targets names, without those that are trained whole, whichever else it names.
func (l *LoRA) Targeted(modules []Module) (names []string) {
	whole := Adapter{Saved: l.Saved}
	excluded, err := l.Excluded.test("exclude_modules")
	if err != nil {
		return nil // there is none
	}
	for _, m := range modules {
		if !excluded(m.Name) && !whole.saves(m.Name+".") && slices.ContainsFunc(l.Targets.List, func(name string) bool { return ends(m.Name, name) }) {
			names = append(names, m.Name)
		}
	}
	return names
}

// Saves says that a parameter of a model with a head is trained whole.
func (l *LoRA) Saves(c Config, h Head, param string) bool {
	whole := Adapter{Saved: l.saved(c, h)}
	return whole.saves(param)
}

// Part is what a parameter is of a pair.
type Part int

const (
	NoPart Part = iota
	PartA
	PartB
	Magnitude // of DoRA
)

// PairOf is the module of a pair's parameter.
func PairOf(param string) (module string, part Part) {
	for end, part := range map[string]Part{loraA: PartA, loraEmbeddingA: PartA, loraB: PartB, loraEmbeddingB: PartB, loraMagnitude: Magnitude} {
		if module, ok := strings.CutSuffix(param, end); ok {
			return module, part
		}
	}
	return "", NoPart
}
