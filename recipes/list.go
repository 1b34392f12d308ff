package recipes

import (
	"fmt"

	"github.com/BurntSushi/toml"

	"hone/trainer/model"
)

// An Item is something built in.
type Item struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// models says what the families are.
var models = map[string]string{
	"gpt2":        "GPT-2 (Radford et al. 2019): decoder, learned positions; language model, classifier, token classifier, question answering",
	"llama":       "Llama 2 and 3, SmolLM2 (Touvron et al. 2023): decoder, rotary positions, shared keys, SwiGLU; language model, classifier, token classifier, question answering",
	"qwen2":       "Qwen2 and 2.5 (Yang et al. 2024): Llama with biases of queries, keys and values; the same heads",
	"qwen3":       "Qwen3 (Yang et al. 2025): Llama with normalised queries and keys; the same heads",
	"mistral":     "Mistral (Jiang et al. 2023): Llama whose tokens see a window of those before; the same heads",
	"gemma":       "Gemma (Gemma Team 2024): Llama with GeGLU, scaled embeddings, heads of a size of their own; language model, classifier, token classifier",
	"gemma3_text": "Gemma 3 of texts (Gemma Team 2025): Gemma with more norms, most of whose layers see a window; language model, classifier",
	"palm":        "PaLM (Chowdhery et al. 2022): decoder, attention beside the feed-forward, one key for all heads; language model, classifier",
	"bert":        "BERT (Devlin et al. 2019): encoder; masked language model, next sentence, classifier, token classifier, question answering",
	"roberta":     "RoBERTa (Liu et al. 2019): BERT without segments and next sentences; the other heads",
	"xlm-roberta": "XLM-RoBERTa (Conneau et al. 2020): RoBERTa of a hundred languages",
	"camembert":   "CamemBERT (Martin et al. 2020): RoBERTa of French",
	"distilbert":  "DistilBERT (Sanh et al. 2019): half of BERT's layers, no pooler, no next sentences; the other heads",
	"t5":          "T5 (Raffel et al. 2020): encoder and decoder, relative positions; text to text, classifier, token classifier, question answering",
	"xlnet":       "XLNet (Yang et al. 2019): two streams over permuted orders, relative positions; language model, classifier, token classifier, question answering",
}

// List is what is built in: recipes, tasks, models.
func List() (map[string][]Item, error) {
	list := map[string][]Item{}
	for _, name := range model.ModelTypes {
		list["models"] = append(list["models"], Item{name, models[name]})
	}
	for _, name := range Builtin() {
		var r struct{ Description string } // not validated: its corpus may not be here
		text, _ := builtin(name)
		if _, err := toml.Decode(text, &r); err != nil {
			return nil, fmt.Errorf("recipe %s: %w", name, err)
		}
		list["recipes"] = append(list["recipes"], Item{name, r.Description})
	}
	for _, name := range Tasks() {
		t, err := LoadTask(name)
		if err != nil {
			return nil, err
		}
		list["tasks"] = append(list["tasks"], Item{name, t.Description})
	}
	return list, nil
}
