package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"hone/trainer/exec"
)

// Stored is a tensor of a checkpoint.
type Stored struct {
	Name  string // as in the family's Hugging Face state dict
	Shape []int
}

// A Match says which tensor of a checkpoint each parameter of a model is.
type Match struct {
	Config Config // with the architecture of the head
	Params []exec.ParamInfo
	From   map[string]int // the index of a tensor, by the parameter's name
	Unused []string       // tensors of parts that the model does not have
	Notes  []string       // where the tensors differ from what the configuration says

	copies []copied
	fresh  []string
	faults []error
}

// copied is a tensor that should be a copy of a parameter.
type copied struct {
	tensor int
	name   string // of the tensor, in full
	of     string // the parameter
}

// MatchTensors finds the parameters of a model among the tensors of a checkpoint, like Load, but
// without memory for either. Every tensor that is missing, unexpected or of the wrong shape is an error.
//
// Tied tensors may be stored twice; same says whether two tensors have the same values. Where an output
// layer has other values than the embedding to which the configuration ties it, it is kept as a layer of its
// own, as in transformers. Any other difference is an error.
func MatchTensors(c Config, h Head, tensors []Stored, same func(i, j int) (bool, error)) (*Match, error) {
	if f, ok := c.Family.(T5); ok { // tie_word_embeddings only says whether its outputs are scaled
		if scaled := c.TieWordEmbeddings; f.ScaleDecoderOutputs == nil {
			f.ScaleDecoderOutputs = &scaled
		}
		c.Family, c.TieWordEmbeddings = f, true
	}
	m, err := matchLayout(c, h, tensors, false)
	if err != nil {
		return nil, err
	}
	differ, err := m.compare(same)
	if err != nil {
		return nil, err
	}
	if len(differ) > 0 && c.TieWordEmbeddings {
		own := differ[0]
		c.TieWordEmbeddings = false
		if m, err = matchLayout(c, h, tensors, true); err != nil {
			return nil, err
		}
		if differ, err = m.compare(same); err != nil {
			return nil, err
		}
		m.Notes = append(m.Notes, fmt.Sprintf("%s has other values than %s, to which the configuration ties it: it is kept as it is", own.name, own.of))
	}
	if len(differ) > 0 {
		return nil, fmt.Errorf("model: tensor %s has other values than %s, which a %s takes in its place", differ[0].name, differ[0].of, c.ModelType)
	}
	switch {
	case h == Base:
		m.keepPooler(tensors)
	case h == LanguageModel && c.class(Classifier) != "":
		return m, m.addPooler(c, tensors)
	}
	return m, nil
}

// MatchBase is MatchTensors for a checkpoint that an adapter was made for: parameters of the head may be missing, which are
// given as fresh. With untied, the output layer is one of its own, with the values of the embedding.
func MatchBase(c Config, h Head, tensors []Stored, untied bool) (m *Match, fresh []string, err error) {
	b, err := parameters(c, exec.F32, Options{Head: h})
	if err != nil {
		return nil, nil, err
	}
	l := exec.NewLayout(exec.F32, b.Params())
	m = match(c, h, l, tensors, untied)
	m.Config, m.Params = c, l.Params
	return m, m.fresh, errors.Join(m.faults...)
}

// matchLayout is match without memory for the parameters, all of which must be there.
func matchLayout(c Config, h Head, tensors []Stored, untied bool) (*Match, error) {
	b, err := parameters(c, exec.F32, Options{Head: h})
	if err != nil {
		return nil, err
	}
	c.Architectures = []string{c.class(h)}
	l := exec.NewLayout(exec.F32, b.Params())
	m := match(c, h, l, tensors, untied)
	for _, name := range m.fresh {
		m.faults = append(m.faults, fmt.Errorf("model: tensor %s is missing", name))
	}
	m.Config, m.Params = c, l.Params
	return m, errors.Join(m.faults...)
}

// compare gives the copies that have other values than their parameters. A bias is not among them: there
// the output layer reads the copy.
func (m *Match) compare(same func(i, j int) (bool, error)) (differ []copied, err error) {
	for _, k := range m.copies {
		equal, err := same(k.tensor, m.From[k.of])
		switch {
		case err != nil:
			return nil, err
		case equal:
		case strings.HasSuffix(k.of, ".bias"):
			m.From[k.of] = k.tensor
			m.Notes = append(m.Notes, fmt.Sprintf("%s is read in place of %s, which has other values", k.name, k.of))
		default:
			differ = append(differ, k)
		}
	}
	return differ, nil
}

// keepPooler adds the pooler of a base. In hone only BERT's classifier reads it, but transformers expects to
// find it where it has written one.
func (m *Match) keepPooler(tensors []Stored) {
	for i, t := range tensors {
		if name := t.Name[max(0, strings.Index(t.Name, "pooler.")):]; strings.HasPrefix(name, "pooler.") && slices.Contains(m.Unused, t.Name) {
			elems := 1
			for _, d := range t.Shape {
				elems *= d
			}
			m.From[name] = i
			m.Params = append(m.Params, exec.ParamInfo{Name: name, Shape: t.Shape, Elems: elems})
			m.Unused = slices.DeleteFunc(m.Unused, func(name string) bool { return name == t.Name })
		}
	}
}

// addPooler adds the pooler of a language model's checkpoint, if it has one, for classifiers that begin
// with it: BERT has trained it on next sentences.
func (m *Match) addPooler(c Config, tensors []Stored) error {
	c.SetLabels([]string{"", ""})
	b, err := parameters(c, exec.F32, Options{Head: Classifier})
	if err != nil {
		return err
	}
	l := exec.NewLayout(exec.F32, b.Params())
	names := c.Family.tensors(Classifier)
	for i, t := range tensors {
		p, ok := names.find(l, t.Name)
		if _, have := m.From[p.Name]; ok && !have && strings.Contains(p.Name, "pooler.") && slices.Equal(p.Shape, t.Shape) {
			m.From[p.Name] = i
			m.Params = append(m.Params, p)
			m.Unused = slices.DeleteFunc(m.Unused, func(name string) bool { return name == t.Name })
		}
	}
	return nil
}

// match finds the parameters of a layout. With untied, an output layer may lack a tensor of its own: then it
// starts with the values of the embedding.
func match(c Config, h Head, l *exec.Layout, tensors []Stored, untied bool) *Match {
	m := &Match{From: map[string]int{}}
	fault := func(format string, args ...any) { m.faults = append(m.faults, fmt.Errorf("model: "+format, args...)) }
	names := c.Family.tensors(h)
	take := func(i int, p exec.ParamInfo) {
		if t := tensors[i]; !slices.Equal(p.Shape, t.Shape) {
			fault("tensor %s has shape %v, want %v", t.Name, t.Shape, p.Shape)
		} else if _, dup := m.From[p.Name]; dup {
			fault("tensor %s comes twice", t.Name)
		}
		m.From[p.Name] = i
	}
	for i, t := range tensors {
		if p, ok := names.find(l, t.Name); ok {
			take(i, p)
		} else if name, of, ok := names.tied(l, t.Name); ok {
			m.copies = append(m.copies, copied{i, name, of})
		} else if !slices.ContainsFunc(names.buffers, func(end string) bool { return strings.HasSuffix(t.Name, end) }) {
			if m.Unused = append(m.Unused, t.Name); !lacks(h, names, t.Name) {
				fault("unexpected tensor %s", t.Name)
			}
		}
	}
	headless := h == LanguageModel // as far as has been seen
	for name := range m.From {
		headless = headless && !hasPrefix(name, names.heads)
	}
	copies := m.copies
	m.copies = nil
	for _, k := range copies {
		p, _ := l.Param(k.of)
		if _, ok := m.From[k.of]; !ok {
			take(k.tensor, p) // stored by this name alone
		} else if t := tensors[k.tensor]; slices.Equal(p.Shape, t.Shape) {
			m.copies = append(m.copies, k)
		} else {
			fault("tensor %s has shape %v, want %v", t.Name, t.Shape, p.Shape)
		}
	}
	for _, p := range l.Params {
		if _, ok := m.From[p.Name]; ok {
			continue
		}
		if InAdapter(p.Name) {
			continue
		}
		of, ok := names.ties[p.Name]
		at := slices.IndexFunc(tensors, func(t Stored) bool { return slices.Contains(names.full(t.Name), of) })
		switch {
		case untied && ok && at >= 0:
			take(at, p)
		case (h != LanguageModel || headless) && hasPrefix(p.Name, names.heads):
			m.fresh = append(m.fresh, p.Name)
		default:
			fault("tensor %s is missing", p.Name)
		}
	}
	return m
}

// lacks says that a tensor belongs to a part that only models with other heads have.
func lacks(h Head, names tensors, name string) bool {
	for _, body := range append([]string{"", names.prefix}, names.bodies...) {
		if stem, ok := strings.CutPrefix(name, body); ok && hasPrefix(stem, names.others) {
			return true
		}
	}
	return h != LanguageModel && hasPrefix(name, names.heads)
}

// tensors says how checkpoints of a family name their tensors, for a network with one of its heads.
type tensors struct {
	prefix  string            // of the body, the parameters that all heads share; names in a checkpoint may lack it
	bodies  []string          // that prefix in checkpoints with other heads
	heads   []string          // prefixes of the parameters of heads
	ties    map[string]string // tensors that a tied model may store twice: of the copy, the parameter
	others  []string          // prefixes, in the body or not, of parts that the head at hand lacks
	buffers []string          // suffixes of tensors without effect: buffers of older versions of transformers, parameters that no output reads
}

// of adapts the names to a head: a model without one has no prefix, and all parameters of heads belong to other
// models.
func (n tensors) of(h Head) tensors {
	if h.Headless() {
		n.bodies = append([]string{n.prefix}, n.bodies...)
		n.prefix, n.ties = "", nil
		n.others = append(slices.Clone(n.others), n.heads...)
	}
	return n
}

// outputTie are the ties of heads that predict tokens. names are pairs: a copy's name, then its parameter's.
func outputTie(h Head, names ...string) map[string]string {
	if h != LanguageModel && h != Pretraining {
		return nil
	}
	ties := map[string]string{}
	for i := 0; i < len(names); i += 2 {
		ties[names[i]] = names[i+1]
	}
	return ties
}

// full are the parameters' names that a tensor's name may stand for: with and without the body's prefix, and
// with today's names of norms for gamma and beta of BERT's first checkpoints.
func (n *tensors) full(name string) []string {
	stems := []string{name}
	for _, body := range n.bodies {
		if stem, ok := strings.CutPrefix(name, body); ok {
			stems = append(stems, stem)
		}
	}
	var list []string
	for _, stem := range stems {
		list = append(list, stem, n.prefix+stem, present(stem), n.prefix+present(stem))
	}
	return list
}

// find is the parameter that a tensor holds.
func (n *tensors) find(l *exec.Layout, name string) (exec.ParamInfo, bool) {
	for _, full := range n.full(name) {
		if p, ok := l.Param(full); ok {
			return p, true
		}
	}
	return exec.ParamInfo{}, false
}

// tied is the parameter of which a tensor is a copy, and the full name of the copy.
func (n *tensors) tied(l *exec.Layout, name string) (full, of string, ok bool) {
	for _, full := range n.full(name) {
		if of, ok := n.ties[full]; ok {
			_, ok = l.Param(of)
			return full, of, ok
		}
	}
	return "", "", false
}

// present is today's name of a norm's parameter.
func present(name string) string {
	if stem, ok := strings.CutSuffix(name, ".gamma"); ok {
		return stem + ".weight"
	}
	if stem, ok := strings.CutSuffix(name, ".beta"); ok {
		return stem + ".bias"
	}
	return name
}

// InHead says that a parameter belongs to the head, and not to the body, which models with other heads
// share.
func (c Config) InHead(name string) bool { return hasPrefix(name, c.Family.tensors(Classifier).heads) }

func hasPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// Tied are the weights of the output layer and of the embedding that is stored in its place too; "": each has its own.
func Tied(c Config, h Head) (output, embedding string) {
	if !c.TieWordEmbeddings {
		return "", ""
	}
	if _, ok := c.Family.(PaLM); ok && h == LanguageModel { // which never stores it twice
		return "lm_head.weight", modelBody(h) + "embed_tokens.weight"
	}
	for copy, of := range c.Family.tensors(h).ties {
		if !strings.HasSuffix(copy, ".weight") || strings.Contains(copy, "embed_tokens") {
			continue
		}
		return copy, of
	}
	return "", ""
}
