# Labels of the words of ../embed/sentences.jsonl, and answers in them to questions, by transformers, for
# TestPredictParts:
#
#   python parts.py > parts.json
#
# The tiny models of random weights are those of recipes/exchange, with the tokenizer ../tokenizers/bert.json.
# Windows of contexts, and the choice of an answer, are as in transformers' run_qa.py.
# Made with transformers 5.24.0, tokenizers 0.23.3, torch 2.15.0.
import json, os, sys
import torch, transformers
from tokenizers import Tokenizer
from transformers import AutoModelForQuestionAnswering, AutoModelForTokenClassification, PreTrainedTokenizerFast

torch.set_num_threads(1)
here = os.path.dirname(os.path.abspath(__file__))
tiny = os.path.join(here, "../../../exchange/testdata/huggingface")
texts = [json.loads(line)["text"] for line in open(os.path.join(here, "../embed/sentences.jsonl"), encoding="utf-8")]
texts = [t for t in texts if len(t.split()) > 2]
t = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_file(os.path.join(here, "../tokenizers/bert.json")))
out = {"versions": {"transformers": transformers.__version__, "torch": torch.__version__}, "labels": {}, "answers": {}}
for name, length in [("bert-tokens", 40), ("distilbert-tokens", 32)]:
    m = AutoModelForTokenClassification.from_pretrained(os.path.join(tiny, name), dtype=torch.float32).eval()
    rows = []
    for text in texts:
        words = text.split()
        x = t(words, is_split_into_words=True, truncation=True, max_length=length, return_tensors="pt")
        of = x.word_ids(0)
        x.pop("token_type_ids", None)
        with torch.no_grad():
            p = m(**x).logits[0].softmax(-1)
        labels, probability = [None] * len(words), [None] * len(words)
        for i, w in reversed(list(enumerate(of))):
            if w is not None:
                k = int(p[i].argmax())
                labels[w], probability[w] = m.config.id2label[k], round(float(p[i, k]), 7)
        rows.append({"words": words, "prediction": labels, "probability": probability})
    out["labels"][name] = rows
for name, length in [("bert-answers", 40), ("distilbert-answers", 32)]:
    m = AutoModelForQuestionAnswering.from_pretrained(os.path.join(tiny, name), dtype=torch.float32).eval()
    rows = []
    for i, text in enumerate(texts):
        question = texts[i - 1].split()[0]
        q = len(t(question, add_special_tokens=False)["input_ids"])
        room = length - t.num_special_tokens_to_add(True) - q
        if q > (length - t.num_special_tokens_to_add(True)) // 2:
            continue
        w = t(question, text, truncation="only_second", max_length=length, stride=min(128, room // 2),
              return_overflowing_tokens=True, return_offsets_mapping=True)
        best, null = None, None
        for k, ids in enumerate(w["input_ids"]):
            kinds = {"token_type_ids": torch.tensor([w.encodings[k].type_ids])} if name.startswith("bert") else {}
            with torch.no_grad():
                y = m(input_ids=torch.tensor([ids]), **kinds)
            s, e = y.start_logits[0].double(), y.end_logits[0].double()
            none = float(s[0] + e[0])
            null = none if null is None else min(null, none)
            at = [j for j, seq in enumerate(w.sequence_ids(k)) if seq == 1]
            for a in sorted(at, key=lambda j: -s[j])[:20]:
                for b in sorted(at, key=lambda j: -e[j])[:20]:
                    if 0 <= b - a < 30 and (best is None or float(s[a] + e[b]) > best[0]):
                        best = (float(s[a] + e[b]), w["offset_mapping"][k][a][0], w["offset_mapping"][k][b][1])
        rows.append({"question": question, "context": text, "windows": len(w["input_ids"]), "score": round(best[0], 6), "null_score": round(null, 6),
                     "start": best[1], "end": best[2]})
    out["answers"][name] = rows
json.dump(out, sys.stdout, ensure_ascii=False)
