"""Writes bases.json: the last hidden states of models without a head, in float64 on a CPU, of the
weights and the texts of the fixtures beside it.

    python bases.py
"""

import json
import pathlib

import numpy
import torch

torch.float32 = torch.float = torch.float64
torch.Tensor.float = torch.Tensor.double
import transformers
from transformers import AutoConfig

here = pathlib.Path(__file__).parent
bases = {
    "bert": "BertModel", "roberta": "RobertaModel", "xlm-roberta": "XLMRobertaModel", "camembert": "CamembertModel", "distilbert": "DistilBertModel",
    "gpt2-heads": "GPT2Model", "llama-heads": "LlamaModel", "qwen2": "Qwen2Model", "qwen2-window": "Qwen2Model", "qwen3-heads": "Qwen3Model",
    "mistral": "MistralModel", "gemma": "GemmaModel", "gemma3": "Gemma3TextModel", "t5": "T5Model", "t5v1_1": "T5EncoderModel", "xlnet": "XLNetModel",
}
out = []
for name, architecture in bases.items():
    ref, data = json.loads((here / (name + ".json")).read_text()), numpy.fromfile(here / (name + ".bin"), "<f8")
    weights = {}
    for t in ref["tensors"]:
        n = int(numpy.prod(t["shape"]))
        if t["name"].startswith("weight/"):
            weights[t["name"].removeprefix("weight/")] = torch.from_numpy(data[:n].reshape(t["shape"]).copy())
        data = data[n:]
    config = AutoConfig.for_model(**ref["config"])
    config._attn_implementation = "eager"
    model = getattr(transformers, architecture)(config).double().eval()
    for key, p in model.named_parameters():
        for full in (key, *(prefix + key for prefix in ("bert.", "roberta.", "distilbert.", "model.", "transformer."))):
            if full in weights:
                p.data = weights[full]
                break
        else:
            if "pooler" not in key:
                raise KeyError(name + ": " + key)
    ids = torch.tensor(ref["ids"])
    mask = torch.tensor([[int(i < n) for i in range(ids.shape[1])] for n in ref["lengths"]])
    inputs = dict(input_ids=ids, attention_mask=mask)
    if ref.get("types"):
        inputs["token_type_ids"] = torch.tensor(ref["types"])
    if architecture.startswith("T5"):
        encoder = torch.tensor(ref["encoder"])
        encoder_mask = torch.tensor([[int(i < n) for i in range(encoder.shape[1])] for n in ref["encoderLengths"]])
        inputs = dict(input_ids=encoder, attention_mask=encoder_mask)
        if architecture == "T5Model":
            inputs.update(decoder_input_ids=ids, decoder_attention_mask=mask)
    hidden = model(**inputs).last_hidden_state
    out.append(dict(fixture=name, architecture=architecture, shape=list(hidden.shape), hidden=[float(f"{v:.15g}") for v in hidden.detach().ravel().tolist()]))
(here / "bases.json").write_text(json.dumps(dict(torch=torch.__version__, transformers=transformers.__version__, numpy=numpy.__version__, bases=out)).replace('{"fixture"', '\n{"fixture"') + "\n")
