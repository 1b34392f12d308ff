"""A training step in PyTorch, for hone bench to measure beside its own: of a GPT-2 written
out here, or with "program": "transformers" of that library's GPT-2, BERT or Llama.

    python bench_torch.py '{"program": "torch", "family": "gpt2", "layers": 6, "heads": 6, "dim": 384, "t": 256, "b": 32, "v": 65, "threads": 2, "compile": false, "bf16": false}'

Builds the model, makes two steps, and prints a line of JSON that says what it is. Then
for each line on stdin, a number n, it makes n steps and prints their seconds as a JSON
list. A step is forward, backward, clipping to norm 1 and AdamW, in float32, or with autocast to bfloat16 in the forward pass.
"""

import json
import math
import platform
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Layer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(dim)
        self.c_attn = nn.Linear(dim, 3 * dim)
        self.attn_proj = nn.Linear(dim, dim)
        self.ln_2 = nn.LayerNorm(dim)
        self.c_fc = nn.Linear(dim, 4 * dim)
        self.mlp_proj = nn.Linear(4 * dim, dim)

    def attention(self, x):
        b, t, c = x.shape
        q, k, v = (p.view(b, t, self.heads, -1).transpose(1, 2) for p in self.c_attn(x).split(c, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.attn_proj(y.transpose(1, 2).reshape(b, t, c))

    def forward(self, x):
        x = x + self.attention(self.ln_1(x))
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class GPT2(nn.Module):
    def __init__(self, layers, heads, dim, t, v):
        super().__init__()
        self.wte = nn.Embedding(v, dim)
        self.wpe = nn.Embedding(t, dim)
        self.h = nn.ModuleList([Layer(dim, heads) for _ in range(layers)])
        self.ln_f = nn.LayerNorm(dim)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * layers) if "proj" in name else 0.02)

    def forward(self, tokens, targets):
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for layer in self.h:
            x = layer(x)
        logits = F.linear(self.ln_f(x), self.wte.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def hugging_face(c):
    """The model of transformers, without dropout."""
    import transformers as hf

    same = dict(vocab_size=c["v"], attn_implementation="sdpa")
    if c["family"] == "gpt2":
        return hf.GPT2LMHeadModel(hf.GPT2Config(
            n_layer=c["layers"], n_head=c["heads"], n_embd=c["dim"], n_positions=c["t"], use_cache=False,
            bos_token_id=0, eos_token_id=0, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, **same))
    sizes = dict(hidden_size=c["dim"], intermediate_size=c["inner"], num_hidden_layers=c["layers"],
                 num_attention_heads=c["heads"], max_position_embeddings=c["t"], **same)
    if c["family"] == "bert":
        return hf.BertForMaskedLM(hf.BertConfig(hidden_dropout_prob=0, attention_probs_dropout_prob=0, **sizes))
    if c["family"] == "llama":
        return hf.LlamaForCausalLM(hf.LlamaConfig(
            num_key_value_heads=c["kv_heads"], tie_word_embeddings=True, use_cache=False, bos_token_id=0, eos_token_id=0, **sizes))
    sys.exit(f"no {c['family']} here")


def examples(c):
    """Tokens and targets of a step: the next token, or for BERT 15 % of them masked."""
    tokens = torch.randint(c["v"], (c["b"], c["t"] + 1))
    if c["family"] != "bert":
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    tokens = tokens[:, 1:].contiguous()
    picked = torch.rand(tokens.shape) < 0.15
    return tokens.masked_fill(picked, c["v"] - 1), tokens.masked_fill(~picked, -100)


def main():
    c = json.loads(sys.argv[1])
    torch.set_num_threads(c["threads"])
    torch.manual_seed(1)
    if c["program"] == "transformers":
        import transformers

        version = f"transformers {transformers.__version__}, torch {torch.__version__}"
        model = hugging_face(c).train()
    else:
        version = "torch " + torch.__version__
        model = GPT2(c["layers"], c["heads"], c["dim"], c["t"], c["v"])
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() != 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=3e-4, betas=(0.9, 0.95), eps=1e-8, fused=True)
    forward = torch.compile(model) if c["compile"] else model

    def loss_of(tokens, targets):
        if c["program"] == "torch":
            return forward(tokens, targets)
        if c["family"] == "bert":
            return forward(input_ids=tokens, labels=targets).loss
        return forward(input_ids=tokens, labels=targets, shift_labels=targets).loss  # shifted already

    def step():
        tokens, targets = examples(c)
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=c["bf16"]):
            loss = loss_of(tokens, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        return time.perf_counter() - start

    step()
    step()
    about = {"version": version, "python": platform.python_version()}
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        print(json.dumps([step() for _ in range(int(line))]), flush=True)


if __name__ == "__main__":
    main()
