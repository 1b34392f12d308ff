"""Reference values of tiny T5 (1.0 and 1.1) and XLNet models, in float64 on a CPU.

Writes NAME.json (what there is, and the versions that made it) and NAME.bin (the values,
float64 little-endian, in that order) for each. Weights are float32 numbers. Run:

    python seq2seq.py
"""

import copy
import json
import pathlib

import numpy
import torch
import transformers
from transformers import T5Config, T5ForConditionalGeneration, T5ForQuestionAnswering, T5ForSequenceClassification
from transformers import T5ForTokenClassification, XLNetConfig, XLNetForQuestionAnsweringSimple, XLNetForSequenceClassification
from transformers import XLNetForTokenClassification, XLNetLMHeadModel, XLNetModel
from transformers.models.t5.modeling_t5 import T5LayerNorm

torch.set_num_threads(1)
LR = 2e-3
V, PAD = 29, 0
here = pathlib.Path(__file__).parent
cross_entropy = torch.nn.functional.cross_entropy


def draw(name, shape):
    """The values of a parameter depend on its name alone, so that all heads share a body."""
    g = torch.Generator().manual_seed(sum((i + 1) * b for i, b in enumerate(name.encode())))
    t = torch.randn(shape, generator=g) * 0.2
    return (1 + t if "norm" in name.lower() and name.endswith("weight") else t).to(torch.float64)  # of float32


def fixture(name, config, heads, doc):
    """heads are pairs of a model and a function that gives its logits and loss."""
    index, values, weights = [], [], set()

    def put(what, t):
        t = t.detach().to(torch.float64).clone()  # the optimiser writes in place
        index.append({"name": what, "shape": list(t.shape)})
        values.append(t.numpy().ravel())

    for model, run in heads:
        architecture = type(model).__name__
        model.double().eval()
        for what, p in model.named_parameters():
            p.data = draw(what, p.shape)
        for what, p in model.named_parameters():
            if what not in weights:
                weights.add(what)
                put("weight/" + what, p)
        logits, loss = run(model)
        loss.backward()
        put(architecture + "/logits", logits)
        put(architecture + "/loss", loss.reshape(1))
        for what, p in model.named_parameters():
            put(architecture + "/grad/" + what, torch.zeros_like(p) if p.grad is None else p.grad)
        decays = {what for what, p in model.named_parameters() if p.dim() > 1 and not what.endswith("_bias")}
        groups = [
            {"params": [p for what, p in model.named_parameters() if what in decays], "weight_decay": 0.1},
            {"params": [p for what, p in model.named_parameters() if what not in decays], "weight_decay": 0.0},
        ]
        optimizer, losses = torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.99), eps=1e-8), []
        for _ in range(5):
            optimizer.zero_grad()
            loss = run(model)[1]
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        put(architecture + "/losses", torch.stack(losses))
    numpy.concatenate(values).astype("<f8").tofile(here / (name + ".bin"))
    doc = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": numpy.__version__},
        "lr": LR, "heads": [type(m).__name__ for m, _ in heads], "tensors": index, **doc,
    }
    (here / (name + ".json")).write_text(json.dumps(doc) + "\n")


def lists(**tensors):
    return {k: torch.where(v == -100, -1, v).tolist() for k, v in tensors.items()}


g = torch.Generator().manual_seed(7)


def padded(t, lengths):
    ids = torch.randint(3, V, (len(lengths), t), generator=g)
    mask = torch.tensor([[int(i < n) for i in range(t)] for n in lengths])
    return torch.where(mask == 1, ids, torch.full_like(ids, PAD)), mask


# T5's norm is float32 in transformers, whatever the weights are.
def norm(self, x):
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


T5LayerNorm.forward = norm

# T5: the decoder's rows are the targets, shifted right behind the pad that starts them.
source, source_mask = padded(12, [12, 9])
target, target_mask = padded(7, [6, 7])
labels = torch.where(target_mask == 1, target, -100)
shifted = torch.cat([torch.full((2, 1), PAD), target[:, :-1]], 1)


def t5(model):
    logits = model(input_ids=source, attention_mask=source_mask, decoder_input_ids=shifted).logits
    return logits, cross_entropy(logits.reshape(-1, V), labels.reshape(-1), ignore_index=-100)


for name, kind, tied in (("t5", "relu", True), ("t5v1_1", "gated-gelu", False)):
    config = T5Config(
        vocab_size=V, d_model=16, d_kv=6, d_ff=24, num_layers=2, num_decoder_layers=2, num_heads=2, dropout_rate=0.0,
        relative_attention_num_buckets=8, relative_attention_max_distance=10, feed_forward_proj=kind,
        decoder_start_token_id=PAD, tie_word_embeddings=tied,
    )
    model = T5ForConditionalGeneration(config)
    if not tied:  # as the published 1.1 models have it
        model.lm_head.weight = torch.nn.Parameter(torch.empty(V, 16))
    written = json.loads(config.to_json_string(use_diff=False))
    written["tie_word_embeddings"] = tied
    fixture(name, config, [(model, t5)], {
        "config": written, "lengths": [7, 7],
        **lists(ids=shifted, targets=labels), "encoder": source.tolist(), "encoderLengths": [12, 9],
    })

# T5's other heads: encoder and decoder read one text, which ends with </s>, or the encoder alone.
EOS = 1
text, text_mask = padded(12, [12, 9])
text[0, 11], text[1, 8] = EOS, EOS
text_tags = torch.where(text_mask == 1, torch.randint(0, 3, (2, 12), generator=g), -100)
text_spans, text_labels = torch.tensor([[3, 5], [0, 8]]), torch.tensor([2, 0])


def t5_classify(model):
    logits = model(input_ids=text, attention_mask=text_mask).logits
    return logits, cross_entropy(logits, text_labels)


def t5_tag(model):
    logits = model(input_ids=text, attention_mask=text_mask).logits
    return logits, cross_entropy(logits.reshape(-1, 3), text_tags.reshape(-1), ignore_index=-100)


def t5_answer(model):
    out = model(input_ids=text, attention_mask=text_mask)
    hidden = torch.where(text_mask == 1, 0.0, -torch.inf)  # pads are no answers here; transformers leaves them in
    loss = cross_entropy(out.start_logits + hidden, text_spans[:, 0]) + cross_entropy(out.end_logits + hidden, text_spans[:, 1])
    return torch.stack([out.start_logits, out.end_logits], -1), loss / 2


config = T5Config(
    vocab_size=V, d_model=16, d_kv=6, d_ff=24, num_layers=2, num_decoder_layers=1, num_heads=2, dropout_rate=0.0, classifier_dropout=0.0,
    relative_attention_num_buckets=8, relative_attention_max_distance=10, decoder_start_token_id=PAD, eos_token_id=EOS, num_labels=3,
)
# T5ForTokenClassification makes its configuration that of an encoder.
heads = [(T5ForSequenceClassification(config), t5_classify), (T5ForTokenClassification(copy.deepcopy(config)), t5_tag)]
config.num_labels = 2
heads.append((T5ForQuestionAnswering(config), t5_answer))
config.num_labels = 3
fixture("t5-heads", config, heads, {
    "config": json.loads(config.to_json_string(use_diff=False)), "lengths": [12, 9],
    **lists(ids=text, tags=text_tags, labels=text_labels, spans=text_spans, order=torch.arange(12).repeat(2, 1)),
})

# XLNet: each sequence in an order of its own; the last three places are predicted, through
# the query stream.
ids, mask = padded(10, [10, 8])
types = torch.tensor([[int(i >= 4) for i in range(10)] for _ in range(2)])
order = torch.stack([torch.randperm(10, generator=g) for _ in range(2)])  # place of each token
order[1] = torch.cat([torch.randperm(8, generator=g), torch.tensor([8, 9])])
perm_mask = (order[:, :, None] <= order[:, None, :]).double()  # [i,j]: i does not see j
predicted = (order >= torch.tensor([[7], [5]])) & (mask == 1)
everywhere = torch.eye(10).double().expand(2, 10, 10)
classes = torch.tensor([2, 0])
tags = torch.where(mask == 1, torch.randint(0, 3, (2, 10), generator=g), -100)
spans = torch.tensor([[3, 5], [0, 7]])


def xlnet(model):
    logits = model(
        input_ids=ids, attention_mask=mask.double(), perm_mask=perm_mask, target_mapping=everywhere, token_type_ids=types).logits
    return logits, cross_entropy(logits.reshape(-1, V), torch.where(predicted, ids, -100).reshape(-1), ignore_index=-100)


def classify(model):
    # XLNet's summary is of the last place, so pads come first there; here the sequences are run one by one.
    logits = torch.cat([
        model(input_ids=ids[i : i + 1, :n], token_type_ids=types[i : i + 1, :n]).logits for i, n in enumerate([10, 8])])
    return logits, cross_entropy(logits, classes)


def tag(model):
    logits = model(input_ids=ids, attention_mask=mask.double(), token_type_ids=types).logits
    return logits, cross_entropy(logits.reshape(-1, 3), tags.reshape(-1), ignore_index=-100)


def answer(model):
    out = model(input_ids=ids, attention_mask=mask.double(), token_type_ids=types)
    hidden = torch.where(mask == 1, 0.0, -torch.inf)  # pads are no answers here; transformers leaves them in
    loss = cross_entropy(out.start_logits + hidden, spans[:, 0]) + cross_entropy(out.end_logits + hidden, spans[:, 1])
    return torch.stack([out.start_logits, out.end_logits], -1), loss / 2


# The positions' sines are float32 in transformers, whatever the weights are.
positional = XLNetModel.positional_embedding
frequencies = 10000 ** (-torch.arange(0, 16, 2).double() / 16)
XLNetModel.positional_embedding = staticmethod(lambda pos, _, bsz=None: positional(pos.double(), frequencies, bsz))

config = XLNetConfig(
    vocab_size=V, d_model=16, n_layer=2, n_head=2, d_inner=24, ff_activation="gelu", dropout=0.0, summary_last_dropout=0.0,
    num_labels=3, pad_token_id=PAD, mem_len=None, use_mems_eval=False,
)
heads = [(XLNetLMHeadModel(config), xlnet), (XLNetForSequenceClassification(config), classify), (XLNetForTokenClassification(config), tag)]
config.num_labels = 2
heads.append((XLNetForQuestionAnsweringSimple(config), answer))
config.num_labels = 3
fixture("xlnet", config, heads, {
    "config": json.loads(config.to_json_string(use_diff=False)), "lengths": [10, 8],
    **lists(ids=ids, types=types, order=order, targets=torch.where(predicted, ids, -100), labels=classes, tags=tags, spans=spans),
})

# XLNet's memory: five batches of the same two texts, each of which goes on where the one before
# ended. The memory is longer than a batch. Values of all five with the first weights, the
# gradients of the third, and five steps, each with what the steps before have kept.
N, M, STEPS = 4, 6, 5
ids = torch.randint(3, V, (STEPS, 2, N), generator=g)
types = torch.randint(0, 2, (STEPS, 2, N), generator=g)
order = torch.stack([torch.randperm(N, generator=g) for _ in range(2 * STEPS)]).reshape(STEPS, 2, N)
targets = torch.where(order >= 2, ids, -100)


def remember(model, k, mems):
    out = model(
        input_ids=ids[k], perm_mask=(order[k, :, :, None] <= order[k, :, None, :]).double(), target_mapping=torch.eye(N).double().expand(2, N, N),
        token_type_ids=types[k], mems=mems, use_mems=True)
    return out.logits, cross_entropy(out.logits.reshape(-1, V), targets[k].reshape(-1), ignore_index=-100), out.mems


class Memory:
    """Runs one batch after another: first all, of which the third has the gradient, then a step each."""

    def __init__(self):
        self.step, self.mems = -1, None

    def __call__(self, model):
        self.step += 1
        if self.step == 0:
            mems, logits, loss = None, [], []
            for k in range(STEPS):
                out, l, mems = remember(model, k, mems)
                logits.append(out.detach())
                loss.append(l)
            return torch.stack(logits), loss[2]
        _, loss, self.mems = remember(model, self.step - 1, self.mems)
        return None, loss


config.mem_len, config.use_mems_train = M, True
fixture("xlnet-memory", config, [(XLNetLMHeadModel(config), Memory())], {
    "config": json.loads(config.to_json_string(use_diff=False)), "lengths": [N] * (2 * STEPS),
    **lists(ids=ids.flatten(0, 1), types=types.flatten(0, 1), order=order.flatten(0, 1), targets=targets.flatten(0, 1)),
})
