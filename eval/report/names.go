package report

import (
	"strings"
)

// A term is a name in words, with a line of explanation.
type term struct{ Name, What string }

// metrics are the metrics that recipes measure. One that is not listed is shown by its name,
// with blanks for underscores.
var metrics = map[string]term{
	"bits_per_byte":        {"bits per byte", "Bits per byte of text that the model would need as a compressor: minus the binary logarithm of the probability of the text, divided by its bytes."},
	"bits_per_character":   {"bits per character", "Bits per character of text that the model would need as a compressor: minus the binary logarithm of the probability of the text, divided by its characters."},
	"accuracy":             {"accuracy", "The share of correct predictions."},
	"macro_f1":             {"macro F1", "The F1 score of each class (the harmonic mean of precision and recall), averaged over the classes: a rare class counts as much as a frequent one."},
	"weighted_f1":          {"weighted F1", "The F1 score of each class, averaged with the weight of its true items."},
	"micro_f1":             {"micro F1", "The F1 score of all decisions of all labels together: a frequent label counts more than a rare one."},
	"auroc":                {"AUROC", "The probability that a positive item has a higher score than a negative one: 0.5 is chance, 1 is perfect."},
	"average_precision":    {"average precision", "The precision at each positive item, averaged, in the order of scores."},
	"pearson":              {"Pearson correlation", "How well predicted numbers lie on a straight line with the true ones: 0 is chance, 1 is perfect."},
	"spearman":             {"Spearman correlation", "How well predicted numbers have the order of the true ones: 0 is chance, 1 is perfect."},
	"mse":                  {"mean squared error", "The mean of the squared differences between predicted and true numbers."},
	"mae":                  {"mean absolute error", "The mean of the differences between predicted and true numbers, without their sign."},
	"brier":                {"Brier score", "The squared distance of the probabilities from the truth: 0 is perfect."},
	"ece":                  {"calibration error", "How far the share of right labels is from the probability that the model states for them."},
	"entity_f1":            {"entity F1", "The F1 score of entities: one is right if its type and both its borders are."},
	"entity_f1_iob2":       {"entity F1 (IOB2)", "The F1 score of entities that begin with a B- tag, as IOB2 has it: one is right if its type and both its borders are."},
	"entity_macro_f1_iob2": {"entity macro F1 (IOB2)", "The F1 score of entities that begin with a B- tag, averaged over their types."},
	"klue_entity_macro_f1": {"KLUE entity macro F1", "The F1 score of entities of characters, averaged over their types, as the benchmark KLUE has it."},
	"klue_char_macro_f1":   {"KLUE character macro F1", "The F1 score of the tags of characters, averaged over the tags, as the benchmark KLUE has it."},
	"entity_macro_f1":      {"entity macro F1", "The F1 score of entities, averaged over their types."},
	"squad_exact_match":    {"exact match", "The share of answers that are equal to a true one, but for case, punctuation and articles."},
	"squad_f1":             {"answer F1", "The F1 score of the words that an answer shares with a true one."},
	"squad2_exact_match":   {"exact match", "The share of answers that are equal to a true one, but for case, punctuation and articles; no answer is right where there is none."},
	"squad2_f1":            {"answer F1", "The F1 score of the words that an answer shares with a true one; no answer is right where there is none."},
	"korquad_exact_match":  {"exact match", "The share of answers that are equal to a true one, but for case and punctuation."},
	"korquad_f1":           {"answer F1", "The F1 score of the characters that an answer shares with a true one."},
	"bleu":                 {"BLEU", "How many sequences of up to four words a text shares with a reference, from 0 to 100."},
	"bleu_char":            {"BLEU of characters", "How many sequences of up to four characters a text shares with a reference, from 0 to 100."},
	"chrf":                 {"chrF", "How many sequences of up to six characters a text shares with a reference, from 0 to 100."},
	"chrf++":               {"chrF++", "How many sequences of up to six characters and two words a text shares with a reference, from 0 to 100."},
	"rouge1":               {"ROUGE-1", "The F1 score of the words that a text shares with a reference."},
	"rouge2":               {"ROUGE-2", "The F1 score of the pairs of words that a text shares with a reference."},
	"rougel":               {"ROUGE-L", "The F1 score of the longest sequence of words that a text shares with a reference."},
	"rougelsum":            {"ROUGE-Lsum", "The F1 score of the longest sequences of words that lines of a text share with those of a reference."},
	"rouge1_unicode":       {"ROUGE-1 (Unicode)", "The F1 score of the words, of any script, that a text shares with a reference."},
	"rouge2_unicode":       {"ROUGE-2 (Unicode)", "The F1 score of the pairs of words, of any script, that a text shares with a reference."},
	"rougel_unicode":       {"ROUGE-L (Unicode)", "The F1 score of the longest sequence of words, of any script, that a text shares with a reference."},
	"rougelsum_unicode":    {"ROUGE-Lsum (Unicode)", "The F1 score of the longest sequences of words, of any script, that lines of a text share with those of a reference."},
	"mcc":                  {"MCC", "Matthews' correlation coefficient between true and predicted labels: 0 is chance, 1 is perfect."},
	"loss":                 {"loss", "Nats per predicted token: minus the natural logarithm of the probability that the model gives the correct token."},
	"exact_match":          {"exact match", "The share of answers that are right as a whole."},
	"ndcg_at_10":           {"nDCG@10", "How high the right texts stand among the first ten that are found: 1 if at the top, 0 if none is there."},
	"mrr_at_10":            {"MRR@10", "The mean of 1, 1/2, … 1/10 by the place of the first right text, and 0 where it is further down."},
	"recall_at_1":          {"recall@1", "The share of the right texts that is found at the first place."},
	"recall_at_10":         {"recall@10", "The share of the right texts that is among the first ten found."},
	"recall_at_100":        {"recall@100", "The share of the right texts that is among the first hundred found."},
}

// baselines are the baselines that recipes compare models with.
var baselines = map[string]term{
	"zstd_primed":           {"zstd", "The zstd compressor, with the training text as its history."},
	"kneser_ney_5":          {"Kneser–Ney 5-gram", "A 5-gram model of the training text with Kneser–Ney smoothing, on the same tokens as the model."},
	"markov":                {"Markov model", "Counts of the training text's k-mers on the same tokens; k and the smoothing are chosen on validation."},
	"majority":              {"most frequent label", "Always predicts the most frequent label of the training data."},
	"naive_bayes":           {"naive Bayes", "Naive Bayes over word counts, which ignores the order of words; the smoothing is chosen on validation."},
	"tfidf":                 {"TF-IDF", "Logistic regression over the weighted counts of words or parts of words; which, and how strongly it is regularised, is chosen on validation."},
	"bm25":                  {"BM25", "Texts that share rare words with the query, or in Korean, Chinese and Japanese pairs of characters, for their length."},
	"tfidf_cosine":          {"TF-IDF cosine", "The cosine between the weighted counts of the words of two texts."},
	"mean":                  {"mean", "Always predicts the mean of the training data."},
	"word_overlap":          {"word overlap", "A straight line over the share of words, or of pairs of characters, that two texts have in common."},
	"frequent_label":        {"most frequent label of the word", "Gives each word the label that it has most often in training."},
	"sliding_window":        {"sliding window", "Answers with the words around which most words of the question stand."},
	"copy":                  {"copy", "Copies the source text."},
	"word_dictionary":       {"word dictionary", "Translates word by word with a dictionary that is learned from the training pairs (IBM model 1)."},
	"lead_1":                {"first sentence", "The first sentence of the text is the summary."},
	"lead_3":                {"first three sentences", "The first three sentences of the text are the summary."},
	"random_choice":         {"random choice", "The share that a random choice gets right on average."},
	"longest_choice":        {"longest choice", "Chooses the choice with the most characters."},
	"random_init":           {"same network, not pretrained", "The same network, trained on the labels in the same way but from random weights: the difference is what pretraining contributes."},
	"bidirectional_trigram": {"bidirectional trigram", "The token that stands most often between the same two neighbours in training."},
	"frequent_span":         {"most frequent span", "Always writes the span that was hidden most often in training."},
	"gap_span":              {"span between the neighbours", "Writes the span that was hidden most often between the same two neighbours in training."},
	"unigram":               {"token frequencies", "Predicts tokens by their frequency in the hidden spans of the training data, without looking at the context."},
}

// metricName gives the name of a metric in words.
func metricName(name string) string { return inWords(metrics, name).Name }

// baselineName gives the name of a baseline in words.
func baselineName(name string) string { return inWords(baselines, name).Name }

func inWords(known map[string]term, name string) term {
	if t, ok := known[name]; ok {
		return t
	}
	return term{Name: strings.ReplaceAll(name, "_", " ")}
}

// families are the usual spellings of model types.
var families = map[string]string{
	"gpt2": "GPT-2", "llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3", "mistral": "Mistral", "gemma": "Gemma", "gemma3_text": "Gemma 3", "palm": "PaLM", "bert": "BERT", "roberta": "RoBERTa",
	"xlm-roberta": "XLM-RoBERTa", "camembert": "CamemBERT", "distilbert": "DistilBERT", "t5": "T5", "xlnet": "XLNet",
}
