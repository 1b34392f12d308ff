# Vectors of sentences.jsonl by sentence-transformers, for TestEmbed and TestEmbedMiniLM:
#
#   python embed.py MINILM > embed.json
#
# sentences.jsonl has 25 sentences of SST-2's test set and 25 of KorSTS's development set. The tiny
# models of random weights are those of recipes/exchange. MINILM is a directory with all-MiniLM-L6-v2.
# Made with sentence-transformers 6.2.0, transformers 5.24.0, torch 2.15.0.
import base64, json, os, sys
import numpy as np
import sentence_transformers, torch, transformers
from sentence_transformers import SentenceTransformer, models

torch.set_num_threads(1)
here = os.path.dirname(os.path.abspath(__file__))
tiny = os.path.join(here, "../../../exchange/testdata/huggingface")
texts = [json.loads(line)["text"] for line in open(os.path.join(here, "sentences.jsonl"), encoding="utf-8")]

cases = [  # name of the model, ways to pool, include_prompt, normalised, greatest length, prompt
    ("bert-base", ["mean"], True, True, 16, ""),
    ("bert-base", ["cls"], True, False, 24, ""),
    ("bert-base", ["max"], True, False, 24, "query: "),
    ("bert-base", ["mean"], False, True, 24, "query: "),
    ("bert-base", ["cls", "weightedmean"], False, False, 20, "query: "),
    ("bert", ["mean_sqrt_len_tokens"], True, False, 24, ""),
    ("distilbert", ["mean"], True, False, 24, ""),
    ("xlm-roberta-base", ["mean"], True, True, 24, ""),
    ("xlm-roberta-base", ["lasttoken"], True, False, 12, ""),
    ("t5-encoder", ["mean"], True, True, 24, ""),
    ("gpt2-base", ["lasttoken"], True, True, 24, ""),
    ("gpt2-base", ["weightedmean", "max"], True, False, 30, ""),
    ("qwen3", ["lasttoken"], True, True, 24, "q "),
    ("mistral", ["mean"], True, False, 24, ""),
]


def vectors(m, prompt):
    v = m.encode(texts, batch_size=1, prompt=prompt or None, convert_to_numpy=True, show_progress_bar=False)
    return base64.b64encode(np.asarray(v, dtype="<f4").tobytes()).decode()


out = {
    "versions": {"sentence-transformers": sentence_transformers.__version__, "transformers": transformers.__version__, "torch": torch.__version__},
    "cases": [],
}
for name, pooling, include, normalize, length, prompt in cases:
    t = models.Transformer(os.path.join(tiny, name), max_seq_length=length)
    p = models.Pooling(t.get_word_embedding_dimension(), pooling_mode=pooling if len(pooling) > 1 else pooling[0], include_prompt=include)
    m = SentenceTransformer(modules=[t, p] + ([models.Normalize()] if normalize else []), device="cpu").float()
    out["cases"].append({
        "model": name, "pooling": pooling, "include_prompt": include, "normalize": normalize, "max_seq_length": length, "prompt": prompt,
        "width": m.get_sentence_embedding_dimension(), "vectors": vectors(m, prompt),
    })
m = SentenceTransformer(sys.argv[1], device="cpu").float()
out["minilm"] = {"width": 384, "vectors": vectors(m, "")}
json.dump(out, sys.stdout, indent=1)
