"""Writes rope.json: the frequencies and the scale of rotary positions of tiny Llamas, as transformers
makes them of rope_parameters of each type. Run:

    python rope.py > rope.json

Made with the versions that it holds."""

import json

import torch
import transformers
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

transformers.logging.set_verbosity_error()
half = [1 + i / 4 for i in range(16)]
cases = []
for parameters in (
    dict(rope_type="default"),
    dict(rope_type="linear", factor=4.0),
    dict(rope_type="dynamic", factor=4.0),
    dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=256),
    dict(rope_type="proportional", partial_rotary_factor=0.5),
    dict(rope_type="proportional", partial_rotary_factor=0.3, factor=2.0),
    dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=256),
    dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=256, truncate=False, beta_fast=16.0, beta_slow=2.0),
    dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=256, mscale=0.7, mscale_all_dim=0.4),
    dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=256, attention_factor=1.5),
    dict(rope_type="yarn", factor=None, original_max_position_embeddings=256),
    dict(rope_type="longrope", short_factor=half, long_factor=[3.0] * 16, original_max_position_embeddings=256),
    dict(rope_type="longrope", short_factor=half, long_factor=[3.0] * 16, original_max_position_embeddings=256, factor=16.0),
    dict(rope_type="longrope", short_factor=half, long_factor=[3.0] * 16, original_max_position_embeddings=256, attention_factor=1.25),
):
    config = LlamaConfig(hidden_size=128, num_attention_heads=4, max_position_embeddings=1024, rope_parameters={"rope_theta": 500.0, **parameters})
    rope = LlamaRotaryEmbedding(config)
    cases.append(dict(parameters={"rope_theta": 500.0, **parameters}, frequencies=rope.inv_freq.double().tolist(), scale=float(rope.attention_scaling)))
print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__, "cases": cases}, indent=1))
