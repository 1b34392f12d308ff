"""Writes likelihood.json: what the language models beside it make of texts, each by itself.

    python likelihood.py

Each case has a model's directory, keys of its config.json that take the place of the directory's,
and for each text what it costs in nats: each of its tokens, and eos_token_id behind it where
there is one. Before it stands bos_token_id, or else eos_token_id. Windows are those of
lm-evaluation-harness (get_rolling_token_windows with a context of one token).

Written for Python 3.11, torch 2.15.0 (CPU), transformers 5.24.0, tokenizers 0.23.3.
"""

import json
import pathlib

import tokenizers
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = pathlib.Path(__file__).parent
SENTENCE = "the cat sat on the mat and the dog sat on the log, a model of this and that"
TEXTS = ["x", "the cat sat", SENTENCE, "a model", SENTENCE[::-1] + SENTENCE, SENTENCE[:57], SENTENCE * 4]
ENDS = [dict(bos_token_id=0, eos_token_id=0), dict(bos_token_id=None, eos_token_id=1), dict(bos_token_id=1, eos_token_id=None),
        dict(bos_token_id=0, eos_token_id=1)]


def nats(model, ids, length):
    """Of ids[1:], each given what is before it in its window."""
    total, done = 0.0, 0
    while done < len(ids) - 1:
        n = min(length, len(ids) - 1 - done)
        first = max(0, done + n - length)
        window = torch.tensor([ids[first:done + n]])
        logp = torch.log_softmax(model(input_ids=window).logits[0].double(), -1)
        targets = torch.tensor(ids[first + 1:done + n + 1])
        total -= logp[torch.arange(len(targets)), targets][-n:].sum().item()
        done += n
    return total


cases = []
for name in ("gpt2", "llama"):
    tok = AutoTokenizer.from_pretrained(HERE / name)
    model = AutoModelForCausalLM.from_pretrained(HERE / name, dtype=torch.float32).eval()
    for ends in ENDS:
        bos, eos = ends["bos_token_id"], ends["eos_token_id"]
        costs = []
        for text in TEXTS:
            ids = [eos if bos is None else bos] + tok(text, add_special_tokens=False)["input_ids"] + ([] if eos is None else [eos])
            with torch.no_grad():
                costs.append(nats(model, ids, model.config.max_position_embeddings))
        cases.append(dict(model=name, config=ends, nats=costs))

with open(HERE / "likelihood.json", "w") as f:
    versions = dict(torch=torch.__version__, transformers=transformers.__version__, tokenizers=tokenizers.__version__)
    json.dump({**versions, "texts": TEXTS, "cases": cases}, f, indent=1)
    f.write("\n")
