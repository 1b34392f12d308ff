"""Writes generate.json: what transformers writes, greedily, with the language models beside it
and other post-processors and generation settings.

    python generate.py

Each case has a model's directory, keys of its config.json, a post-processor of its
tokenizer.json and a generation_config.json that take the place of the directory's (null: none),
and for each prompt the ids that AutoTokenizer gives and those that generate adds, the end included.
Rows of the output matrix that are no token's are left out of the choice.

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


def around(before, after):
    """A post-processor that sets <|endoftext|> (0) or <|pad|> (1) around a text."""
    names = {0: "<|endoftext|>", 1: "<|pad|>"}
    special = lambda i: {"SpecialToken": {"id": names[i], "type_id": 0}}
    single = [*map(special, before), {"Sequence": {"id": "A", "type_id": 0}}, *map(special, after)]
    return {"type": "TemplateProcessing", "single": single, "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {names[i]: {"id": names[i], "ids": [i], "tokens": [names[i]]} for i in {*before, *after}}}


def write(case):
    with tempfile.TemporaryDirectory() as t:
        d = pathlib.Path(t) / "model"
        shutil.copytree(HERE / case["model"], d)
        for name, change in (("config.json", case["config"]), ("tokenizer.json", {"post_processor": case["post_processor"]})):
            path = d / name
            path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        (d / "generation_config.json").unlink(missing_ok=True)
        if case["generation_config"] is not None:
            (d / "generation_config.json").write_text(json.dumps(case["generation_config"]))
        tok = AutoTokenizer.from_pretrained(d)
        answers = case["model"].startswith("t5")
        model = (AutoModelForSeq2SeqLM if answers else AutoModelForCausalLM).from_pretrained(d, dtype=torch.float32).eval()
        case["texts"] = []
        for prompt in PROMPTS:
            ids = tok(prompt)["input_ids"]
            out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False, max_new_tokens=N,
                                 suppress_tokens=list(range(len(tok), model.config.vocab_size)))[0].tolist()
            case["texts"].append(dict(prompt=prompt, ids=ids, new=out[1 if answers else len(ids):]))
    return case


cases = []
for model in ("gpt2", "llama-tied-sharded-bf16", "qwen3", "t5"):
    for post in (None, around([0], []), around([], [0]), around([0], [1])):
        start = {"decoder_start_token_id": 1} if model == "t5" else {}
        plain = write(dict(model=model, config={"eos_token_id": None}, post_processor=post, generation_config=None))
        cases.append(plain)
        if post and post["single"][-1] != {"Sequence": {"id": "A", "type_id": 0}}:
            continue
        third = plain["texts"][0]["new"][2]  # an end that is met
        other = plain["texts"][1]["new"][4]
        for config, generation in (
            ({"eos_token_id": [7, third]}, None),
            ({"eos_token_id": 0}, {"eos_token_id": [7, third, other], **start}),
            ({"eos_token_id": third}, {"eos_token_id": other, **start}),
        ):
            cases.append(write(dict(model=model, config=config, post_processor=post, generation_config=generation)))
(HERE / "generate.json").write_text(json.dumps(dict(
    torch=torch.__version__, transformers=transformers.__version__, tokenizers=tokenizers.__version__, cases=cases)).replace('{"model"', '\n{"model"') + "\n")
