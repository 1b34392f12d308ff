"""Writes pairs.json: the ids and types of pairs of texts by transformers' fast tokenizers, cut to a length by
longest_first, with the tokenizers.

    python pairs.py
"""

import json
import pathlib

import tokenizers
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

words = "the cat sat on a mat and dog ran far away from old house red".split()


def make(specials, post):
    vocab = {w: i for i, w in enumerate(specials + words)}
    t = Tokenizer(models.WordLevel(vocab, unk_token=specials[0]))
    t.normalizer, t.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    t.post_processor = post(lambda name: (name, vocab[name]))
    t.add_special_tokens(specials)
    return t


cases = {
    "bert": (make(["[UNK]", "[PAD]", "[CLS]", "[SEP]"], lambda s: processors.BertProcessing(s("[SEP]"), s("[CLS]"))), "[PAD]", "[CLS]", "[SEP]"),
    "roberta": (make(["<unk>", "<pad>", "<s>", "</s>"], lambda s: processors.RobertaProcessing(s("</s>"), s("<s>"), False, False)), "<pad>", "<s>", "</s>"),
    "t5": (make(["<unk>", "<pad>", "</s>"], lambda s: processors.TemplateProcessing("$A </s>", "$A </s> $B </s>", [s("</s>")])), "<pad>", "", "</s>"),
    "llama": (make(["<unk>", "<s>", "</s>"], lambda s: processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> <s>:1 $B:1 </s>:1", [s("<s>"), s("</s>")])), "</s>", "<s>", "</s>"),
}
texts = [
    ["the cat sat on a mat", "a dog ran"], ["the cat", "the dog ran far away from a old red house and a mat"],
    ["the dog ran far away from a old red house and a mat", "cat"], ["the cat sat on a mat and the dog ran far", "away from a old red house on a mat the cat"], ["red", "house"],
]
out = []
for name, (t, pad, first, last) in cases.items():
    fast = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(t.to_str()), pad_token=pad)
    for length in (10, 13, 32):
        e = [fast(a, b, truncation="longest_first", max_length=length, return_token_type_ids=True) for a, b in texts]
        out.append(dict(name=name, bos=first, eos=last, length=length, tokenizer=json.loads(t.to_str()), ids=[x["input_ids"] for x in e], types=[x["token_type_ids"] for x in e]))
here = pathlib.Path(__file__).parent
(here / "pairs.json").write_text(json.dumps(dict(transformers=transformers.__version__, tokenizers=tokenizers.__version__, texts=texts, cases=out)).replace('{"name"', '\n{"name"') + "\n")
