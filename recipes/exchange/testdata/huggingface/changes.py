"""Writes changes.json: what transformers makes of the models beside it when one key of their
config.json, or a tensor that it calls tied, is changed.

    python changes.py [MODEL…]

of some of them, the others kept as they are, or of all.
Each change is a model, the keys that are set (and those taken out), a copy of a tensor that is
added under another name, with its rows in reverse order or not, and what came of it: "error"
where transformers refuses to load or to run the model, or draws parameters afresh; "same" where
its logits are those of the unchanged model; "generation" where they are, but what it writes
differs; else eight of the logits. A model's first change is none.

Written for Python 3.11, torch 2.15.0 (CPU), transformers 5.24.0. Takes some minutes.
"""

import json
import logging
import pathlib
import shutil
import sys
import tempfile
import warnings

import safetensors.torch
import torch
import transformers
from transformers import AutoConfig

from check import logits

HERE = pathlib.Path(__file__).parent
IDS = [5, 17, 42, 99, 7, 123, 250, 31, 64]
MODELS = ["gpt2", "gpt2-classifier-fp16", "gpt2-tokens", "llama", "llama-tied-sharded-bf16", "llama-classifier", "llama-tokens", "qwen2", "qwen3", "bert", "bert-pretraining", "bert-classifier-fp16", "bert-tokens", "roberta", "roberta-classifier",
          "distilbert", "distilbert-classifier", "t5", "t5-v1.1-untied", "t5-classifier", "t5-tokens", "xlnet", "xlnet-classifier",
          "mistral", "gemma", "gemma3", "qwen2-window", "xlm-roberta", "bert-base", "xlnet-base", "t5-encoder"]
ACTS = ["gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh", "tanh"]
ROPE = dict(rope_theta=10000.0, factor=2.0, original_max_position_embeddings=16)
WHOLE = {"gpt2", "llama", "qwen2", "qwen3", "bert", "roberta", "distilbert", "t5", "xlnet", "mistral", "gemma", "gemma3", "qwen2-window"}  # every key; of others those that heads differ in
VALUES = dict(  # beside what follows of a default
    model_type=[], architectures=[], vocab_size=[299, 301, None], dtype=["bfloat16", "float16"], torch_dtype=["bfloat16"], hidden_act=ACTS, activation_function=ACTS,
    activation=ACTS, ff_activation=ACTS, feed_forward_proj=ACTS + ["gated-gelu", "gated-silu", "gated-relu"], dense_act_fn=ACTS, is_gated_act=[True, False],
    summary_type=["first", "mean", "cls_index", "last"], summary_activation=[None, "tanh"], attn_type=["uni"],
    problem_type=["regression", "multi_label_classification", "single_label_classification"],
    id2label=[{"0": "a", "1": "b"}, {"0": "a", "1": "b", "2": "c"}, {"0": "a"}, None], label2id=[{"a": 0, "b": 1, "c": 2}], num_labels=[1, 2, 3],
    layer_types=[["full_attention"] * 2, ["sliding_attention"] * 2, ["full_attention", "sliding_attention"]], sliding_window=[3, None], attention_chunk_size=[3],
    per_layer_config=[{"0": {"layer_norm_eps": 0.1}}], quantization_config=[{"quant_method": "bitsandbytes", "load_in_8bit": True}],
    rope_scaling=[None, {"type": "linear", "factor": 2.0}, {"type": "default"}, {"rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0, **ROPE}],
    rope_parameters=[None, {"rope_type": "default", "rope_theta": 50.0}, {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
                     *({"rope_type": t, **ROPE} for t in ("linear", "dynamic", "yarn")), {"rope_type": "longrope", "short_factor": [1.5, 2.0], "long_factor": [1.5, 2.0], **ROPE},
                     {"rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0, **ROPE},
                     {"rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0, "partial_rotary_factor": 0.5, **ROPE}],
    rope_theta=[50.0, 10000, None], partial_rotary_factor=[0.5, 1.0], is_causal=[False, True], is_decoder=[True, False], classifier_dropout=[0.5, None], hidden_dropout=[0.5],
    text_config=[{}, {"vocab_size": 20}], decoder=[{"vocab_size": 20}], generator=[{"vocab_size": 20}], text_encoder=[{"vocab_size": 20}],
    transformers_weights=["other.safetensors"], attn_implementation=["eager", "sdpa"], chunk_size_feed_forward=[3, 1], tie_word_embeddings=[True, False],
    fusion_config=[{"patch_embeddings": True}], kv_sharing_modes=[["shared"] * 2, True], distributed_config=[{}], mtp_layer_types=[["full_attention"]],
    mlp_layer_types=[["dense"] * 2], scale_decoder_outputs=[True, False], use_sliding_window=[True], bos_token_id=[5, None], eos_token_id=[5, [3, 64], None],
    hidden_activation=ACTS, rope_local_base_freq=[50.0], sliding_window_pattern=[1, 2, 6, None], final_logit_softcapping=[30.0], attn_logit_softcapping=[50.0],
    use_bidirectional_attention=[True, False], max_window_layers=[0, 1, 2], cache_implementation=["hybrid"],
    pad_token_id=[5, 64, None], transformers_version=["4.30.0"], auto_map=[{}], mem_len=[4, None], made_up_key=[3, {"a": [1]}, None],
)


def values(key, default):
    if key in VALUES:
        return VALUES[key]
    if isinstance(default, bool):
        return [not default, None]
    if isinstance(default, int):
        return [default + 1, 2 * default, None]
    if isinstance(default, float):
        return [default / 2 + 0.1, None]
    return [True, 2]


def changes(name, config, keys):
    family = keys["families"][config["model_type"]]
    all_keys = [*keys["base"], *family["fields"], *family["taken"], *family["read"], "made_up_key", "is_causal", "is_decoder", "tie_word_embeddings"]
    if name in WHOLE:
        all_keys += keys["generation"]
    else:  # a head's own
        all_keys = [k for k in all_keys if k in VALUES or k in family["fields"] and k not in config or "summary" in k or "dropout" in k]
    if "rope_parameters" in all_keys:
        all_keys += ["rope_scaling", "rope_theta", "partial_rotary_factor"]
    for key in dict.fromkeys(all_keys):
        default = config.get(key, family["fields"].get(key))
        for v in values(key, default):
            if key not in config or config[key] != v:
                yield dict(set={key: v}, remove=[])
        if name in WHOLE and key in config and key not in ("model_type", "architectures"):
            yield dict(set={}, remove=[key])
    for alias, key in family["aliases"].items() if name in WHOLE else ():
        if key in config:
            yield dict(set={alias: config[key]}, remove=[key])
            yield dict(set={alias: 2 * config[key]}, remove=[])
    if config["model_type"] == "gemma3_text":
        default, tables = dict(rope_type="default"), config["rope_parameters"]
        for kind in ("full_attention", "sliding_attention"):
            for v in (None, {}, default, dict(default, rope_theta=50.0), dict(ROPE, rope_type="linear"), dict(ROPE, rope_type="yarn"), dict(ROPE, rope_type="dynamic"),
                      dict(ROPE, type="linear"), dict(ROPE, rope_type="yarn", truncate=False)):
                yield dict(set={"rope_parameters": {**tables, kind: v}}, remove=[])
        yield dict(set={"rope_theta": 50.0, "rope_local_base_freq": 30.0}, remove=["rope_parameters"])
        yield dict(set={"rope_scaling": {"rope_type": "linear", "factor": 4.0}, "rope_theta": 500.0}, remove=["rope_parameters"])
        for pattern in (1, 2, 3):
            yield dict(set={"sliding_window_pattern": pattern}, remove=["layer_types"])
    if config["model_type"] == "qwen2" and config["use_sliding_window"]:
        for first in (0, 1, 2):
            yield dict(set={"max_window_layers": first}, remove=["layer_types"])
        yield dict(set={"use_sliding_window": False}, remove=["layer_types"])
        yield dict(set={"sliding_window": None}, remove=["layer_types"])
        yield dict(set={}, remove=["layer_types", "sliding_window"])
    if config["model_type"] == "t5":
        for act in ACTS:
            yield dict(set={"feed_forward_proj": "gated-gelu", "dense_act_fn": act, "is_gated_act": False}, remove=[])


TIED = {  # what a tied model's file may hold once more
    "gpt2": [("lm_head.weight", "transformer.wte.weight")], "llama-tied-sharded-bf16": [("lm_head.weight", "model.embed_tokens.weight")],
    "qwen3": [("lm_head.weight", "model.embed_tokens.weight")],
    **dict.fromkeys(["bert", "bert-pretraining"], [("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"), ("cls.predictions.decoder.bias", "cls.predictions.bias")]),
    "roberta": [("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"), ("lm_head.decoder.bias", "lm_head.bias")],
    "distilbert": [("vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight")], "xlnet": [("lm_loss.weight", "transformer.word_embedding.weight")],
    **{m: [(n, "shared.weight") for n in ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")] for m in ("t5", "t5-v1.1-untied")},
    "t5-classifier": [(f"transformer.{n}.embed_tokens.weight", "transformer.shared.weight") for n in ("encoder", "decoder")],
}


def run(d):
    cls = getattr(transformers, AutoConfig.from_pretrained(d).architectures[0])
    model, info = cls.from_pretrained(d, output_loading_info=True, dtype=torch.float32)
    if cls.__name__.startswith("XLNetFor"):
        info["missing_keys"] = set(info["missing_keys"]) - {"transformer.mask_emb"}
    if info["missing_keys"] or info["mismatched_keys"] or info["error_msgs"]:
        raise ValueError(str(info))
    model = model.eval()
    model.config.return_dict = True
    out = logits(model, IDS)
    if cls.__name__ == "XLNetLMHeadModel":  # the first token sees none: transformers then attends to all, hone to nothing
        out = out[model.config.vocab_size:]
    if not torch.isfinite(out).all():
        raise ValueError("not finite")
    text = None
    if cls.__name__.endswith(("ForCausalLM", "GPT2LMHeadModel")):
        text = model.generate(torch.tensor([IDS]), attention_mask=torch.ones(1, len(IDS), dtype=torch.long), max_new_tokens=6, do_sample=False, eos_token_id=None,
                              repetition_penalty=1.0, num_beams=1, bad_words_ids=None)[0].tolist()
    return out.to(torch.float64), text


def main():
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity(logging.CRITICAL)
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    keys = json.loads((HERE / "keys.json").read_text())
    list_, counts = [], {}
    kept = json.loads((HERE / "changes.json").read_text())["changes"] if sys.argv[1:] else []
    for name in MODELS:
        if sys.argv[1:] and name not in sys.argv[1:]:
            list_ += [c for c in kept if c["model"] == name]
            continue
        config = json.loads((HERE / name / "config.json").read_text())
        base = None
        todo = [dict(set={}, remove=[]), *changes(name, config, keys)]
        todo += [dict(set={}, remove=[], copy=[to, of], reverse=r, alone=a) for to, of in TIED.get(name, []) for r, a in ((False, False), (True, False), (False, True))]
        with tempfile.TemporaryDirectory() as t:
            d = pathlib.Path(t)
            for f in (HERE / name).iterdir():
                shutil.copy(f, d)
            for c in todo:
                (d / "config.json").write_text(json.dumps({k: v for k, v in {**config, **c["set"]}.items() if k not in c["remove"]}))
                if "copy" in c:
                    to, of = c["copy"]
                    for f in d.glob("model*"):
                        f.unlink()
                    tensors = {k: v for f in (HERE / name).glob("*.safetensors") for k, v in safetensors.torch.load_file(f).items()}
                    tensors[to] = (tensors[of].flip(0) if c["reverse"] else tensors[of]).contiguous().clone()
                    if c["alone"]:
                        del tensors[of]
                    safetensors.torch.save_file(tensors, d / "model.safetensors", metadata={"format": "pt"})
                try:
                    out, text = run(d)
                except Exception:
                    out = None
                if base is None:
                    base, base_text = out, text
                    c["result"] = sample(out)
                elif out is None:
                    c["result"] = "error"
                elif out.shape == base.shape and (out - base).abs().max() <= 1e-6 * base.abs().max():
                    c["result"] = "same" if text == base_text else "generation"
                else:
                    c["result"] = sample(out)
                kind = c["result"] if isinstance(c["result"], str) else "other"
                counts[kind] = counts.get(kind, 0) + 1
                list_.append(dict(model=name, **c))
        print(name, len(todo), counts, file=sys.stderr, flush=True)
    text = json.dumps(dict(torch=torch.__version__, transformers=transformers.__version__, ids=IDS, changes=list_), separators=(",", ":"))
    (HERE / "changes.json").write_text(text.replace('{"model"', '\n{"model"') + "\n")


def sample(out):
    """Eight of the logits, and their number."""
    n = len(out)
    return [n] + [float(f"{out[i * n // 8].item():.7g}") for i in range(8)]


main()
