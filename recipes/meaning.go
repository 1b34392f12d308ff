package recipes

// A meaning is what a key of config.json says, in all families that have it.
type meaning struct{ unit, doc string }

// modelMeanings are those of the keys of [model]. Families share them, so that they stand
// here once and not beside each family's struct.
var modelMeanings = map[string]meaning{
	"model_type":          {"", "family of the model, which decides the other keys"},
	"tie_word_embeddings": {"", "makes the output matrix the same as the embedding of the tokens"},

	"hidden_size": {"channels", "width of the model: values that stand for a token between two layers"},
	"n_embd":      {"channels", "width of the model: values that stand for a token between two layers"},
	"d_model":     {"channels", "width of the model: values that stand for a token between two layers"},
	"dim":         {"channels", "width of the model: values that stand for a token between two layers"},

	"num_hidden_layers":  {"layers", "layers of the model"},
	"n_layer":            {"layers", "layers of the model"},
	"n_layers":           {"layers", "layers of the model"},
	"num_layers":         {"layers", "layers of the encoder"},
	"num_decoder_layers": {"layers", "layers of the decoder; 0: num_layers"},

	"num_attention_heads": {"heads", "heads of attention"},
	"n_head":              {"heads", "heads of attention"},
	"n_heads":             {"heads", "heads of attention"},
	"num_heads":           {"heads", "heads of attention"},
	"num_key_value_heads": {"heads", "heads of keys and values, each of which several heads of attention share; 0: as many as these"},
	"head_dim":            {"channels", "width of a head; 0: the model's width divided by the heads"},
	"d_kv":                {"channels", "width of a head"},

	"intermediate_size": {"channels", "width of the feed-forward layers; of palm 0: four times hidden_size"},
	"hidden_dim":        {"channels", "width of the feed-forward layers"},
	"d_ff":              {"channels", "width of the feed-forward layers"},
	"d_inner":           {"channels", "width of the feed-forward layers"},

	"hidden_act":        {"", "activation function of the feed-forward layers"},
	"activation":        {"", "activation function of the feed-forward layers"},
	"ff_activation":     {"", "activation function of the feed-forward layers"},
	"feed_forward_proj": {"", "activation function of the feed-forward layers: relu; gated-gelu, which T5 1.1 has; or another one, gated- or not"},

	"max_position_embeddings": {"tokens", "longest sequence"},
	"n_positions":             {"tokens", "longest sequence"},
	"type_vocab_size":         {"types", "types of tokens, such as those of the first and of the second of two texts"},

	"layer_norm_eps":     {"", "what is added to variances in norms"},
	"layer_norm_epsilon": {"", "what is added to variances in norms"},
	"rms_norm_eps":       {"", "what is added to mean squares in norms"},
	"initializer_range":  {"", "standard deviation of the random weights that a training starts from"},
	"initializer_factor": {"", "factor of the standard deviations of the random weights that a training starts from"},

	"rope_theta":                       {"", "base of the wavelengths of rotary positions"},
	"rope_local_base_freq":             {"", "rope_theta of layers that see a window, sliding_attention"},
	"rope_scaling":                     {"", "how rotary positions are stretched to longer sequences: a table, [model.rope_scaling]"},
	"rope_type":                        {"", "way in which rotary positions are stretched: linear, dynamic, llama3 and the others of transformers; \"\" and default: not"},
	"factor":                           {"", "how many times longer sequences become"},
	"low_freq_factor":                  {"", "wavelengths above original_max_position_embeddings divided by it are stretched in full, of rope_type llama3"},
	"high_freq_factor":                 {"", "wavelengths below original_max_position_embeddings divided by it are not stretched, of rope_type llama3"},
	"original_max_position_embeddings": {"tokens", "longest sequence before the stretching"},

	"attention_bias":        {"", "gives the matrices of attention biases"},
	"mlp_bias":              {"", "gives the matrices of the feed-forward layers biases"},
	"sliding_window":        {"tokens", "window of tokens that a token sees in layers of sliding_attention, itself among them; 0: all"},
	"layer_types":           {"", "what each layer sees: full_attention or sliding_attention; none: as the family has it"},
	"query_pre_attn_scalar": {"", "number by whose root products of queries and keys are divided"},

	"z_loss": {"", "factor of the squared logarithm of the softmax's sum, which is added to the loss"},

	"relative_attention_num_buckets":  {"buckets", "buckets that distances are sorted into, each with a bias of its own"},
	"relative_attention_max_distance": {"tokens", "distance from which on all are in one bucket"},

	"clamp_len":      {"tokens", "longest distance that is told from longer ones; -1: none"},
	"mem_len":        {"tokens", "hidden states that are kept of what came before; 0: none"},
	"use_mems_train": {"", "keeps these in training; false: nothing is kept, whatever mem_len says"},
}
