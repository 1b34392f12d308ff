"""Reference values of a tiny Llama and a tiny Qwen3, in float64 on a CPU.

Writes llama.json, llama.bin, qwen3.json and qwen3.bin, laid out as gpt2.py has it.
Weights are float32 numbers. transformers computes norms, rotations and softmax in
float32 whatever the model's type; here float32 means float64. Run:

    python llama.py
"""

import json
import pathlib

import numpy
import torch

torch.float32 = torch.float = torch.float64
torch.Tensor.float = torch.Tensor.double
import transformers
from transformers import (
    LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification,
    Qwen3Config, Qwen3ForCausalLM, Qwen3ForSequenceClassification,
)

torch.set_num_threads(1)
V, PAD, B, T = 29, 28, 2, 12
common = dict(
    vocab_size=V, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64,
    bos_token_id=0, eos_token_id=0, pad_token_id=PAD, num_labels=3, attn_implementation="eager",
)
# Four frequencies: one that the scaling keeps, one that it changes a bit, two that it divides.
llama = dict(
    common, hidden_size=32, intermediate_size=40, num_key_value_heads=2, rms_norm_eps=1e-5, tie_word_embeddings=False,
    rope_parameters=dict(
        rope_type="llama3", rope_theta=100.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32,
    ),
)
qwen3 = dict(
    common, hidden_size=24, intermediate_size=32, num_key_value_heads=1, head_dim=8, tie_word_embeddings=True,
    attention_bias=True, rope_parameters=dict(rope_type="default", rope_theta=1000.0),
)


def adamw(model, step):
    """The losses before each of five steps of AdamW, and after the last."""
    opt = torch.optim.AdamW([
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0},
    ], lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
    losses = []
    for _ in range(6):
        opt.zero_grad()
        loss = step()
        loss.backward()
        opt.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def write(name, Config, LM, Classifier, keys):
    torch.manual_seed(1)
    ids = torch.randint(1, PAD, (B, T))
    padded = ids.clone()
    padded[1, 9:] = PAD  # the second sequence of the classifier has 9 tokens
    labels = torch.tensor([2, 0])
    index, values = [], []

    def put(name, t):
        t = t.detach().to(torch.float64).clone()
        index.append({"name": name, "shape": list(t.shape)})
        values.append(t.numpy().ravel())

    lm = LM(Config(**keys)).double().eval()
    for p_name, p in sorted(lm.named_parameters()):
        t = torch.randn(p.shape) * 0.2
        if "norm" in p_name:
            t = 1 + t
        p.data = torch.from_numpy(t.numpy().astype("float32").astype("float64"))
    lm.tie_weights()

    def step():
        logits = lm(ids).logits
        return torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, V), ids[:, 1:].reshape(-1))

    loss = step()
    loss.backward()
    for p_name, p in lm.named_parameters():
        put("weight/" + p_name, p)
    put("lm/logits", lm(ids).logits)
    put("lm/loss", loss.reshape(1))
    for p_name, p in lm.named_parameters():
        put("lm/grad/" + p_name, p.grad)

    cl = Classifier(Config(**keys)).double().eval()
    cl.model.load_state_dict(lm.model.state_dict())
    cl.score.weight.data = torch.from_numpy((torch.randn(cl.score.weight.shape) * 0.2).numpy().astype("float32").astype("float64"))
    out = cl(padded, attention_mask=(padded != PAD).long())
    loss = torch.nn.functional.cross_entropy(out.logits, labels)
    loss.backward()
    put("weight/score.weight", cl.score.weight)
    put("classifier/logits", out.logits)
    put("classifier/loss", loss.reshape(1))
    for p_name, p in cl.named_parameters():
        put("classifier/grad/" + p_name, p.grad)
    put("lm/adamw", adamw(lm, step))

    here = pathlib.Path(__file__).parent
    numpy.concatenate(values).astype("<f8").tofile(here / (name + ".bin"))
    doc = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": numpy.__version__},
        "config": json.loads(Config(**keys).to_json_string(use_diff=False)),
        "ids": ids.tolist(), "padded": padded.tolist(), "labels": labels.tolist(),
        "tensors": index,
    }
    (here / (name + ".json")).write_text(json.dumps(doc, indent=1) + "\n")


write("llama", LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, llama)
write("qwen3", Qwen3Config, Qwen3ForCausalLM, Qwen3ForSequenceClassification, qwen3)
