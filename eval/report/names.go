package report

import (
	"strings"
)

// A term is a name in words, with a line that says what it is.
type term struct{ Name, What string }

// metrics are those that recipes measure. Of one that is not here, its name is shown as
// words.
var metrics = map[string]term{
	"bits_per_byte":      {"bits per byte", "Bits that the model would need for each byte of the text, were it a compressor: minus the logarithm of the probability that it gives the text."},
	"bits_per_character": {"bits per character", "Bits that the model would need for each character of the text, were it a compressor: minus the logarithm of the probability that it gives the text."},
	"accuracy":           {"accuracy", "The share of answers that are right."},
	"macro_f1":           {"macro F1", "Precision and recall in one figure for each class, averaged over the classes: a rare class counts as much as a frequent one."},
	"mcc":                {"MCC", "Matthews' correlation between right and given labels: 0 is chance, 1 is all right."},
	"loss":               {"loss", "Nats for each token that is predicted: minus the natural logarithm of the probability that the model gives the right one."},
	"exact_match":        {"exact match", "The share of answers that are right to the last token."},
}

// baselines are those that recipes put beside models.
var baselines = map[string]term{
	"zstd_primed":           {"zstd", "The zstd compressor, with the training text as its history."},
	"kneser_ney_5":          {"Kneser–Ney 5-gram", "Counts of up to five tokens in a row of the training text, smoothed after Kneser and Ney, on the same tokens as the model."},
	"markov":                {"Markov model", "Counts of the training text's k-mers on the same tokens; k and the smoothing are chosen on validation."},
	"majority":              {"most frequent label", "Always gives the label that is most frequent in training."},
	"naive_bayes":           {"naive Bayes", "Counts of words by label, without their order; the smoothing is chosen on validation."},
	"random_init":           {"same network, not pretrained", "The same network, trained on the labels in the same way from random weights: what pretraining was worth."},
	"bidirectional_trigram": {"bidirectional trigram", "The token that stands most often between the same two neighbours in training."},
	"frequent_span":         {"most frequent span", "Always writes the span that was hidden most often in training."},
	"gap_span":              {"span between the neighbours", "Writes the span that was hidden most often between the same two neighbours in training."},
	"unigram":               {"token frequencies", "How frequent tokens are in the hidden spans of training, whatever stands around them."},
}

// metricName is a metric in words.
func metricName(name string) string { return inWords(metrics, name).Name }

// baselineName is a baseline in words.
func baselineName(name string) string { return inWords(baselines, name).Name }

func inWords(known map[string]term, name string) term {
	if t, ok := known[name]; ok {
		return t
	}
	return term{Name: strings.ReplaceAll(name, "_", " ")}
}

// families are model_types as people write them.
var families = map[string]string{
	"gpt2": "GPT-2", "llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3", "mistral": "Mistral", "gemma": "Gemma", "gemma3_text": "Gemma 3", "palm": "PaLM", "bert": "BERT", "roberta": "RoBERTa",
	"xlm-roberta": "XLM-RoBERTa", "camembert": "CamemBERT", "distilbert": "DistilBERT", "t5": "T5", "xlnet": "XLNet",
}
