"""Reference values for questions, made once with transformers.

    python questions.py > questions.json

The versions used are in questions.json. Windows and answers are those of prepare_train_features in
transformers' run_qa.py; the stride is half of what a window has, since these contexts are short.
"""
import json, random, tokenizers, transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

rng = random.Random(2)
words = "Anna Berg lives in Köln near the river and walks to Berlin's old café (built 1902) every day, 강원은 또 알선".split()
rows = []
for i in range(12):
    list = [rng.choice(words) for _ in range([6, 20, 40][i % 3])]
    context, at = " ".join(list), rng.randrange(len(list) - 2)
    start = len(" ".join(list[:at] + [""])) if at else 0
    end = start + len(" ".join(list[at:at + rng.randint(1, 2)]))
    answers = {"text": [context[start:end]], "answer_start": [start]} if i % 5 else {"text": [], "answer_start": []}
    rows.append({"question": " ".join(rng.choice(words) for _ in range(rng.randint(2, 4))), "context": context, "answers": answers})
t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
t.train_from_iterator([r["context"] for r in rows], trainers.WordPieceTrainer(vocab_size=90, special_tokens=["[UNK]", "[CLS]", "[SEP]", "[PAD]"], show_progress=False))
t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
T = 64
out = {"versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}, "tokenizer": json.loads(t.to_str()), "length": T, "rows": []}
for r in rows:
    room = T - 3 - len(t.encode(r["question"], add_special_tokens=False).ids)
    e = PreTrainedTokenizerFast(tokenizer_object=t)(r["question"], r["context"], truncation="only_second", max_length=T, stride=room // 2,
        return_overflowing_tokens=True, return_offsets_mapping=True)
    windows = []
    for i, offsets in enumerate(e["offset_mapping"]):
        ids, seq = e["input_ids"][i], e.sequence_ids(i)
        start = end = 0
        if r["answers"]["text"]:
            a = r["answers"]["answer_start"][0]; b = a + len(r["answers"]["text"][0])
            first, last = 0, len(ids) - 1
            while seq[first] != 1: first += 1
            while seq[last] != 1: last -= 1
            if offsets[first][0] <= a and offsets[last][1] >= b:
                while first < len(offsets) and offsets[first][0] <= a: first += 1
                while offsets[last][1] >= b: last -= 1
                start, end = first - 1, last + 1
        windows.append({"ids": ids, "types": e.encodings[i].type_ids, "start": start, "end": end})
    t.no_truncation()
    out["rows"].append({**r, "windows": windows})
print(json.dumps(out, ensure_ascii=False))
