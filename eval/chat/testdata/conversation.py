"""Writes tokenizer.json, a small tokenizer with the special tokens of chat templates, and
conversation.json: conversations as transformers renders and encodes them turn by turn.

    python conversation.py ../../../data/tokenizer/template/testdata/templates

Made with transformers 5.24.0, tokenizers 0.23.3, jinja2 3.1.6, Python 3.11.
"""

import json
import pathlib
import sys

import tokenizers
import transformers

special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
dialogue = [
    {"role": "system", "content": "You answer in one line."},
    {"role": "user", "content": "What is the capital of Korea?"},
    {"role": "assistant", "content": "Seoul."},
    {"role": "user", "content": "And in Korean?\nWith its script, please."},
    {"role": "assistant", "content": "서울, in Hangul 🇰🇷"},
    {"role": "user", "content": "What does <|im_end|> mean?  "},
    {"role": "assistant", "content": ""},
    {"role": "user", "content": "Hello?"},
]

core = tokenizers.Tokenizer(tokenizers.models.BPE())
core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
core.decoder = tokenizers.decoders.ByteLevel()
texts = [m["content"] for m in dialogue] + ["system", "user", "assistant", "model", "The capital of the country is a city."]
core.train_from_iterator(texts, tokenizers.trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
core.save("tokenizer.json")

cases = []
for name, roles, end in [
    ("smollm2", {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}, "<|im_end|>"),
    ("chatml", {"eos_token": "<|im_end|>"}, "<|im_end|>"),
    ("qwen3", {"eos_token": "<|im_end|>"}, "<|im_end|>"),
    ("llama3", {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}, "<|eot_id|>"),
    ("gemma3", {"bos_token": "<bos>", "eos_token": "<|endoftext|>"}, "<end_of_turn>"),
]:
    tok = transformers.PreTrainedTokenizerFast(tokenizer_object=core, **roles)
    tok.chat_template = (pathlib.Path(sys.argv[1]) / (name + ".jinja")).read_text()
    turns = []
    for first in (0, 1):  # with its system message, and without
        for n in range(first + 1, len(dialogue) + 1):
            if dialogue[n - 1]["role"] == "user":
                messages = dialogue[first:n]
                turns.append({
                    "messages": messages,
                    "text": tok.apply_chat_template(messages, add_generation_prompt=True, tokenize=False),
                    "ids": tok.apply_chat_template(messages, add_generation_prompt=True)["input_ids"],
                })
    cases.append({"template": name, "roles": roles, "end": tok.convert_tokens_to_ids(end), "turns": turns})
out = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "cases": cases}
pathlib.Path("conversation.json").write_text(json.dumps(out, ensure_ascii=False) + "\n")
