"""Reference values of tiny BERT, RoBERTa, XLM-RoBERTa, CamemBERT and DistilBERT models, in float64 on a CPU.

Writes NAME.json (what there is, and the versions that made it) and NAME.bin (the values,
float64 little-endian, in that order) for each. Weights are float32 numbers. Run:

    python bert.py [NAME…]

of some of them, or of all.
"""

import json
import pathlib
import sys

import numpy
import torch
import transformers
from transformers import (
    CamembertConfig, CamembertForMaskedLM, XLMRobertaConfig, XLMRobertaForMaskedLM, XLMRobertaForQuestionAnswering,
    XLMRobertaForSequenceClassification, XLMRobertaForTokenClassification, BertConfig, BertForMaskedLM, BertForPreTraining, BertForQuestionAnswering, BertForSequenceClassification, BertForTokenClassification,
    DistilBertConfig, DistilBertForMaskedLM, DistilBertForQuestionAnswering, DistilBertForSequenceClassification,
    DistilBertForTokenClassification, RobertaConfig, RobertaForMaskedLM, RobertaForQuestionAnswering,
    RobertaForSequenceClassification, RobertaForTokenClassification,
)

torch.set_num_threads(1)
V, T, PAD = 29, 12, 1
LENGTHS = [12, 9]
here = pathlib.Path(__file__).parent
cross_entropy = torch.nn.functional.cross_entropy


def draw(name, shape):
    """The values of a parameter depend on its name alone, so that all heads share a body."""
    g = torch.Generator().manual_seed(sum((i + 1) * b for i, b in enumerate(name.encode())))
    t = torch.randn(shape, generator=g) * 0.3
    norm = "norm" in name.lower()
    return (1 + t if norm and name.endswith("weight") else t).to(torch.float64)  # of float32


def parameters(model):
    """By their names in hone: a tied one has that of the embedding, or of the bias itself."""
    named = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        if id(p) not in named or ".decoder." in named[id(p)][0]:
            named[id(p)] = (name, p)
    return list(named.values())


def head_loss(architecture, logits, case):
    """The losses of transformers, whose own may round the logits to float32."""
    if architecture.endswith("MaskedLM"):
        return cross_entropy(logits[0].reshape(-1, V), case["targets"].reshape(-1), ignore_index=-100)
    if architecture.endswith("TokenClassification"):
        return cross_entropy(logits[0].reshape(-1, 3), case["tags"].reshape(-1), ignore_index=-100)
    if architecture.endswith("QuestionAnswering"):
        return (cross_entropy(logits[0], case["spans"][:, 0]) + cross_entropy(logits[1], case["spans"][:, 1])) / 2
    if architecture.endswith("PreTraining"):
        tokens = cross_entropy(logits[1].reshape(-1, V), case["targets"].reshape(-1), ignore_index=-100)
        return tokens + cross_entropy(logits[0], case["labels"])
    return cross_entropy(logits[0], case["labels"])


def fixture(name, config, models, types):
    if sys.argv[1:] and name not in sys.argv[1:]:
        return
    g = torch.Generator().manual_seed(7)
    ids = torch.randint(3, V, (2, T), generator=g)
    mask = torch.tensor([[int(i < n) for i in range(T)] for n in LENGTHS])
    ids = torch.where(mask == 1, ids, torch.full_like(ids, PAD))
    case = {
        "targets": torch.where((torch.rand((2, T), generator=g) < 0.4) & (mask == 1), torch.randint(3, V, (2, T), generator=g), -100),
        "tags": torch.where(mask == 1, torch.randint(0, 3, (2, T), generator=g), -100),
        "labels": torch.tensor([1, 0] if models[0] is BertForPreTraining else [2, 0]),
        "spans": torch.tensor([[3, 5], [0, 8]]),
    }
    inputs = {"input_ids": ids, "attention_mask": mask}
    if types:
        inputs["token_type_ids"] = torch.tensor([[int(i >= 5) for i in range(T)] for _ in range(2)])
    index, values, weights, heads = [], [], set(), []

    def put(what, t):
        t = t.detach().to(torch.float64).clone()  # the optimiser writes in place
        index.append({"name": what, "shape": list(t.shape)})
        values.append(t.numpy().ravel())

    for kind in models:
        architecture = kind.__name__
        heads.append(architecture)
        config.num_labels = 2 if architecture.endswith("QuestionAnswering") else 3
        model = kind(config).double().eval()
        for what, p in parameters(model):
            p.data = draw(what, p.shape)
        model.tie_weights()

        def run():
            out = model(**inputs)
            if architecture.endswith("QuestionAnswering"):
                # Pads are no answers here; transformers leaves them in.
                hidden = torch.where(mask == 1, 0.0, -torch.inf)
                return (out.start_logits + hidden, out.end_logits + hidden), torch.stack([out.start_logits, out.end_logits], -1)
            if architecture.endswith("PreTraining"):
                return (out.seq_relationship_logits, out.prediction_logits), out.seq_relationship_logits
            return (out.logits,), out.logits

        for what, p in parameters(model):
            if what not in weights:
                weights.add(what)
                put("weight/" + what, p)
        logits, shown = run()
        loss = head_loss(architecture, logits, case)
        loss.backward()
        put(architecture + "/logits", shown)
        if architecture.endswith("PreTraining"):
            put(architecture + "/tokens", logits[1])
        put(architecture + "/loss", loss.reshape(1))
        for what, p in parameters(model):
            put(architecture + "/grad/" + what, torch.zeros_like(p) if p.grad is None else p.grad)
        groups = [
            {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.1},
            {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        optimizer, losses = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.99), eps=1e-8), []
        for _ in range(5):
            optimizer.zero_grad()
            loss = head_loss(architecture, run()[0], case)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        put(architecture + "/losses", torch.stack(losses))

    config.num_labels = 3
    numpy.concatenate(values).astype("<f8").tofile(here / (name + ".bin"))
    doc = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": numpy.__version__},
        "config": json.loads(config.to_json_string(use_diff=False)), "heads": heads,
        "ids": ids.tolist(), "lengths": LENGTHS, "tensors": index,
        **{k: torch.where(v == -100, -1, v).tolist() for k, v in case.items()},
    }
    if types:
        doc["types"] = inputs["token_type_ids"].tolist()
    (here / (name + ".json")).write_text(json.dumps(doc) + "\n")


shape = dict(
    vocab_size=V, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=16,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=PAD, num_labels=3,
)
fixture("bert", BertConfig(type_vocab_size=2, **shape), [
    BertForMaskedLM, BertForSequenceClassification, BertForTokenClassification, BertForQuestionAnswering], True)
fixture("bert-untied", BertConfig(type_vocab_size=2, tie_word_embeddings=False, **shape), [BertForMaskedLM], True)
fixture("roberta", RobertaConfig(type_vocab_size=1, bos_token_id=0, eos_token_id=2, **shape), [
    RobertaForMaskedLM, RobertaForSequenceClassification, RobertaForTokenClassification, RobertaForQuestionAnswering], False)
fixture("roberta-untied", RobertaConfig(type_vocab_size=1, bos_token_id=0, eos_token_id=2, tie_word_embeddings=False, **shape),
        [RobertaForMaskedLM], False)
fixture("distilbert", DistilBertConfig(
    vocab_size=V, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=16, dropout=0.0, attention_dropout=0.0,
    qa_dropout=0.0, seq_classif_dropout=0.0, pad_token_id=PAD, num_labels=3,
), [DistilBertForMaskedLM, DistilBertForSequenceClassification, DistilBertForTokenClassification, DistilBertForQuestionAnswering], False)
fixture("bert-pretraining", BertConfig(type_vocab_size=2, **shape), [BertForPreTraining], True)
fixture("xlm-roberta", XLMRobertaConfig(type_vocab_size=1, bos_token_id=0, eos_token_id=2, **shape), [
    XLMRobertaForMaskedLM, XLMRobertaForSequenceClassification, XLMRobertaForTokenClassification, XLMRobertaForQuestionAnswering], False)
fixture("camembert", CamembertConfig(type_vocab_size=1, bos_token_id=0, eos_token_id=2, **dict(shape, hidden_act="silu")), [CamembertForMaskedLM], False)
