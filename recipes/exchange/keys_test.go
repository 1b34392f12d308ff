package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/eval/generate"
	hexec "hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// Each key of a config.json that transformers looks at (keys.py has made the table) is a field,
// has no effect, or may have certain values only; none is unknown.
func TestConfigKeys(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(huggingFaceDir, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Base, Generation []string
		Families         map[string]struct {
			Fields      map[string]any
			Aliases     map[string]string
			Taken, Read []string
		}
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	for _, kind := range model.ModelTypes {
		f, ok := table.Families[kind]
		if !ok {
			if kind != "palm" { // transformers has none
				t.Errorf("no keys of %s", kind)
			}
			continue
		}
		keys := slices.Concat(table.Base, table.Generation, f.Taken, f.Read, slices.Collect(maps.Keys(f.Fields)), slices.Collect(maps.Keys(f.Aliases)))
		if len(keys) < 70 {
			t.Errorf("%s: only %d keys", kind, len(keys))
		}
		config := map[string]any{"model_type": kind, "made_up_key": 1}
		for _, key := range keys {
			if key != "model_type" {
				config[key] = nil
			}
		}
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		unknown, err := model.UnknownKeys(text)
		if err != nil {
			t.Fatal(err)
		}
		if unknown = slices.DeleteFunc(unknown, generate.KnownSetting); !slices.Equal(unknown, []string{"made_up_key"}) {
			t.Errorf("%s: unknown keys %q: say in its keys() whether they are without effect, or which values change nothing", kind, unknown)
		}
	}
}

// One key of a model's config.json at a time is changed, or a tensor that is stored beside a tied
// one: what transformers makes of it (changes.py has asked it) is what hone does, or is refused.
func TestConfigChanges(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(huggingFaceDir, "changes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		IDs     []int32
		Changes []struct {
			Model   string
			Set     map[string]any
			Remove  []string
			Copy    []string // the name that a tensor gets, and its own
			Reverse bool     // its rows
			Alone   bool     // and no longer under its own name
			Result  any
		}
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()

	type unchanged struct {
		name    string
		config  map[string]any
		tensors []checkpoint.Tensor // F32
		read    model.Config
		match   *model.Match
		logits  []float32
	}
	var base *unchanged
	counts := map[string]int{}
	for _, c := range ref.Changes {
		what := fmt.Sprintf("%s: %v without %v, %v reversed %v", c.Model, c.Set, c.Remove, c.Copy, c.Reverse)
		if base == nil || base.name != c.Model {
			base = &unchanged{name: c.Model, config: map[string]any{}}
			b, err := os.ReadFile(filepath.Join(huggingFaceDir, c.Model, checkpoint.ConfigFile))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &base.config); err != nil {
				t.Fatal(err)
			}
			w, err := checkpoint.OpenWeights(filepath.Join(huggingFaceDir, c.Model))
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range w.Tensors() {
				var b bytes.Buffer
				if err := w.Copy(t.Context(), &b, i, "F32"); err != nil {
					t.Fatal(err)
				}
				x.Data = b.Bytes()
				base.tensors = append(base.tensors, x)
			}
			w.Close()
		}
		config := maps.Clone(base.config)
		maps.Copy(config, c.Set)
		for _, key := range c.Remove {
			delete(config, key)
		}
		tensors := slices.Clone(base.tensors)
		if len(c.Copy) > 0 {
			at := slices.IndexFunc(tensors, func(x checkpoint.Tensor) bool { return x.Name == c.Copy[1] })
			x := tensors[at]
			if x.Name = c.Copy[0]; c.Reverse {
				x.Data = nil
				row := len(tensors[at].Data) / x.Shape[0]
				for r := x.Shape[0] - 1; r >= 0; r-- {
					x.Data = append(x.Data, tensors[at].Data[r*row:][:row]...)
				}
			}
			if c.Alone {
				tensors = slices.Delete(tensors, at, at+1)
			}
			tensors = append(tensors, x)
		}
		read, err := readConfig(t, config)
		m := base.match
		if unchanged := m != nil && len(c.Copy) == 0 && reflect.DeepEqual(read, base.read); err == nil && !unchanged {
			m, err = matchTensors(read, tensors)
		}
		if err != nil { // refused
			counts["refused"]++
			if c.Result == "same" {
				counts["refused without need"]++
				t.Logf("%s: refused without need: %v", what, err)
			}
			named := len(c.Set) == 0 || strings.Contains(err.Error(), "tensor ")
			for key := range c.Set {
				for _, name := range append(together[key], key) {
					named = named || strings.Contains(err.Error(), name)
				}
			}
			if !named {
				t.Errorf("%s: does not name the key: %v", what, err)
			}
			if len(c.Set)+len(c.Remove)+len(c.Copy) == 0 {
				t.Fatalf("%s: %v", what, err)
			}
			continue
		}
		if c.Result == "error" {
			counts["read, where transformers fails"]++
			t.Logf("%s: read, where transformers fails", what)
			continue
		}
		if c.Result == "generation" {
			t.Errorf("%s: transformers writes another text", what)
			continue
		}
		var logits []float32
		if m == base.match {
			logits = base.logits
		} else {
			logits = logitsOf(t, dev, m, tensors, ref.IDs)
			counts["computed"]++
		}
		var want []float64
		switch r := c.Result.(type) {
		case string:
			counts["same"]++
			want = sampled(base.logits)
		case []any:
			counts["other"]++
			for _, v := range r {
				want = append(want, v.(float64))
			}
		}
		if len(c.Set)+len(c.Remove)+len(c.Copy) == 0 {
			base.read, base.match, base.logits = read, m, logits
		}
		got := sampled(logits)
		for i, v := range want {
			if len(got) != len(want) || !(math.Abs(v-got[i]) <= 2e-5*(1+math.Abs(v))) {
				t.Errorf("%s: logits %v, want %v", what, got, want)
				break
			}
		}
	}
	t.Logf("%d changes: %v", len(ref.Changes), counts)
	if len(ref.Changes) < 2000 || counts["other"] < 100 {
		t.Errorf("only %d changes", len(ref.Changes))
	}
}

// together are keys of which one can be said for the other.
var together = map[string][]string{
	"id2label": {"num_labels"}, "rope_parameters": {"rope_scaling"}, "feed_forward_proj": {"dense_act_fn", "is_gated_act"},
	"hidden_size": {"d_head"}, "num_attention_heads": {"d_head"},
}

// sampled are the number of logits and eight of them.
func sampled(logits []float32) []float64 {
	n := len(logits)
	list := []float64{float64(n)}
	for i := range 8 {
		list = append(list, float64(logits[i*n/8]))
	}
	return list
}

func readConfig(t *testing.T, keys map[string]any) (model.Config, error) {
	t.Helper()
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	return model.ReadConfig(bytes.NewReader(text))
}

// matchTensors is what Import makes of a configuration and tensors.
func matchTensors(c model.Config, tensors []checkpoint.Tensor) (*model.Match, error) {
	h, err := c.Head()
	if err != nil {
		return nil, err
	}
	var stored []model.Stored
	for _, x := range tensors {
		stored = append(stored, model.Stored{Name: x.Name, Shape: x.Shape})
	}
	return model.MatchTensors(c, h, stored, func(i, j int) (bool, error) { return bytes.Equal(tensors[i].Data, tensors[j].Data), nil })
}

// logitsOf are a model's logits, of the tensors that it has been matched with.
func logitsOf(t *testing.T, dev hexec.Device, m *model.Match, tensors []checkpoint.Tensor, ids []int32) []float32 {
	t.Helper()
	// What is read back is what Import has written.
	text, err := m.Config.JSON()
	if err != nil {
		t.Fatal(err)
	}
	c, err := model.ReadConfig(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	h, err := c.Head()
	if err != nil {
		t.Fatal(err)
	}
	if h == model.Pretraining {
		h = model.LanguageModel
	}
	net, err := model.NewNetwork(dev, hexec.F32, c, model.Options{Head: h})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range net.Layout().Params {
		x, ok := tensors[m.From[p.Name]], false
		if _, ok = m.From[p.Name]; !ok {
			t.Fatalf("no tensor for %s", p.Name)
		}
		values := make([]float32, p.Elems)
		for i := range values {
			values[i] = math.Float32frombits(uint32(x.Data[4*i]) | uint32(x.Data[4*i+1])<<8 | uint32(x.Data[4*i+2])<<16 | uint32(x.Data[4*i+3])<<24)
		}
		if err := net.SetWeight(p.Name, values); err != nil {
			t.Fatal(err)
		}
	}
	logits := headLogits(t, &pretrained.Model{Config: net.Config(), Head: h, Net: net}, ids)
	if net.Config().ModelType == "xlnet" && h == model.LanguageModel { // see check.py: the first token sees none
		return logits[c.VocabSize:]
	}
	return logits
}
