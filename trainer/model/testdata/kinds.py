"""Writes kinds.json: losses, logits and gradients of transformers' heads that give a number, any number of
labels, or the right one of several choices, in float64 on a CPU, of the weights and the texts of the fixtures
beside it. Of a gradient g it has its sum, the sum of g_i·cos(i), and the sum of its squares. Parameters that a
fixture lacks are written here.

    python kinds.py
"""

import copy
import json
import pathlib

import numpy
import torch

torch.float32 = torch.float = torch.float64
torch.Tensor.float = torch.Tensor.double
import transformers
from transformers import AutoConfig, XLNetModel
from transformers.models.t5.modeling_t5 import T5LayerNorm

torch.set_num_threads(1)


def norm(self, x):
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


T5LayerNorm.forward = norm
positional = XLNetModel.positional_embedding
frequencies = 10000 ** (-torch.arange(0, 16, 2).double() / 16)
XLNetModel.positional_embedding = staticmethod(lambda pos, _, bsz=None: positional(pos.double(), frequencies, bsz))

here = pathlib.Path(__file__).parent
classifiers = {
    "bert": "BertForSequenceClassification", "roberta": "RobertaForSequenceClassification", "xlm-roberta": "XLMRobertaForSequenceClassification",
    "distilbert": "DistilBertForSequenceClassification", "gpt2-heads": "GPT2ForSequenceClassification", "llama-heads": "LlamaForSequenceClassification",
    "qwen3-heads": "Qwen3ForSequenceClassification", "t5-heads": "T5ForSequenceClassification", "xlnet": "XLNetForSequenceClassification",
}
choosers = {
    "bert": "BertForMultipleChoice", "roberta": "RobertaForMultipleChoice", "xlm-roberta": "XLMRobertaForMultipleChoice",
    "distilbert": "DistilBertForMultipleChoice", "xlnet": "XLNetForMultipleChoice",
}


def draw(name, shape):
    """The values of a parameter depend on its name alone."""
    g = torch.Generator().manual_seed(sum((i + 1) * b for i, b in enumerate(name.encode())))
    return (torch.randn(shape, generator=g, dtype=torch.float64) * 0.3).numpy().astype("float32").astype("float64")


def digits(t):
    return [float(f"{v:.15g}") for v in t.detach().double().ravel().tolist()]


out = []
cases = [(n, a, p) for n, a in classifiers.items() for p in ("regression", "multi_label_classification")]
cases += [(n, a, "choice") for n, a in choosers.items()]
for name, architecture, problem in cases:
    ref, data = json.loads((here / (name + ".json")).read_text()), numpy.fromfile(here / (name + ".bin"), "<f8")
    weights = {}
    for t in ref["tensors"]:
        n = int(numpy.prod(t["shape"]))
        if t["name"].startswith("weight/"):
            weights[t["name"].removeprefix("weight/")] = data[:n].reshape(t["shape"]).copy()
        data = data[n:]
    config = AutoConfig.for_model(**copy.deepcopy(ref["config"]))
    config._attn_implementation = "eager"
    labels = 3 if problem == "multi_label_classification" else 1
    if problem != "choice":
        config.num_labels, config.problem_type = labels, problem
    model = getattr(transformers, architecture)(config).double().eval()
    own = {}
    for key, p in model.named_parameters():
        v = weights.get(key)
        if v is None or list(v.shape) != list(p.shape):
            v = own[key] = draw(key, p.shape)
        p.data = torch.from_numpy(numpy.array(v))
    ids = torch.tensor(ref["ids"])
    lengths = ref["lengths"]
    mask = torch.tensor([[int(i < n) for i in range(ids.shape[1])] for n in lengths])
    types = torch.tensor(ref["types"]) if ref.get("types") else None

    def inputs(rows, n=None):
        x = dict(input_ids=ids[rows, :n], attention_mask=mask[rows, :n])
        if types is not None:
            x["token_type_ids"] = types[rows, :n]
        return x

    goals = torch.tensor([[0.75], [-1.5]] if labels == 1 else [[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    one_by_one = name == "xlnet"  # its summary is of the last place, so that no pads may come behind
    if problem == "choice":
        if one_by_one:
            logits = torch.cat([model(**{k: v[None] for k, v in inputs(slice(i, i + 1), n).items()}).logits for i, n in enumerate(lengths)]).reshape(1, 2)
        else:
            logits = model(**{k: v[None] for k, v in inputs(slice(0, 2)).items()}).logits
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([1]))
    elif one_by_one:
        logits = torch.cat([model(**inputs(slice(i, i + 1), n)).logits for i, n in enumerate(lengths)])
        if labels == 1:
            loss = torch.nn.functional.mse_loss(logits.squeeze(), goals.squeeze())
        else:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, goals)
    else:
        result = model(**inputs(slice(0, 2)), labels=goals)
        logits, loss = result.logits, result.loss
    loss.backward()
    gradients = {}
    for key, p in model.named_parameters():
        g = torch.zeros_like(p) if p.grad is None else p.grad
        g = g.ravel()
        gradients[key] = digits(torch.stack([g.sum(), (g * torch.cos(torch.arange(len(g)).double())).sum(), (g * g).sum()]))
    out.append(dict(
        fixture=name, architecture=architecture, problem=problem, goals=[] if problem == "choice" else goals.ravel().tolist(), loss=digits(loss)[0],
        logits=digits(logits), weights={k: v.ravel().tolist() for k, v in own.items()}, gradients=gradients))
(here / "kinds.json").write_text(json.dumps(dict(torch=torch.__version__, transformers=transformers.__version__, numpy=numpy.__version__, kinds=out)).replace('{"fixture"', '\n{"fixture"') + "\n")
