"""Reference values of heads that label texts or tokens or find answers, on tiny decoders, in float64.

Writes NAME.json and NAME.bin, laid out as bert.py has it, for gpt2-heads, llama-heads,
qwen3-heads, and with a language model too for qwen2, qwen2-window, mistral, gemma and gemma3. Weights are float32 numbers. transformers computes norms, rotations and softmax
in float32 whatever the model's type; here float32 means float64. Run:

    python decoder.py [NAME…]

of some of them, or of all.
"""

import json
import pathlib
import sys

import numpy
import torch

torch.float32 = torch.float = torch.float64
torch.Tensor.float = torch.Tensor.double
import transformers
from transformers import (
    Gemma3ForCausalLM, Gemma3TextConfig, Gemma3TextForSequenceClassification, GemmaConfig, GemmaForCausalLM, GemmaForSequenceClassification,
    GemmaForTokenClassification, GPT2Config, GPT2ForQuestionAnswering, GPT2ForSequenceClassification, GPT2ForTokenClassification, LlamaConfig,
    LlamaForQuestionAnswering, LlamaForSequenceClassification, LlamaForTokenClassification, MistralConfig, MistralForCausalLM,
    MistralForQuestionAnswering, MistralForSequenceClassification, MistralForTokenClassification, Qwen2Config, Qwen2ForCausalLM,
    Qwen2ForQuestionAnswering, Qwen2ForSequenceClassification, Qwen2ForTokenClassification, Qwen3Config,
    Qwen3ForQuestionAnswering, Qwen3ForSequenceClassification, Qwen3ForTokenClassification,
)

torch.set_num_threads(1)
V, T, PAD = 29, 12, 1
LENGTHS = [12, 9]
here = pathlib.Path(__file__).parent
cross_entropy = torch.nn.functional.cross_entropy


def draw(name, shape, centred):
    """The values of a parameter depend on its name alone, so that all heads share a body. A centred
    norm's gain is 1 more than its parameter."""
    g = torch.Generator().manual_seed(sum((i + 1) * b for i, b in enumerate(name.encode())))
    t = torch.randn(shape, generator=g) * 0.3
    gain = not centred and ("norm" in name or ".ln_" in name) and name.endswith("weight")
    return torch.from_numpy((1 + t if gain else t).numpy().astype("float32").astype("float64"))


def fixture(name, config, models):
    if sys.argv[1:] and name not in sys.argv[1:]:
        return
    g = torch.Generator().manual_seed(7)
    ids = torch.randint(3, V, (2, T), generator=g)
    mask = torch.tensor([[int(i < n) for i in range(T)] for n in LENGTHS])
    ids = torch.where(mask == 1, ids, torch.full_like(ids, PAD))
    tags = torch.where(mask == 1, torch.randint(0, 3, (2, T), generator=g), -100)
    spans, labels = torch.tensor([[3, 5], [0, 8]]), torch.tensor([2, 0])
    behind = torch.cat([ids[:, 1:], torch.full((2, 1), PAD)], 1)
    targets = torch.where(behind != PAD, behind, -100)
    index, values, weights = [], [], set()

    def put(what, t):
        t = t.detach().to(torch.float64).clone()  # the optimiser writes in place
        index.append({"name": what, "shape": list(t.shape)})
        values.append(t.numpy().ravel())

    for kind in models:
        architecture = kind.__name__
        answers = architecture.endswith("QuestionAnswering")
        config.num_labels = 2 if answers else 3
        model = kind(config).double().eval()
        for what, p in model.named_parameters():
            p.data = draw(what, p.shape, config.model_type.startswith("gemma"))
            if what not in weights:
                weights.add(what)
                put("weight/" + what, p)

        def run():
            out = model(input_ids=ids, attention_mask=mask)
            if architecture.endswith("CausalLM"):
                return out.logits, cross_entropy(out.logits.reshape(-1, V), targets.reshape(-1), ignore_index=-100)
            if architecture.endswith("SequenceClassification"):
                return out.logits, cross_entropy(out.logits, labels)
            if not answers:
                return out.logits, cross_entropy(out.logits.reshape(-1, 3), tags.reshape(-1), ignore_index=-100)
            # Pads are no answers here; transformers leaves them in.
            hidden = torch.where(mask == 1, 0.0, -torch.inf)
            loss = cross_entropy(out.start_logits + hidden, spans[:, 0]) + cross_entropy(out.end_logits + hidden, spans[:, 1])
            return torch.stack([out.start_logits, out.end_logits], -1), loss / 2

        logits, loss = run()
        loss.backward()
        put(architecture + "/logits", logits)
        put(architecture + "/loss", loss.reshape(1))
        for what, p in model.named_parameters():
            put(architecture + "/grad/" + what, torch.zeros_like(p) if p.grad is None else p.grad)
        optimizer, losses = torch.optim.AdamW([
            {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.1},
            {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ], lr=1e-2, betas=(0.9, 0.99), eps=1e-8), []
        for _ in range(5):
            optimizer.zero_grad()
            loss = run()[1]
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        put(architecture + "/losses", torch.stack(losses))

    config.num_labels = 3
    numpy.concatenate(values).astype("<f8").tofile(here / (name + ".bin"))
    (here / (name + ".json")).write_text(json.dumps({
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": numpy.__version__},
        "config": json.loads(config.to_json_string(use_diff=False)), "heads": [m.__name__ for m in models],
        "ids": ids.tolist(), "lengths": LENGTHS, "order": [list(range(T))] * 2, "tensors": index,
        "targets": torch.where(targets == -100, -1, targets).tolist(), "labels": labels.tolist(),
        "tags": torch.where(tags == -100, -1, tags).tolist(), "spans": spans.tolist(),
    }) + "\n")


fixture("gpt2-heads", GPT2Config(
    vocab_size=V, n_positions=16, n_embd=16, n_layer=2, n_head=2, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    bos_token_id=0, eos_token_id=0, pad_token_id=PAD, num_labels=3, attn_implementation="eager",
), [GPT2ForSequenceClassification, GPT2ForTokenClassification, GPT2ForQuestionAnswering])
shape = dict(
    vocab_size=V, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=16, bos_token_id=0, eos_token_id=0, pad_token_id=PAD, num_labels=3, attn_implementation="eager",
)
fixture("llama-heads", LlamaConfig(**shape), [LlamaForSequenceClassification, LlamaForTokenClassification, LlamaForQuestionAnswering])
fixture("qwen3-heads", Qwen3Config(head_dim=8, **shape), [Qwen3ForSequenceClassification, Qwen3ForTokenClassification, Qwen3ForQuestionAnswering])
fixture("qwen2", Qwen2Config(**shape), [
    Qwen2ForCausalLM, Qwen2ForSequenceClassification, Qwen2ForTokenClassification, Qwen2ForQuestionAnswering])
fixture("qwen2-window", Qwen2Config(use_sliding_window=True, sliding_window=4, max_window_layers=1, **shape), [Qwen2ForCausalLM])
fixture("mistral", MistralConfig(sliding_window=5, head_dim=6, rope_parameters=dict(rope_type="yarn", rope_theta=100.0, factor=2.0, original_max_position_embeddings=8), **shape), [
    MistralForCausalLM, MistralForSequenceClassification, MistralForTokenClassification, MistralForQuestionAnswering])
fixture("gemma", GemmaConfig(head_dim=6, **dict(shape, num_key_value_heads=1)), [GemmaForCausalLM, GemmaForSequenceClassification, GemmaForTokenClassification])
fixture("gemma3", Gemma3TextConfig(
    head_dim=6, query_pre_attn_scalar=10, sliding_window=4, layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    rope_parameters=dict(full_attention=dict(rope_type="linear", factor=4.0, rope_theta=1000.0), sliding_attention=dict(rope_type="default", rope_theta=30.0)),
    **dict(shape, num_hidden_layers=3)), [Gemma3ForCausalLM, Gemma3TextForSequenceClassification])
