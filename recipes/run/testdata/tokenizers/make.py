"""Writes the tokenizers beside it, tiny ones of the kinds that the model families of Hugging
Face have: their special tokens, and what their post-processors set around a text.

    python make.py

Written for Python 3.11, tokenizers 0.23.3.
"""

import json
import pathlib

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
SIZE = 280
TEXT = ["the cat sat on the mat and the dog sat on the log", "a model of a model is a model", "this and that and the other",
        "one river runs down to the sea", "two boats go over the water at night"] * 4
BYTES = pre_tokenizers.ByteLevel.alphabet()


def around(t, single, *names):
    t.post_processor = processors.TemplateProcessing(single=single, special_tokens=[(n, t.token_to_id(n)) for n in names])


def save(name, t):
    assert t.get_vocab_size() <= 300
    t.save(str(HERE / f"{name}.json"))


def byte_level(specials):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=SIZE, special_tokens=specials, show_progress=False, initial_alphabet=BYTES))
    return t


def unigram(specials, unk):
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.NFKC()
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(TEXT, trainers.UnigramTrainer(vocab_size=150, special_tokens=specials, unk_token=unk, show_progress=False))
    return t


save("gpt2", byte_level(["<|endoftext|>"]))

bert = Tokenizer(models.WordPiece(unk_token="[UNK]"))
bert.normalizer = normalizers.BertNormalizer()
bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
bert.decoder = decoders.WordPiece()
bert.train_from_iterator(TEXT, trainers.WordPieceTrainer(
    vocab_size=150, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
around(bert, "[CLS] $A [SEP]", "[CLS]", "[SEP]")
save("bert", bert)

roberta = byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
around(roberta, "<s> $A </s>", "<s>", "</s>")
save("roberta", roberta)

# Llama 2's: bytes that stand for themselves, <s> before a text and nothing after it, no pad.
llama = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
llama.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
llama.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
llama.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=290, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)],
                                                    show_progress=False, limit_alphabet=20))
document = json.loads(llama.to_str())
document["added_tokens"] = [a for a in document["added_tokens"] if not a["content"].startswith("<0x")]
llama = Tokenizer.from_str(json.dumps(document))
around(llama, "<s> $A", "<s>")
save("llama", llama)

t5 = unigram(["<pad>", "</s>", "<unk>"], "<unk>")
t5.add_special_tokens([AddedToken(f"<extra_id_{i}>", special=True) for i in reversed(range(20))])
around(t5, "$A </s>", "</s>")
save("t5", t5)

xlnet = unigram(["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"], "<unk>")
around(xlnet, "$A <sep> <cls>", "<sep>", "<cls>")
save("xlnet", xlnet)
