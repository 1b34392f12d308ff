"""Losses of vectors of texts by sentence-transformers, with their gradients with respect to the vectors before pooling's
normalisation. Writes losses.json beside itself.

  python losses.py
"""
import importlib.metadata
import json

import torch
from sentence_transformers.sentence_transformer import losses
torch.manual_seed(7)

class Fixed(torch.nn.Module):
    """A model whose vectors are given: features are {'sentence_embedding': …}."""
    def forward(self, f): return dict(f)
    def get_embedding_dimension(self): return 8
    def get_sentence_embedding_dimension(self): return 8
    def __getitem__(self, i): return self

def of(make, columns, labels=None):
    n, width = 5, 8
    v = [torch.randn(n, width, dtype=torch.float64).requires_grad_() for _ in range(columns)]
    loss = make(Fixed())([{"sentence_embedding": x} for x in v], labels)
    loss.backward()
    return {"vectors": [x.tolist() for x in v], "labels": None if labels is None else labels.tolist(), "loss": loss.item(), "gradients": [x.grad.tolist() for x in v]}

scores = torch.tensor([0.1, 0.9, 0.4, 0.4, 1.0], dtype=torch.float64)
out = {"versions": {"sentence-transformers": importlib.metadata.version("sentence-transformers"), "torch": str(torch.__version__)}}
out["ranking"] = of(lambda m: losses.MultipleNegativesRankingLoss(m), 2)
out["ranking with negatives"] = of(lambda m: losses.MultipleNegativesRankingLoss(m), 4)
out["cosent"] = of(lambda m: losses.CoSENTLoss(m), 2, scores)
out["cosine"] = of(lambda m: losses.CosineSimilarityLoss(m), 2, scores)
out["triplet"] = of(lambda m: losses.TripletLoss(m), 3)
out["matryoshka ranking"] = of(lambda m: losses.MatryoshkaLoss(m, losses.MultipleNegativesRankingLoss(m), [8, 4, 2]), 3)
out["matryoshka cosent"] = of(lambda m: losses.MatryoshkaLoss(m, losses.CoSENTLoss(m), [8, 4, 2]), 2, scores)
out["matryoshka triplet"] = of(lambda m: losses.MatryoshkaLoss(m, losses.TripletLoss(m), [8, 4]), 3)
json.dump(out, open(__file__.replace(".py", ".json"), "w"), separators=(",", ":"))
