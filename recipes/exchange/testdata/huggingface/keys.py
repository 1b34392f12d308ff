"""Writes keys.json: every key of a config.json that transformers looks at, by model_type.

    python keys.py

Of each family's configuration class and its base class: the fields with their defaults, other
names of them (attribute_map), keys that their constructors take out of what they are given, and
whatever else tiny models of each head read of a configuration when they are made, loaded and run,
in training too, and when they write. Not among them are class attributes, which no file sets, and
methods.

Written for Python 3.11, torch 2.15.0 (CPU), transformers 5.24.0.
"""

import dataclasses
import inspect
import json
import pathlib
import re
import tempfile

import torch
import transformers
from transformers import AutoConfig, PreTrainedConfig
from transformers.generation import GenerationConfig
from transformers.models.auto import modeling_auto

HERE = pathlib.Path(__file__).parent
TINY = dict(
    gpt2=dict(vocab_size=30, n_positions=16, n_embd=8, n_layer=2, n_head=2),
    llama=dict(vocab_size=30, max_position_embeddings=16, hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2),
    bert=dict(vocab_size=30, max_position_embeddings=16, hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2),
    distilbert=dict(vocab_size=30, max_position_embeddings=16, dim=8, hidden_dim=8, n_layers=2, n_heads=2),
    t5=dict(vocab_size=30, d_model=8, d_kv=4, d_ff=8, num_layers=2, num_heads=2, decoder_start_token_id=0),
    xlnet=dict(vocab_size=30, d_model=8, n_layer=2, n_head=2, d_inner=8),
)
TINY.update({
    "qwen2": dict(TINY["llama"], num_key_value_heads=2), "qwen3": dict(TINY["llama"], num_key_value_heads=2, head_dim=4),
    "mistral": dict(TINY["llama"], num_key_value_heads=2), "gemma": dict(TINY["llama"], num_key_value_heads=2, head_dim=4),
    "gemma3_text": dict(TINY["llama"], num_key_value_heads=2, head_dim=4, sliding_window=4, layer_types=["sliding_attention", "full_attention"]),
    "roberta": TINY["bert"], "xlm-roberta": TINY["bert"], "camembert": TINY["bert"],
})
HEADS = ["MODEL_FOR_CAUSAL_LM", "MODEL_FOR_MASKED_LM", "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM", "MODEL_FOR_PRETRAINING", "MODEL_FOR_SEQUENCE_CLASSIFICATION",
         "MODEL_FOR_TOKEN_CLASSIFICATION", "MODEL_FOR_QUESTION_ANSWERING"]
SKIP = {"BertLMHeadModel", "RobertaForCausalLM", "XLMRobertaForCausalLM", "CamembertForCausalLM"}  # which are none of hone's heads

read = set()
plain = PreTrainedConfig.__getattribute__


def tracing(self, name):
    read.add(name)
    return plain(self, name)


def use(cls, config):
    """Makes a model, saves, loads, trains and runs it, and has it write."""
    with tempfile.TemporaryDirectory() as d:
        cls(config).save_pretrained(d)
        model = cls.from_pretrained(d)
    ids = torch.tensor([[3, 4, 5, 6, 7, 8, 1]])
    labels = dict(labels=ids) if "labels" in inspect.signature(model.forward).parameters else {}
    if "SequenceClassification" in cls.__name__:
        labels = dict(labels=torch.tensor([1]))
    elif "TokenClassification" in cls.__name__:
        labels = dict(labels=ids % 2)
    elif "QuestionAnswering" in cls.__name__:
        labels = dict(start_positions=torch.tensor([1]), end_positions=torch.tensor([2]))
    elif "PreTraining" in cls.__name__ and labels:
        labels["next_sentence_label"] = torch.tensor([1])
    model.train()(ids, **labels)
    model.eval()(ids, **labels)
    if model.can_generate():
        model.generate(ids, max_new_tokens=3, do_sample=False, attention_mask=torch.ones_like(ids))


def popped(*sources):
    """Keys that constructors take out of keyword arguments or a dict by name."""
    return {k for s in sources for k in re.findall(r"(?:kwargs|config_dict)\.(?:pop|get)\(\s*\"(\w+)\"", inspect.getsource(s))}


base = popped(transformers.configuration_utils, transformers.modeling_rope_utils)
base -= {"cache_dir", "force_download", "proxies", "token", "local_files_only", "revision", "subfolder", "trust_remote_code", "user_agent", "device",
         "return_unused_kwargs", "push_to_hub", "repo_id", "_configuration_file", "_from_auto", "_from_pipeline", "gguf_file", "code_revision", "use_auth_token"}
base |= {f.name for f in dataclasses.fields(PreTrainedConfig)} | {"model_type", "quantization_config"}
generation = set(GenerationConfig._get_default_generation_params())
families = {}
for kind in ("gpt2", "llama", "qwen2", "qwen3", "mistral", "gemma", "gemma3_text", "bert", "roberta", "xlm-roberta", "camembert", "distilbert", "t5", "xlnet"):
    config = AutoConfig.for_model(kind, **TINY[kind])
    cls = type(config)
    fields = {f.name: f.default for f in dataclasses.fields(cls) if f.name not in base}
    default = {k: None if v is dataclasses.MISSING else v for k, v in fields.items()}
    read.clear()
    PreTrainedConfig.__getattribute__ = tracing
    names = {}
    for head in HEADS:
        names.update(dict.fromkeys(n for n in [getattr(modeling_auto, head + "_MAPPING_NAMES").get(kind, "")] if n))
    for name in names:
        if name not in SKIP and name != cls.__name__.replace("Config", "Model"):
            name = name if name != "XLNetForQuestionAnswering" else "XLNetForQuestionAnsweringSimple"
            use(getattr(transformers, name), cls(**TINY[kind]))
    PreTrainedConfig.__getattribute__ = plain
    config = cls(**TINY[kind])
    used = set()
    for name in read:
        if name.startswith("_") or name in cls.attribute_map or name in fields or name in base or name in generation:
            continue
        there = getattr(config, name, None)
        if callable(there) or isinstance(inspect.getattr_static(cls, name, None), (property, classmethod)) and name not in ("max_position_embeddings",):
            continue
        if name in vars(PreTrainedConfig) or any(name in vars(b) for b in cls.__mro__ if b is not cls):
            continue
        used.add(name)
    families[kind] = dict(fields=default, aliases=cls.attribute_map, taken=sorted(popped(cls) - base), read=sorted(used))
(HERE / "keys.json").write_text(json.dumps(dict(
    torch=torch.__version__, transformers=transformers.__version__, base=sorted(base), generation=sorted(generation), families=families), indent=1) + "\n")
