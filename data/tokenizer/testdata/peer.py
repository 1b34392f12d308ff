"""Encodes beside hone: tokenizers 0.23.3, tiktoken 0.14.0, Python 3.11.7.

    HONE_PEER=PYTHON go test -run TestPeer -v ./data/tokenizer

starts this with a file of text, or none to train, and sends a line for each measurement: a method and a
tokenizer's file. The answer is the seconds and the number of tokens, or
the hash of the merges learned.
"""
import hashlib
import json
import os
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "2"
if len(sys.argv) > 1:
    with open(sys.argv[1], encoding="utf-8", newline="\n") as f:
        text = f.read().split("\n")
made = {}


def tiktoken_of(path):
    import tiktoken

    vocab = json.load(open(path))["model"]["vocab"]
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    byte = {chr(b): b for b in printable}
    byte.update({chr(256 + n): b for n, b in enumerate(b for b in range(256) if b not in printable)})
    ranks = {bytes(byte[c] for c in s): i for s, i in vocab.items() if s != "<|endoftext|>"}
    pattern = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
    return tiktoken.Encoding("gpt2", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def train(path):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = level
    start = time.perf_counter()
    t.train([path], trainers.BpeTrainer(vocab_size=32000, show_progress=False, special_tokens=["<|endoftext|>"], initial_alphabet=level.alphabet()))
    seconds = time.perf_counter() - start
    merges = [m if isinstance(m, str) else " ".join(m) for m in json.loads(t.to_str())["model"]["merges"]]
    return seconds, hashlib.sha256("\n".join(merges).encode()).hexdigest()


for line in sys.stdin:
    kind, path = line.split()
    if kind == "train":
        print(*train(path), flush=True)
        continue
    if (kind == "tiktoken", path) not in made:
        if kind == "tiktoken":
            made[True, path] = tiktoken_of(path)
        else:
            from tokenizers import Tokenizer

            t = Tokenizer.from_file(path)
            t.no_truncation(), t.no_padding()
            made[False, path] = t
    t = made[kind == "tiktoken", path]
    start = time.perf_counter()
    if kind == "tiktoken":
        out = [t.encode_ordinary(s) for s in text]
    elif kind == "encode_batch_fast":
        out = t.encode_batch_fast(text, add_special_tokens=False)
    else:
        out = t.encode_batch(text, add_special_tokens=False)
    seconds = time.perf_counter() - start
    print(seconds, sum(map(len, out)), flush=True)
