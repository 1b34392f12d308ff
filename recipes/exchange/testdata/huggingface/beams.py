"""Writes beams.json: what transformers' beam search writes with the language models beside it.

    python beams.py

Each case has a model's directory, a generation_config.json that takes the place of the
directory's, and for each prompt the results, the best first: the ids that generate adds, the end
included, and their score. Rows of the output matrix that are no token's are left out of the
choice. A case whose scores are too near to each other to have a sure order is left out.

Written for Python 3.11, torch 2.15.0 (CPU), transformers 5.24.0, tokenizers 0.23.3.
"""

import json
import pathlib
import shutil
import tempfile

import tokenizers
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

HERE = pathlib.Path(__file__).parent
PROMPTS = ["the cat sat", "a model", "x"]
N = 12


def write(name, generation):
    with tempfile.TemporaryDirectory() as t:
        d = pathlib.Path(t) / "model"
        shutil.copytree(HERE / name, d)
        (d / "generation_config.json").write_text(json.dumps(generation))
        tok = AutoTokenizer.from_pretrained(d)
        answers = name.startswith("t5")
        model = (AutoModelForSeq2SeqLM if answers else AutoModelForCausalLM).from_pretrained(d, dtype=torch.float32).eval()
        texts = []
        for prompt in PROMPTS:
            ids = tok(prompt)["input_ids"]
            out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), return_dict_in_generate=True, output_scores=True,
                                 suppress_tokens=list(range(len(tok), model.config.vocab_size)))
            scores = out.sequences_scores.tolist()
            if min([abs(a - b) for a, b in zip(scores, scores[1:])], default=1) < 1e-4:
                return None
            start, lengths = 1 if answers else len(ids), (out.beam_indices >= 0).sum(1).tolist()
            texts.append(dict(prompt=prompt, ids=ids, results=[dict(new=s[start : start + n].tolist(), score=x) for s, n, x in zip(out.sequences, lengths, scores)]))
    return dict(model=name, generation_config=generation, texts=texts)


cases = []
for model in ("gpt2", "llama-tied-sharded-bf16", "qwen3", "t5"):
    start = {"decoder_start_token_id": 1} if model == "t5" else {}
    for k, options in enumerate((
        dict(num_beams=2), dict(num_beams=3, length_penalty=2.0, early_stopping=True), dict(num_beams=4, length_penalty=0.0, early_stopping="never"),
        dict(num_beams=3, repetition_penalty=1.4, no_repeat_ngram_size=2), dict(num_beams=5, min_new_tokens=6, length_penalty=-0.5),
        dict(num_beams=4, early_stopping="never", length_penalty=1.5),
    )):
        for ends in ([0], list(range(2, 24))):  # many, as the models are small and random
            n = dict(num_return_sequences=options["num_beams"]) if k % 2 else {}
            cases.append(write(model, dict(eos_token_id=ends, pad_token_id=1, max_new_tokens=N, **options, **n, **start)))
print(len(cases), sum(c is None for c in cases), [len(r["new"]) for c in cases if c for t in c["texts"] for r in t["results"]])
cases = [c for c in cases if c]
(HERE / "beams.json").write_text(json.dumps(dict(
    torch=torch.__version__, transformers=transformers.__version__, tokenizers=tokenizers.__version__, cases=cases)).replace('{"model"', '\n{"model"') + "\n")
