"""Windows of the questions of questions.json at other strides, made once with transformers.

    python strides.py > strides.json

Windows and answers are those of prepare_train_features in transformers' run_qa.py, with --doc_stride.
"""
import json, tokenizers, transformers
from transformers import PreTrainedTokenizerFast

ref = json.load(open("questions.json"))
t = PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer.from_str(json.dumps(ref["tokenizer"])))
out = {"versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}, "strides": {}}
for stride in (7, 41):
    rows = []
    for r in ref["rows"]:
        e = t(r["question"], r["context"], truncation="only_second", max_length=ref["length"], stride=stride,
            return_overflowing_tokens=True, return_offsets_mapping=True)
        windows = []
        for i, offsets in enumerate(e["offset_mapping"]):
            ids, seq, start, end = e["input_ids"][i], e.sequence_ids(i), 0, 0
            if r["answers"]["text"]:
                a = r["answers"]["answer_start"][0]
                b = a + len(r["answers"]["text"][0])
                first, last = seq.index(1), len(seq) - 1 - seq[::-1].index(1)
                if offsets[first][0] <= a and offsets[last][1] >= b:
                    while first < len(offsets) and offsets[first][0] <= a: first += 1
                    while offsets[last][1] >= b: last -= 1
                    start, end = first - 1, last + 1
            windows.append({"ids": ids, "types": e.encodings[i].type_ids, "start": start, "end": end})
        rows.append(windows)
    out["strides"][stride] = rows
print(json.dumps(out, ensure_ascii=False))
