"""Reference values of a tiny PaLM, in float64 on a CPU.

The model is written from the paper (Chowdhery et al. 2022, arXiv 2204.02311, sections 2
and 5) in plain PyTorch. Writes palm.json and palm.bin, laid out as gpt2.py has it, with
hone's own names and configuration keys. Weights are float32 numbers. Run:

    python palm.py
"""

import json
import math
import pathlib

import numpy
import torch
import torch.nn.functional as F

torch.manual_seed(1)
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
V, PAD, B, T = 29, 28, 2, 12
C, FF, L, H, D, Z, EPS, THETA = 24, 40, 2, 3, 8, 1e-2, 1e-5, 100.0
config = dict(
    model_type="palm", architectures=["PaLMForCausalLM"], vocab_size=V, tie_word_embeddings=True,
    hidden_size=C, intermediate_size=FF, num_hidden_layers=L, num_attention_heads=H, head_dim=D,
    max_position_embeddings=16, layer_norm_eps=EPS, rope_theta=THETA, z_loss=Z, dropout=0.0,
    bos_token_id=0, eos_token_id=0, pad_token_id=PAD, id2label={"0": "a", "1": "b", "2": "c"},
)
ids = torch.randint(1, PAD, (B, T))
padded = ids.clone()
padded[1, 9:] = PAD  # the second sequence of the classifier has 9 tokens
labels, last = torch.tensor([2, 0]), torch.tensor([11, 8])


def parameter(*shape, mean=0.0, std=0.2):
    t = (mean + std * torch.randn(*shape)).to(torch.float32).to(torch.float64)
    return t.requires_grad_()


# The paper's embeddings, divided by sqrt(C).
weights = {"model.embed_tokens.weight": parameter(V, C)}
for i in range(L):
    name = f"model.layers.{i}."
    weights[name + "input_layernorm.weight"] = parameter(C, mean=1.0)
    weights[name + "self_attn.qkv_proj.weight"] = parameter((H + 2) * D, C)
    weights[name + "self_attn.o_proj.weight"] = parameter(C, H * D)
    weights[name + "mlp.gate_up_proj.weight"] = parameter(2 * FF, C)
    weights[name + "mlp.down_proj.weight"] = parameter(C, FF)
weights["model.norm.weight"] = parameter(C, mean=1.0)
score = parameter(3, C)


def norm(x, name):
    return F.layer_norm(x, (C,), weights[name], None, EPS)


def rope(x):
    """x (B,heads,T,D): columns i and i + D/2 turn by position · theta^(-2i/D) (Su et al. 2021)."""
    angle = torch.arange(T)[:, None] * THETA ** (-torch.arange(0, D, 2) / D)
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., : D // 2], x[..., D // 2 :]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def attention(x, name):
    """One key and one value head serve all query heads."""
    qkv = x @ weights[name + "qkv_proj.weight"].T
    q = rope(qkv[..., : H * D].view(B, T, H, D).transpose(1, 2))
    k = rope(qkv[..., H * D : (H + 1) * D][:, None])
    v = qkv[..., (H + 1) * D :][:, None]
    scores = q @ k.transpose(-1, -2) / math.sqrt(D)
    scores = scores.masked_fill(torch.ones(T, T).triu(1).bool(), -math.inf)
    y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, H * D)
    return y @ weights[name + "o_proj.weight"].T


def mlp(x, name):
    """SwiGLU: swish(xW) · xV, side by side in one matrix."""
    both = x @ weights[name + "gate_up_proj.weight"].T
    return (F.silu(both[..., :FF]) * both[..., FF:]) @ weights[name + "down_proj.weight"].T


def hidden(tokens):
    x = weights["model.embed_tokens.weight"][tokens] * math.sqrt(C)
    for i in range(L):
        name = f"model.layers.{i}."
        h = norm(x, name + "input_layernorm.weight")
        x = x + mlp(h, name + "mlp.") + attention(h, name + "self_attn.")
    return norm(x, "model.norm.weight")


def logits(tokens):
    return hidden(tokens) @ weights["model.embed_tokens.weight"].T


def step():
    x, y = logits(ids)[:, :-1].reshape(-1, V), ids[:, 1:].reshape(-1)
    return F.cross_entropy(x, y) + Z * x.logsumexp(-1).square().mean()


index, values = [], []


def put(name, t):
    t = t.detach().clone()
    index.append({"name": name, "shape": list(t.shape)})
    values.append(t.numpy().ravel())


loss = step()
loss.backward()
for name, p in weights.items():
    put("weight/" + name, p)
put("lm/logits", logits(ids))
put("lm/loss", loss.reshape(1))
for name, p in weights.items():
    put("lm/grad/" + name, p.grad)
    p.grad = None

# Pads follow the text, so that causality keeps them out of sight.
out = hidden(padded)[torch.arange(B), last] @ score.T
loss = F.cross_entropy(out, labels)
loss.backward()
put("weight/score.weight", score)
put("classifier/logits", out)
put("classifier/loss", loss.reshape(1))
for name, p in [*weights.items(), ("score.weight", score)]:
    put("classifier/grad/" + name, p.grad)



def adamw(steps, parameters, step):
    """The losses before each step, and after the last."""
    opt = torch.optim.AdamW([
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0},
    ], lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
    losses, start = [], [p.detach().clone() for p in parameters]
    for _ in range(steps + 1):
        opt.zero_grad()
        loss = step()
        loss.backward()
        opt.step()
        losses.append(loss.detach())
    for p, was in zip(parameters, start):
        p.data.copy_(was)
    return torch.stack(losses)


put("lm/adamw", adamw(20, list(weights.values()), step))
put("classifier/adamw", adamw(5, [*weights.values(), score], lambda: F.cross_entropy(
    hidden(padded)[torch.arange(B), last] @ score.T, labels)))

here = pathlib.Path(__file__).parent
numpy.concatenate(values).astype("<f8").tofile(here / "palm.bin")
doc = {
    "versions": {"torch": torch.__version__, "numpy": numpy.__version__},
    "config": config, "ids": ids.tolist(), "padded": padded.tolist(), "labels": labels.tolist(),
    "tensors": index,
}
(here / "palm.json").write_text(json.dumps(doc, indent=1) + "\n")
