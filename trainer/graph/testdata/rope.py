"""Writes rope.json: inverse frequencies of Hugging Face's Llama, plain and with rope_type
"llama3". Run: python rope.py > rope.json (made with the versions it holds)."""
import json

import torch
import transformers
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
           "original_max_position_embeddings": 8192}


def frequencies(theta, scaling):
    config = LlamaConfig(hidden_size=256, num_attention_heads=4, max_position_embeddings=131072,
                         rope_theta=theta, rope_parameters={"rope_theta": theta, **(scaling or {"rope_type": "default"})})
    return LlamaRotaryEmbedding(config).inv_freq.double().tolist()


print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__,
                  "plain": frequencies(10000.0, None), "llama3": frequencies(500000.0, scaling)}))
