"""Reference values of a tiny GPT-2, in float64 on a CPU.

Writes gpt2.json (what there is, and the versions that made it) and gpt2.bin (the
values, float64 little-endian, in that order). Weights are float32 numbers. Run:

    python gpt2.py
"""

import json
import pathlib

import numpy
import torch
import transformers
from transformers import GPT2Config, GPT2ForSequenceClassification, GPT2LMHeadModel

torch.manual_seed(1)
torch.set_num_threads(1)
config = dict(
    vocab_size=29, n_positions=16, n_embd=16, n_layer=2, n_head=2,
    resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    bos_token_id=0, eos_token_id=0, pad_token_id=28, num_labels=3,
)
B, T = 2, 12
ids = torch.randint(1, 28, (B, T))
padded = ids.clone()
padded[1, 9:] = 28  # the second sequence of the classifier has 9 tokens
labels = torch.tensor([2, 0])

index, values = [], []


def put(name, t):
    t = t.detach().to(torch.float64).clone()
    index.append({"name": name, "shape": list(t.shape)})
    values.append(t.numpy().ravel())


def randomise(model):
    for name, p in sorted(model.named_parameters()):
        t = torch.randn(p.shape) * 0.2
        if ".ln_" in name and name.endswith("weight"):
            t = 1 + t
        p.data = t.to(torch.float64)  # of float32


lm = GPT2LMHeadModel(GPT2Config(**config)).double().eval()
randomise(lm)
lm.tie_weights()
out = lm(ids)
# Not the model's own loss: that rounds the logits to float32.
loss = torch.nn.functional.cross_entropy(out.logits[:, :-1].reshape(-1, 29), ids[:, 1:].reshape(-1))
loss.backward()
for name, p in lm.named_parameters():
    put("weight/" + name, p)
put("lm/logits", out.logits)
put("lm/loss", loss.reshape(1))
for name, p in lm.named_parameters():
    put("lm/grad/" + name, p.grad)

cl = GPT2ForSequenceClassification(GPT2Config(**config)).double().eval()
cl.transformer.load_state_dict(lm.transformer.state_dict())
cl.score.weight.data = (torch.randn(cl.score.weight.shape) * 0.2).to(torch.float64)
# The mask keeps pads out of sight, as segments do; causality would do so too.
out = cl(padded, attention_mask=(padded != 28).long(), labels=labels)
out.loss.backward()
put("weight/score.weight", cl.score.weight)
put("classifier/logits", out.logits)
put("classifier/loss", out.loss.reshape(1))
for name, p in cl.named_parameters():
    put("classifier/grad/" + name, p.grad)

# The losses of AdamW, before each of five steps and after the last.
opt = torch.optim.AdamW([
    {"params": [p for p in lm.parameters() if p.dim() > 1], "weight_decay": 0.1},
    {"params": [p for p in lm.parameters() if p.dim() == 1], "weight_decay": 0},
], lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
losses = []
for _ in range(6):
    opt.zero_grad()
    logits = lm(ids).logits[:, :-1]
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 29), ids[:, 1:].reshape(-1))
    loss.backward()
    opt.step()
    losses.append(loss.detach())
put("lm/adamw", torch.stack(losses))

here = pathlib.Path(__file__).parent
numpy.concatenate(values).astype("<f8").tofile(here / "gpt2.bin")
doc = {
    "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": numpy.__version__},
    "config": json.loads(GPT2Config(**config).to_json_string(use_diff=False)),
    "ids": ids.tolist(), "padded": padded.tolist(), "labels": labels.tolist(),
    "tensors": index,
}
(here / "gpt2.json").write_text(json.dumps(doc, indent=1) + "\n")
