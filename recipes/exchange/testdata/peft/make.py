"""Writes adapters that PEFT makes of the models of ../huggingface, each with the logits of a text, in logits.json:

    python make.py          (peft 0.21.2, transformers 5.24.0, torch 2.15.0)

and checks adapters that hone has written:

    python make.py check LIST.json

LIST.json has for each the directory of the base, that of the adapter, the text, and hone's logits, of its last token or of
its labels. It fails where PEFT finds a key missing or one too many, or where the logits differ by more than 1e-5 of their norm.
"""

import json
import pathlib
import shutil
import sys

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

torch.set_num_threads(1)
here = pathlib.Path(__file__).parent
models = here.parent / "huggingface"
ids = [[5, 9, 3, 11, 7, 2, 8]]
encoder = [[4, 6, 9, 3, 1]]

tasks = {
    "ForCausalLM": "CAUSAL_LM", "LMHeadModel": "CAUSAL_LM", "ForConditionalGeneration": "SEQ_2_SEQ_LM", "ForMaskedLM": "FEATURE_EXTRACTION",
    "ForSequenceClassification": "SEQ_CLS", "ForTokenClassification": "TOKEN_CLS", "ForQuestionAnswering": "QUESTION_ANS",
    "ForQuestionAnsweringSimple": "QUESTION_ANS", "Model": "FEATURE_EXTRACTION",
}

every = dict(target_modules="all-linear", r=2, lora_alpha=3)
# What an adapter is like, by the model and a name for it.
cases = {
    ("gpt2", "default"): dict(r=3, lora_alpha=5),
    ("gpt2", "all"): dict(every, use_rslora=True),
    ("gpt2", "embeddings"): dict(target_modules=["wte", "attn.c_proj"], r=2),
    ("gpt2", "head"): dict(target_modules=["lm_head"], r=2),
    ("gpt2-classifier-fp16", "default"): dict(r=2),
    ("gpt2-tokens", "default"): dict(r=2),  # all-linear of PEFT fails here: it wraps the classifier twice
    ("gpt2-answers", "default"): dict(r=2),
    ("llama", "default"): dict(r=2),
    ("llama", "patterns"): dict(target_modules=r".*\.(q|o)_proj|.*\.layers\.1\..*(up|down)_proj", r=2, rank_pattern={"layers.0.self_attn.q_proj": 4, "down_proj": 1}, alpha_pattern={"down_proj": 7}),
    ("llama", "head"): dict(target_modules=["lm_head", "embed_tokens"], r=2),
    ("llama-classifier", "all"): every,
    ("llama-tokens", "default"): dict(r=2),
    ("llama-answers", "default"): dict(r=2),
    ("mistral", "all"): every,
    ("qwen2", "all"): dict(every, exclude_modules=["k_proj", "layers.0.mlp.up_proj"]),
    ("qwen2-classifier", "default"): dict(r=2),
    ("qwen3", "all"): every,
    ("qwen3-tokens", "default"): dict(r=2),
    ("gemma", "all"): every,
    ("gemma3", "all"): every,
    ("gemma3", "embeddings"): dict(target_modules=["embed_tokens"], r=2),
    ("bert", "all"): every,
    ("bert-base", "default"): dict(r=2),
    ("bert-classifier-fp16", "all"): every,
    ("bert-tokens", "default"): dict(r=2),
    ("bert-answers", "embeddings"): dict(target_modules=["word_embeddings", "token_type_embeddings", "query"], r=2),
    ("roberta", "default"): dict(r=2),
    ("roberta-classifier", "all"): every,
    ("camembert", "all"): every,
    ("distilbert", "all"): every,
    ("distilbert-classifier", "all"): dict(target_modules=["q_lin", "v_lin", "lin1"], r=2),
    ("distilbert-tokens", "named"): dict(target_modules=["k_lin"], r=2),
    ("distilbert-answers", "named"): dict(target_modules=["out_lin"], r=2),
    ("t5", "all"): every,
    ("t5", "default"): dict(r=2),
    ("t5-classifier", "default"): dict(r=2, modules_to_save=["classification_head"]),
    ("t5-tokens", "default"): dict(r=2),
    ("t5-answers", "default"): dict(r=2),
    ("t5-encoder", "all"): every,
    ("gpt2", "dora"): dict(every, use_dora=True),
    ("gpt2", "dora-embeddings"): dict(target_modules=["wte", "c_fc"], r=2, use_dora=True),
    ("llama", "dora"): dict(every, use_dora=True),
    ("gemma3", "dora"): dict(every, use_dora=True, use_rslora=True),
    ("bert-tokens", "dora"): dict(r=2, use_dora=True),
    ("t5", "dora"): dict(every, use_dora=True),
    ("xlnet-classifier", "named"): dict(target_modules=["layer_1", "layer_2"], r=2, modules_to_save=["sequence_summary", "logits_proj"]),
    ("xlnet-tokens", "named"): dict(target_modules=["layer_1"], r=2),
    ("xlnet-answers", "named"): dict(target_modules=["layer_2"], r=2),
}


def load(directory):
    config = transformers.AutoConfig.from_pretrained(directory)
    architecture = config.architectures[0]
    model = getattr(transformers, architecture).from_pretrained(directory, dtype=torch.float32)
    kind = max((k for k in tasks if architecture.endswith(k)), key=len)
    return model.eval(), tasks[kind]


@torch.no_grad()
def logits(model, task, text=ids, source=encoder):
    feed = {"input_ids": torch.tensor(text)}
    if task == "SEQ_2_SEQ_LM":
        feed = {"input_ids": torch.tensor(source), "decoder_input_ids": torch.tensor(text)}
    out = model(**feed)
    if task == "QUESTION_ANS":
        return torch.stack([out.start_logits, out.end_logits], -1)
    return out.logits if "logits" in out else out.last_hidden_state


def make():
    table = {"versions": {"peft": peft.__version__, "transformers": transformers.__version__, "torch": torch.__version__}, "encoder": encoder[0], "cases": {}}
    for old in here.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    for (name, variant), keys in cases.items():
        torch.manual_seed(1)
        model, task = load(models / name)
        wrapped = get_peft_model(model, LoraConfig(task_type=task, **keys)).eval()
        chosen = sorted({n.split(".lora_")[0].removeprefix("base_model.model.") for n, p in wrapped.named_parameters() if ".lora_" in n})
        for n, p in wrapped.named_parameters():
            if p.requires_grad:
                p.data = (torch.randn(p.shape) * 0.2).bfloat16().float()
        directory = here / f"{name}-{variant}"
        wrapped.save_pretrained(directory)
        (directory / "README.md").unlink()
        config = json.loads((directory / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = name
        for k, v in config.items():
            if isinstance(v, list):  # sets, in any order
                config[k] = sorted(v)
        (directory / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        text = [ids[0][:-1] + [wrapped.config.eos_token_id]] if name == "t5-classifier" else ids  # which reads the end of the text
        table["cases"][directory.name] = {
            "model": name, "keys": keys, "ids": text[0], "modules": chosen, "logits": [float(f"{v:.9g}") for v in logits(wrapped, task, text).ravel().tolist()],
        }
    (here / "logits.json").write_text(json.dumps(table, indent=1) + "\n")


def check(path):
    failed = False
    for case in json.loads(pathlib.Path(path).read_text()):
        config = transformers.AutoConfig.from_pretrained(case["adapter"])
        model = getattr(transformers, config.architectures[0]).from_pretrained(case["base"], config=config, dtype=torch.float32).eval()
        task = json.loads((pathlib.Path(case["adapter"]) / "adapter_config.json").read_text())["task_type"]
        wrapped = PeftModel.from_pretrained(model, case["adapter"]).eval()
        result = wrapped.load_adapter(case["adapter"], "again")
        missing = [k for k in result.missing_keys if "again" in k]
        want = torch.tensor(case["logits"])
        got = logits(wrapped, task, [case["ids"]]).ravel()[-len(want):]  # of the last token, or of all labels
        error = ((got - want).norm() / got.norm()).item()
        print(case["adapter"], len(missing), "missing,", len(result.unexpected_keys), "unexpected, logits differ by", error)
        failed = failed or missing or result.unexpected_keys or not error < 1e-5
    sys.exit(1 if failed else 0)


if sys.argv[1:2] == ["check"]:
    check(sys.argv[2])
else:
    make()
