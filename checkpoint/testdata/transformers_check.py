"""Checks that transformers opens checkpoints and agrees with hone.

    python transformers_check.py PRETRAIN_DIR CLASSIFY_DIR HONE.json

PRETRAIN_DIR is opened as GPT2LMHeadModel, CLASSIFY_DIR as
GPT2ForSequenceClassification, the tokenizer of each by AutoTokenizer. HONE.json
is what hone computed of the same directories:

    texts           [N] strings
    ids             [N][T_i] token ids of each text, nothing added
    lm_logits_last  [N][V] logits behind the last token (may be left out)
    class_logits    [N][K] logits of the classes (may be left out)

Each text goes through the model alone, without padding. Ids must be equal,
logits within 1e-4, and the loaders must have found every weight they wanted
and wanted every weight they found. Exits 1 on any difference.

Written for Python 3.11, torch 2.15.0, transformers 5.23.0, tokenizers 0.23.3.
Not part of go test.
"""

import json
import sys

import tokenizers
import torch
import transformers
from transformers import AutoTokenizer, GPT2ForSequenceClassification, GPT2LMHeadModel

BOUND = 1e-4
failures = 0


def check(what, ok, figure):
    global failures
    failures += not ok
    print(f"{'ok  ' if ok else 'FAIL'}  {what}: {figure}")


def load(cls, path):
    model, info = cls.from_pretrained(path, output_loading_info=True, dtype=torch.float32)
    faults = {k: sorted(map(str, v)) for k, v in info.items() if v}
    check(f"{cls.__name__} loads {path}", not faults,
          faults or f"{sum(p.numel() for p in model.parameters())} parameters")
    return model.eval()


def check_ids(path, texts, want):
    tokenizer = AutoTokenizer.from_pretrained(path)
    got = tokenizer(texts, add_special_tokens=False)["input_ids"]
    wrong = [i for i, (g, w) in enumerate(zip(got, want, strict=True)) if list(g) != w]
    figure = f"{len(texts)} texts, {sum(map(len, want))} tokens, {type(tokenizer).__name__}"
    if wrong:
        i = wrong[0]
        figure = f"{len(wrong)} of {len(texts)} differ, first text {i}: {got[i]} != {want[i]}"
    check(f"ids of {path}", not wrong, figure)


@torch.no_grad()
def check_logits(what, model, ids, want, last):
    differences = []
    for row, w in zip(ids, want, strict=True):
        logits = model(torch.tensor([row])).logits[0]
        got = logits[-1] if last else logits
        w = torch.tensor(w, dtype=torch.float32)
        if got.shape != w.shape:
            check(what, False, f"shape {tuple(got.shape)} != {tuple(w.shape)}")
            return
        differences.append((got - w).abs().max())
    worst = torch.stack(differences).max().item()  # NaN if any is
    check(what, worst <= BOUND, f"max |difference| {worst:.2e} over {len(want)} texts, bound {BOUND}")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    pretrain, classify, path = sys.argv[1:]
    with open(path, encoding="utf-8") as f:
        hone = json.load(f)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, tokenizers {tokenizers.__version__}")
    texts, ids = hone["texts"], hone["ids"]
    if not texts or not all(ids):
        sys.exit(f"{path}: texts and ids must not be empty")

    for directory in (pretrain, classify):
        check_ids(directory, texts, ids)
    lm = load(GPT2LMHeadModel, pretrain)
    if "lm_logits_last" in hone:
        check_logits("logits of GPT2LMHeadModel", lm, ids, hone["lm_logits_last"], last=True)
    classifier = load(GPT2ForSequenceClassification, classify)
    if "class_logits" in hone:
        check_logits("logits of GPT2ForSequenceClassification", classifier, ids, hone["class_logits"], last=False)
    if failures:
        sys.exit(f"{failures} checks failed")


main()
