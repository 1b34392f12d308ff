"""Checks that AutoTokenizer and AutoModel, given nothing but the directories that hone exports,
give its ids and probabilities of classes.

    python exported.py CHECKS.json

CHECKS.json is a list of {Exported, Texts, IDs, Probs, Labels}: a classifier's directory, texts,
and hone's ids of each with what stands around it, its probabilities, the true labels. Ids must
be equal; probabilities within 1e-5, of single texts and of padded batches (a model whose
tokenizer has no padding token is given single texts alone). Exits 1 on any difference.

Written for Python 3.11, torch 2.15.0, transformers 5.24.0. Not part of go test without Python.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

failures = 0
for c in json.load(open(sys.argv[1], encoding="utf-8")):
    tok = AutoTokenizer.from_pretrained(c["Exported"])
    model = AutoModelForSequenceClassification.from_pretrained(c["Exported"]).eval()
    want, true = torch.tensor(c["Probs"]), torch.tensor(c["Labels"])
    wrong = sum(tok(t)["input_ids"] != ids for t, ids in zip(c["Texts"], c["IDs"], strict=True))

    @torch.no_grad()
    def probs(texts):
        x = tok(texts, return_tensors="pt", padding=len(texts) > 1, truncation=True)
        return model(**x).logits.softmax(-1)

    single = torch.cat([probs([t]) for t in c["Texts"]])
    figures = {"single": (single - want).abs().max().item()}
    if tok.pad_token is not None:
        batched = torch.cat([probs(c["Texts"][i : i + 7]) for i in range(0, len(c["Texts"]), 7)])
        figures["batched"] = (batched - want).abs().max().item()
    accuracy = [(p.argmax(-1) == true).float().mean().item() for p in (want, single)]
    ok = wrong == 0 and accuracy[0] == accuracy[1] and all(f < 1e-5 for f in figures.values())
    failures += not ok
    print(f"{'ok  ' if ok else 'FAIL'}  {type(model).__name__} of {len(c['Texts'])} texts: {wrong} ids differ, probabilities by "
          + ", ".join(f"{v:.1e} ({k})" for k, v in figures.items()) + f", accuracy {accuracy[0]:.3f} in hone, {accuracy[1]:.3f} in transformers")
sys.exit(failures > 0)
