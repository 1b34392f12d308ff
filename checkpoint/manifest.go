package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"hone/checkpoint/file"
	"hone/checkpoint/provenance"
)

// The files of a checkpoint directory. Those that other tools read have Hugging Face's
// names. A checkpoint may have further files, and only the manifest is required.
const (
	ModelFile     = "model.safetensors"
	ConfigFile    = "config.json"
	TokenizerFile = "tokenizer.json"
	OptimizerFile = "optimizer.safetensors"
	StateFile     = "state.json"
	ManifestFile  = "manifest.json"

	// In place of ModelFile, of an adapter: its tensors, and what PEFT has to know of them.
	AdapterFile       = "adapter_model.safetensors"
	AdapterConfigFile = "adapter_config.json"

	// What transformers writes beside its own of these.
	TokenizerConfigFile = "tokenizer_config.json"
	GenerationFile      = "generation_config.json"
	ChatTemplateFile    = "chat_template.jinja"
)

// formatVersion is what this package writes. A hone that meets a higher one
// refuses the checkpoint; every change that an older hone would misread, a new
// field of the manifest among them, raises it.
//
//	1  the first
//	2  recipes, dates, shares and cleaning counts in the provenance
//	3  imports in the provenance
//	4  hashes of the tokenizer and of training splits in the provenance, and a stage
//	   that went on with other data in two origins
//	5  where imports are from, and their licences; the size of corpora
//	6  adapters, and the hashes of their bases
const formatVersion = 6

// Manifest describes a checkpoint: what it is, where it comes from, and the hash of
// each of its files. It contains no time and no path, so that the same run gives the
// same manifest.
type Manifest struct {
	FormatVersion int                `json:"format_version"` // set by Save
	Hone          string             `json:"hone"`           // version of the program
	Stage         string             `json:"stage"`
	Step          int                `json:"step"`
	Kernels       string             `json:"kernels"`          // kernel set: generic, avx2, …
	Device        string             `json:"device,omitempty"` // kind that it was trained on: cpu, …
	Metrics       map[string]float64 `json:"metrics,omitempty"`
	Provenance    []Origin           `json:"provenance,omitempty"` // oldest first
	// BaseSHA256 is the hash of the weights that an adapter was made for; "": it is a whole model.
	BaseSHA256 string               `json:"base_sha256,omitempty"`
	Files      map[string]file.Info `json:"files,omitempty"` // set by Save
	// SHA256 is the hash of the manifest itself with this field empty, so that
	// its own damage shows. Set by Save.
	SHA256 string `json:"sha256"`
}

// Weights is the hash of what a checkpoint has learned: of the model, or of the adapter, which names its base.
func (m Manifest) Weights() string {
	if f, ok := m.Files[AdapterFile]; ok {
		return f.SHA256
	}
	return m.Files[ModelFile].SHA256
}

// Origin is one stage on the way to a checkpoint, with its recipe and its data. A stage
// whose data changed while it was resumed has one for each, in their order.
type Origin struct {
	Stage        string              `json:"stage"`
	Step         int                 `json:"step,omitempty"` // that the next one started from; 0: the last, see Manifest.Step
	RecipeSHA256 string              `json:"recipe_sha256"`
	Recipe       string              `json:"recipe,omitempty"` // resolved, as TOML
	Tokenizer    string              `json:"tokenizer_sha256,omitempty"`
	Corpora      []provenance.Corpus `json:"corpora,omitempty"`
	Imported     *Import             `json:"imported,omitempty"` // no recipe: the model was made elsewhere
}

// Import is a model that was made elsewhere, so that its training data is not known.
type Import struct {
	Name string `json:"name"` // of the model, as its files say, or of its directory
	// The origin of a model from a hub: the address of the hub, the repository and the
	// commit.
	Endpoint string            `json:"endpoint,omitempty"`
	Repo     string            `json:"repo,omitempty"`
	Commit   string            `json:"commit,omitempty"`
	Licence  string            `json:"licence,omitempty"` // as its README.md says
	Files    map[string]string `json:"files"`             // the sha256 of each of its files of weights
}

// Chain returns the provenance of a checkpoint that is trained from the checkpoint of m
// in a stage next.
func (m Manifest) Chain(next Origin) []Origin {
	chain := slices.Clone(m.Provenance)
	if n := len(chain); n > 0 {
		chain[n-1].Step = m.Step
	}
	return append(chain, next)
}

// Continue returns the provenance of a stage that is resumed from its checkpoint m, given
// the provenance that it would have from its beginning. Where its data or its tokenizer have
// changed, the steps so far keep their own origin, changed is true, and the data is read
// from its beginning.
func (m Manifest) Continue(next []Origin) (chain []Origin, changed bool) {
	if len(m.Provenance) == 0 || len(next) == 0 {
		return next, false
	}
	was, now := &m.Provenance[len(m.Provenance)-1], next[len(next)-1]
	switch {
	case was.Stage != now.Stage:
		return next, false
	case was.sameInputs(&now):
		chain = slices.Clone(m.Provenance)
		chain[len(chain)-1] = now
		return chain, false
	}
	return m.Chain(now), true
}

// sameInputs compares by content; a hash that an older hone did not note is not compared.
func (o *Origin) sameInputs(p *Origin) bool {
	same := func(a, b string) bool { return a == b || a == "" || b == "" }
	return same(o.Tokenizer, p.Tokenizer) && slices.EqualFunc(o.Corpora, p.Corpora, func(a, b provenance.Corpus) bool {
		return a.Name == b.Name && same(a.SHA256, b.SHA256) && same(a.Train, b.Train)
	})
}

// encode returns the text of manifest.json.
func (m Manifest) encode() ([]byte, error) {
	for name, value := range m.Metrics {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("%s: metric %q is %v, which JSON cannot hold: leave it out", ManifestFile, name, value)
		}
	}
	text, err := m.seal()
	if err != nil {
		return nil, err
	}
	// Read back what was written: a manifest that a reader refuses (a stage
	// name of invalid UTF-8, for one) must not be published.
	if _, err := decodeManifest(text); err != nil {
		return nil, fmt.Errorf("cannot be read back: %w", err)
	}
	return text, nil
}

// seal computes SHA256 and returns the text with it.
func (m Manifest) seal() ([]byte, error) {
	m.SHA256 = ""
	text, err := m.marshal()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	m.SHA256 = hex.EncodeToString(sum[:])
	return m.marshal()
}

func (m Manifest) marshal() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	return buf.Bytes(), nil
}

// decodeManifest is the inverse of encode; it refuses any other text.
func decodeManifest(text []byte) (Manifest, error) {
	fail := func(format string, args ...any) (Manifest, error) {
		return Manifest{}, fmt.Errorf(ManifestFile+": "+format, args...)
	}
	// The version first: what a newer one holds besides is not known here.
	var version struct {
		FormatVersion int `json:"format_version"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return fail("damaged: %w", err)
	}
	switch v := version.FormatVersion; {
	case v > formatVersion:
		return fail("format version %d is newer than this hone's %d: a newer hone opens it", v, formatVersion)
	case v < 1:
		return fail("damaged: format version %d", v)
	}
	var m Manifest
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return fail("damaged: %w", err)
	}
	want, err := m.seal()
	if err != nil {
		return Manifest{}, err
	}
	if !bytes.Equal(text, want) {
		return fail("damaged: it does not match its own sha256")
	}
	for _, name := range m.names() {
		if err := checkName(name); err != nil {
			return fail("damaged: %w", err)
		}
	}
	return m, nil
}

// names returns the names of the files, sorted.
func (m Manifest) names() []string {
	names := make([]string, 0, len(m.Files))
	for name := range m.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// checkName reports why name cannot be that of a file of a checkpoint, or of a directory in it.
func checkName(name string) error {
	dir, base, below := strings.Cut(name, "/")
	if !below {
		dir, base = "plain", name
	}
	if name == ManifestFile {
		return fmt.Errorf("a file cannot be called %s", ManifestFile)
	}
	for _, part := range []string{dir, base} {
		if part == "" || strings.HasPrefix(part, ".") || strings.ContainsAny(part, `/\:`) || !filepath.IsLocal(part) {
			return fmt.Errorf("%q is no plain file name", name)
		}
	}
	return nil
}

// errUnfinished is the fault of a directory without a manifest, which is the
// last file to be written.
var errUnfinished = errors.New("no " + ManifestFile + ": no checkpoint, or one whose saving was interrupted")
