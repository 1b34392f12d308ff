"""Reference values for labels of words, made once with transformers.

    python words.py > words.json

The versions used are in words.json. Labels are those of transformers' run_ner.py: of the first token of a
word, others -100.
"""
import json, tokenizers, transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

text = ["Anna Berg lives in Köln near the river", "the cat sat on the mat, didn't it?", "강원은 또 성매매 알선", "living near Berlin's walls"] * 3
sentences = [["Anna", "Berg's", "living", "in", "Köln", "."], ["강원은", "또", "\u200b", "unseen-word", "the"], ["the"], ["A", "B", "C", "D", "E", "F", "G", "H"]]
tags = [[0, 1, 2, 2, 3, 2], [0, 2, 2, 1, 2], [2], [0, 1, 2, 3, 0, 1, 2, 3]]

def wordpiece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(text, trainers.WordPieceTrainer(vocab_size=110, special_tokens=["[UNK]", "[CLS]", "[SEP]", "[PAD]"], show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    return t, "[CLS]", "[SEP]"
def bpe():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    t.train_from_iterator(text, trainers.BpeTrainer(vocab_size=330, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)])
    return t, "<s>", "</s>"

out = {"versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}, "words": sentences, "tags": tags, "cases": []}
for make in [wordpiece, bpe]:
    t, bos, eos = make()
    rows = []
    for words, labels in zip(sentences, tags):
        e = PreTrainedTokenizerFast(tokenizer_object=t)(words, is_split_into_words=True, truncation=True, max_length=12)
        before, got = None, []
        for w in e.word_ids():
            got.append(-100 if w is None or w == before else labels[w])
            before = w
        rows.append({"ids": e["input_ids"], "labels": got})
    t.no_truncation()
    out["cases"].append({"tokenizer": json.loads(t.to_str()), "bos": bos, "eos": eos, "rows": rows})
print(json.dumps(out, ensure_ascii=False))
