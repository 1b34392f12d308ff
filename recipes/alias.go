package recipes

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// renamed are keys of a stage under the names that other tools have for them, of
// transformers' TrainingArguments first.
var renamed = map[string]string{
	"max_steps": "steps", "eval_steps": "eval_every", "save_steps": "save_every", "logging_steps": "log_every",

	"max_iters": "steps", "train_steps": "steps", "num_training_steps": "steps", "total_steps": "steps", "warmup_iters": "warmup_steps", "num_warmup_steps": "warmup_steps",
	"eval_interval": "eval_every", "save_interval": "save_every", "log_interval": "log_every", "eval_iters": "eval_documents",
	"lr": "learning_rate", "scheduler": "lr_scheduler_type", "lr_scheduler": "lr_scheduler_type", "optimizer": "optim", "wd": "weight_decay",
	"beta1": "adam_beta1", "beta2": "adam_beta2", "epsilon": "adam_epsilon", "eps": "adam_epsilon", "grad_clip": "max_grad_norm", "gradient_clip_val": "max_grad_norm", "clip_grad_norm": "max_grad_norm",
	"max_seq_length": "sequence_length", "max_length": "sequence_length", "seq_len": "sequence_length", "block_size": "sequence_length", "context_length": "sequence_length",
	"train_batch_size": "batch_size", "global_batch_size": "batch_size", "init_from": "from", "model_name_or_path": "from", "dataset": "corpus", "label_smoothing": "label_smoothing_factor", "class_weight": "class_weights", "layer_decay": "layerwise_lr_decay", "llrd": "layerwise_lr_decay", "patience": "early_stopping_patience", "early_stopping": "early_stopping_patience", "pos_weight": "class_weights",
}

// elsewhere says of keys that hone has no key for what it does.
var elsewhere = explain(map[string]string{
	"num_train_epochs epochs max_epochs num_epochs": "hone counts steps, not epochs; hone check says how many documents a step takes",
	"optim_args adafactor":                          "hone has optim, and keys such as adam_beta1 and momentum",
	"lr_scheduler_kwargs":                           "hone has min_lr_ratio, num_decay_steps and decay_type",
	"min_lr":                                        "hone has min_lr_ratio, the share of learning_rate at the end",
	"optim_target_modules":                          `hone has trainable = "all" or "head"`,
	"average_tokens_across_devices":                 "hone weighs each target of a step alike, in however many micro-batches",
	"neftune_noise_alpha":                           "hone adds no noise to embeddings; dropout and token_dropout are its own means",
	"fp16 bf16 tf32 dtype torch_dtype half_precision_backend fp16_opt_level fp16_backend bf16_full_eval fp16_full_eval":                      `hone has precision = "fp32", "bf16" or "auto"`,
	"gradient_checkpointing gradient_checkpointing_kwargs activation_checkpointing activation_checkpointing_kwargs":                          "hone has recompute = true, which runs layers again for their gradients",
	"torch_compile torch_compile_backend torch_compile_mode torchdynamo use_liger_kernel liger_kernel_config compile use_ipex jit_mode_eval": "hone's kernels are compiled already: leave it out",
	"use_cache past_index": "hone does not cache while it trains: leave it out",
	"torch_empty_cache_steps auto_find_batch_size skip_memory_metrics":                                                 "hone check says how much memory a recipe needs; micro_batch_size makes it less",
	"logging_strategy logging_first_step":                                                                              "hone has log_every, a number of steps",
	"log_on_each_node logging_nan_inf_filter include_num_input_tokens_seen include_tokens_per_second":                  "hone logs every figure and the tokens seen: leave it out",
	"log_level log_level_replica disable_tqdm debug":                                                                   "hone says what it does on stderr: leave it out",
	"report_to project trackio_space_id trackio_bucket_id trackio_static_space_id logging_dir wandb_log wandb_project": "hone writes metrics.jsonl and report.html into the run directory: leave it out",
	"eval_strategy evaluation_strategy eval_delay eval_on_start do_eval":                                               "hone has eval_every, a number of steps or a time such as \"5m\"; 0 is at the end alone",
	"save_strategy save_on_each_node":                                                                                  "hone has save_every, a number of steps or a time such as \"5m\"; 0 is at the end alone",
	"per_device_eval_batch_size eval_batch_size per_gpu_eval_batch_size":                                               "hone validates micro_batch_size rows at a time",
	"prediction_loss_only eval_do_concat_batches eval_use_gather_object eval_accumulation_steps include_for_metrics include_inputs_for_metrics batch_eval_metrics": "hone has [[stage]] with kind = \"evaluate\"",
	"save_only_model enable_jit_checkpoint save_safetensors":                                        "hone's checkpoints are safetensors, and always hold what a resume needs",
	"push_to_hub hub_token hub_private_repo hub_model_id hub_strategy hub_always_push hub_revision": "hone uploads nothing; hone export writes a model that other tools can",
	"load_best_model_at_end greater_is_better":                                                      "hone always keeps the best checkpoint by the validation split as the stage's final one, and knows which metrics are better the lower they are",
	"ignore_data_skip restore_callback_states_from_checkpoint resume_from_checkpoint":               "hone run resumes by itself, where it stopped",
	"full_determinism":                      "hone gives the same bits at any time: leave it out",
	"data_seed":                             "hone has one seed, at the top of the recipe, also of the order of the data",
	"use_cpu no_cuda use_mps_device device": "hone trains on the CPU; threads, at the top of the recipe, says on how many",
	"accelerator_config parallelism_config ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers ddp_static_graph ddp_backend ddp_timeout fsdp fsdp_config fsdp_min_num_params deepspeed local_rank sharded_ddp tpu_num_cores mp_parameters split_batches": "hone trains in one process on one machine",
	"dataloader_drop_last dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor dataloader_multiprocessing_context dataloader_in_order num_workers":                                                                     "hone reads ahead by itself, always in the same order: leave it out",
	"remove_unused_columns label_names":                                          "hone reads the columns that text and label of [corpus.NAME] name",
	"train_sampling_strategy length_column_name group_by_length sortish_sampler": "hone shuffles documents by the seed, and packs them into rows",
	"output_dir run_name":                                                        "hone runs in runs/NAME, name being at the top of the recipe; hone run --dir says another directory",
	"overwrite_output_dir":                                                       "hone run --fresh starts over",
	"do_train do_predict":                                                        "hone has a [[stage]] for each step of the way, by its kind",
	"predict_with_generate":                                                      "hone has eval_generate, a number of documents of the validation split for which texts are written",
	"generation_max_length generation_num_beams generation_config":               "hone generate and hone predict write texts; samples and prompts are of a stage with kind = \"evaluate\"",
	"train_file validation_file test_file data_files dataset_name":               "hone has source of [corpus.NAME]",
})

// explain gives each of several keys in one string its own entry.
func explain(of map[string]string) map[string]string {
	each := map[string]string{}
	for keys, says := range of {
		for key := range strings.FieldsSeq(keys) {
			each[key] = says
		}
	}
	return each
}

// alias says what hone calls a key of a stage that another tool has, with its value where
// the other keys of the table tell it; "": no tool is known to have it.
func alias(key string, value any, table map[string]any) string {
	of := func(key string) (float64, bool) { return number(table[key]) }
	v, isNumber := number(value)
	const rows = "hone has batch_size, the rows of a step, and micro_batch_size, those that are computed at once"
	switch key {
	case "per_device_train_batch_size", "per_gpu_train_batch_size", "device_batch_size", "micro_batch":
		if n, ok := of("gradient_accumulation_steps"); ok && isNumber {
			return fmt.Sprintf("%s: batch_size = %g, micro_batch_size = %g", rows, v*n, v)
		}
		if isNumber {
			return fmt.Sprintf("%s: batch_size = %g", rows, v)
		}
		return rows
	case "gradient_accumulation_steps", "accumulate_grad_batches":
		if n, ok := of("per_device_train_batch_size"); ok && isNumber {
			return fmt.Sprintf("%s: batch_size = %g, micro_batch_size = %g", rows, v*n, n)
		}
		if n, ok := of("batch_size"); ok && isNumber && v > 0 && math.Mod(n, v) == 0 {
			return fmt.Sprintf("%s: micro_batch_size = %g is a batch_size of %g in %g", rows, n/v, n, v)
		}
		return rows
	case "warmup_ratio":
		steps, ok := of("steps")
		if !ok {
			steps, ok = of("max_steps")
		}
		if ok && isNumber {
			return fmt.Sprintf("hone has warmup_steps: %g of %g are warmup_steps = %g", v, steps, math.Ceil(v*steps))
		}
		return "hone has warmup_steps"
	case "bf16":
		if value == true {
			return `hone has precision: precision = "bf16"`
		}
	case "adafactor":
		if value == true {
			return `hone has optim: optim = "adafactor"`
		}
	case "gradient_checkpointing", "activation_checkpointing":
		if value == true {
			return "hone calls it recompute: recompute = true"
		}
	case "min_lr":
		if lr, ok := of("learning_rate"); ok && isNumber && lr > 0 {
			return fmt.Sprintf("hone has min_lr_ratio, a share of learning_rate: min_lr_ratio = %g", v/lr)
		}
	}
	if now, ok := renamed[key]; ok {
		switch {
		case isNumber && v > 0 && (v >= 1 || now != "eval_every" && now != "save_every" && now != "log_every"):
			return fmt.Sprintf("hone calls it %s: %s = %g", now, now, v)
		case isNumber && v > 0: // a share of the steps, as transformers has it
			if steps, ok := of("steps"); ok {
				return fmt.Sprintf("hone calls it %s, and counts steps: %s = %g", now, now, math.Ceil(v*steps))
			}
		}
		return "hone calls it " + now
	}
	return elsewhere[key]
}

// number is the value of a key that is one.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// sizes are keys of [model] that mean the same in different families' config.json.
var sizes = [][]string{
	{"n_layer", "num_hidden_layers", "n_layers", "num_layers"},
	{"n_embd", "hidden_size", "d_model", "dim"},
	{"n_head", "num_attention_heads", "n_heads", "num_heads"},
	{"n_positions", "max_position_embeddings", "n_ctx", "block_size"},
	{"n_inner", "intermediate_size", "d_ff", "hidden_dim", "d_inner"},
	{"num_key_value_heads", "n_kv_head", "n_kv_heads"},
}

// unknown says what to do about a key that the table at a path has not.
func unknown(path, key string, value any, table map[string]any, known []string) string {
	stage := strings.HasPrefix(path, "stage.")
	if stage || path == "" {
		says := alias(key, value, table)
		if says != "" && !stage && strings.Contains(says, "hone calls it") {
			says += ", of a [[stage]]"
		}
		if says != "" {
			return ": " + says
		}
	}
	if path == "model" {
		for _, group := range sizes {
			k := slices.IndexFunc(group, func(name string) bool { return slices.Contains(known, name) })
			if k >= 0 && slices.Contains(group, key) {
				return fmt.Sprintf(": this family calls it %s", group[k])
			}
		}
		if key == "vocab_size" {
			return ": it follows from the tokenizer, which has vocab_size"
		}
	}
	if at := tableOf(key); at != "" {
		return ": it is a key of " + at
	}
	return suggest(key, known)
}

// tableOf names the table of a recipe that has a key; "": none has.
func tableOf(key string) string {
	for _, t := range recipeTables() {
		if slices.Contains(t.keys, key) {
			return t.name
		}
	}
	return ""
}
