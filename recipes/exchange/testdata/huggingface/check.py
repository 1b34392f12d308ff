"""Checks that transformers opens what hone exports, and agrees with it.

    python check.py CHECKS.json

CHECKS.json is a list of {Source, Exported, Texts, IDs, Logits}: a directory that transformers
saved, the one that hone made of it by import and export, and hone's ids of each text and all
logits that its head gives. Every weight must be found and wanted, ids must be equal, and the logits of
Source, Exported and hone (of a model without a head, the last hidden states) within 1e-4. Exits 1 on any difference.

Written for Python 3.11, torch 2.15.0, transformers 5.23.0. Not part of go test without Python.
"""

import json
import sys

import torch
import transformers
from transformers import AutoConfig, AutoTokenizer

failures = 0


def check(what, ok, figure):
    global failures
    failures += not ok
    print(f"{'ok  ' if ok else 'FAIL'}  {what}: {figure}")


def load(path):
    cls = getattr(transformers, AutoConfig.from_pretrained(path).architectures[0])
    task = next((t for t in ("SequenceClassification", "TokenClassification", "QuestionAnswering", "MaskedLM", "ConditionalGeneration", "PreTraining") if t in cls.__name__), "CausalLM")
    auto = getattr(transformers, "AutoModelFor" + task.replace("ConditionalGeneration", "Seq2SeqLM"))
    if cls.__name__.endswith("Model") and "LMHead" not in cls.__name__:  # without a head
        auto = cls if cls.__name__ == "T5EncoderModel" else transformers.AutoModel
    model, info = auto.from_pretrained(path, output_loading_info=True, dtype=torch.float32)
    if cls.__name__.startswith("XLNetFor"):  # only predicting tokens takes it
        info["missing_keys"] = set(info["missing_keys"]) - {"transformer.mask_emb"}
    faults = {k: sorted(map(str, v)) for k, v in info.items() if v}
    check(f"{path}", type(model) is cls and not faults, faults or f"{cls.__name__}, {sum(p.numel() for p in model.parameters())} parameters")
    return model.eval()


@torch.no_grad()
def logits(model, ids):
    more, n = {}, len(ids)
    if type(model).__name__ == "T5ForSequenceClassification":  # of the token </s>
        ids = ids + [model.config.eos_token_id]
    elif type(model).__name__ == "T5ForConditionalGeneration":
        more["decoder_input_ids"] = torch.tensor([ids])
    if type(model).__name__ == "XLNetLMHeadModel":  # from left to right, each token from those before it
        more = dict(perm_mask=torch.ones(1, n, n).triu(), target_mapping=torch.eye(n)[None])
    out = model(torch.tensor([ids]), **more)
    if "last_hidden_state" in out:
        return out.last_hidden_state[0].flatten()
    if "prediction_logits" in out:
        return out.prediction_logits[0].flatten()
    out = out.logits if "logits" in out else torch.stack([out.start_logits, out.end_logits], dim=-1)
    return out[0].flatten()


if __name__ == "__main__":
    for c in json.load(open(sys.argv[1], encoding="utf-8")):
        source, exported = load(c["Source"]), load(c["Exported"])
        tokenizers = [AutoTokenizer.from_pretrained(c[k]) for k in ("Source", "Exported")]
        worst = 0.0
        for text, ids, want in zip(c["Texts"], c["IDs"], c["Logits"], strict=True):
            for t in tokenizers:
                got = t(text, add_special_tokens=False)["input_ids"]
                check(f"ids of {text!r}", list(got) == ids, got)
            a, b, w = logits(source, ids), logits(exported, ids), torch.tensor(want)
            if type(source).__name__ == "XLNetLMHeadModel":  # the first token sees none: transformers then attends to all, hone to nothing
                a, b, w = (x[source.config.vocab_size:] for x in (a, b, w))
            worst = max(worst, (a - b).abs().max().item(), (a - w).abs().max().item())
        check("logits", worst <= 1e-4, f"max |difference| {worst:.2e}")
    print(f"torch {torch.__version__}, transformers {transformers.__version__}")
    sys.exit(failures > 0)
