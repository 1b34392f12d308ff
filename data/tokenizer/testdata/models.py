"""Writes gguf/*.gguf: small tokenizers of this directory as GGUF models, without weights,
with the keys that llama.cpp's convert_hf_to_gguf.py gives such models.

Made with gguf 0.19.0, sentencepiece 0.2.3, Python 3.11.7:

    python models.py
"""
import base64
import json
import os

import sentencepiece as spm
from gguf import GGUFWriter, TokenType

HERE = os.path.dirname(os.path.abspath(__file__))


def write(name, arch, fill):
    w = GGUFWriter(os.path.join(HERE, "gguf", name + ".gguf"), arch)
    w.add_block_count(0)
    fill(w)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def gpt2(w):
    d = json.load(open(os.path.join(HERE, "tokenizer.json")))
    added = {a["content"] for a in d["added_tokens"]}
    tokens = [t for t, _ in sorted(d["model"]["vocab"].items(), key=lambda x: x[1])]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([TokenType.CONTROL if t in added else TokenType.NORMAL for t in tokens])
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in d["model"]["merges"]])
    w.add_bos_token_id(0)
    w.add_eos_token_id(0)


def charsmap(d):
    """The precompiled one of a tokenizer.json."""
    n = d["normalizer"]
    for n in [n] + n.get("normalizers", []):
        if n["type"] == "Precompiled":
            return base64.b64decode(n["precompiled_charsmap"])


def sentencepiece(model, kind):
    def fill(w):
        path = os.path.join(HERE, "agree", model + ".model")
        sp = spm.SentencePieceProcessor(model_file=path)
        types = []
        for i in range(len(sp)):
            t = TokenType.NORMAL
            if sp.is_unknown(i):
                t = TokenType.UNKNOWN
            elif sp.is_control(i):
                t = TokenType.CONTROL
            elif sp.is_unused(i):
                t = TokenType.UNUSED
            elif sp.is_byte(i):
                t = TokenType.BYTE
            elif sp.id_to_piece(i) == "<user>":
                t = TokenType.USER_DEFINED
            types.append(t)
        w.add_tokenizer_model(kind)
        w.add_tokenizer_pre("default")
        w.add_token_list([sp.id_to_piece(i).encode() for i in range(len(sp))])
        w.add_token_scores([sp.get_score(i) for i in range(len(sp))])
        w.add_token_types(types)
        w.add_add_space_prefix(True)
        w.add_bos_token_id(sp.bos_id())
        w.add_eos_token_id(sp.eos_id())
        w.add_unk_token_id(sp.unk_id())
        if kind == "t5":
            w.add_remove_extra_whitespaces(True)
            w.add_precompiled_charsmap(charsmap(json.load(open(os.path.join(HERE, "agree", model + ".json")))))
            w.add_add_bos_token(False)
            w.add_add_eos_token(False)
        else:
            w.add_add_bos_token(False)

    return fill


def bert(w):
    d = json.load(open(os.path.join(HERE, "agree", "wordpiece.json")))
    tokens, types = [], []
    for t, _ in sorted(d["model"]["vocab"].items(), key=lambda x: x[1]):
        if t.startswith("[") and t.endswith("]"):
            tokens.append(t)
            types.append(TokenType.CONTROL)
        else:
            tokens.append(t[2:] if t.startswith("##") else "\u2581" + t)
            types.append(TokenType.NORMAL)
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("jina-v2-en")
    w.add_token_list(tokens)
    w.add_token_types(types)


write("gpt2", "gpt2", gpt2)
write("llama", "llama", sentencepiece("fallback", "llama"))
write("t5", "t5", sentencepiece("unigram", "t5"))
write("bert", "bert", bert)
