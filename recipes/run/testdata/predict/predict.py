# Probabilities of the labels of ../embed/sentences.jsonl by transformers, for TestPredict:
#
#   python predict.py > predict.json
#
# The tiny models of random weights are those of recipes/exchange; texts are cut to their length.
# Made with transformers 5.24.0, torch 2.15.0.
import json, os, sys
import torch, transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

torch.set_num_threads(1)
here = os.path.dirname(os.path.abspath(__file__))
tiny = os.path.join(here, "../../../exchange/testdata/huggingface")
texts = [json.loads(line)["text"] for line in open(os.path.join(here, "../embed/sentences.jsonl"), encoding="utf-8")]
out = {"versions": {"transformers": transformers.__version__, "torch": torch.__version__}, "models": {}}
for name, length in [
    ("bert-classifier-fp16", 40), ("distilbert-classifier", 32), ("roberta-classifier", 38), ("gpt2-classifier-fp16", 32),
    ("llama-classifier", 32), ("mistral-classifier", 32), ("qwen3-classifier", 32),
]:
    m = AutoModelForSequenceClassification.from_pretrained(os.path.join(tiny, name), dtype=torch.float32).eval()
    t = AutoTokenizer.from_pretrained(os.path.join(tiny, name))
    p = []
    for text in texts:
        x = t(text, truncation=True, max_length=length, return_tensors="pt")
        x.pop("token_type_ids", None)
        with torch.no_grad():
            p.append([round(v, 7) for v in m(**x).logits[0].softmax(-1).tolist()])
    out["models"][name] = {"labels": [m.config.id2label[i] for i in range(m.config.num_labels)], "probabilities": p}
json.dump(out, sys.stdout)
