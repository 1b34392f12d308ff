"""Fine-tuning a classifier with transformers' Trainer, for hone bench to measure beside its own.

    python bench_finetune.py '{"path": "arguments.json"}'

The file says which model, documents as token ids with their labels, batch, threads, precision, and the
weights of the head. Prints a line of JSON that says what it is, with the loss of some documents before
training. Then for each line on stdin, a number n, the Trainer makes n steps, and a line of JSON has for
each its seconds, its tokens without padding and its loss, and the most memory that the process has held.
A step is batch, forward, backward, clipping to norm 1 and AdamW. Batches are grouped by length.
"""

import json
import platform
import resource
import sys
import time

import torch
import transformers
from transformers import AutoModelForSequenceClassification, Trainer, TrainerCallback, TrainingArguments


def main():
    answers, sys.stdout = sys.stdout, sys.stderr  # what others print is no answer
    with open(json.loads(sys.argv[1])["path"]) as f:
        c = json.load(f)
    torch.set_num_threads(c["threads"])
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(
        c["model"], num_labels=c["labels"], hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    with torch.no_grad():
        state = model.state_dict()
        for name, values in c["fresh"].items():
            state[name].copy_(torch.tensor(values).view(state[name].shape))
    documents = [{"input_ids": ids, "labels": label} for ids, label in zip(c["documents"], c["classes"])]
    tokens = [0]

    def collate(rows):
        longest = max(len(r["input_ids"]) for r in rows)
        ids = torch.full((len(rows), longest), c["pad"])
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for i, r in enumerate(rows):
            n = len(r["input_ids"])
            ids[i, :n], mask[i, :n] = torch.tensor(r["input_ids"]), 1
        tokens[0] = sum(len(r["input_ids"]) for r in rows)
        return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([r["labels"] for r in rows])}

    model.eval()
    with torch.no_grad():
        first = model(**collate([documents[i] for i in c["first"]])).loss.item()
    losses, seconds, seen = [], [], []

    class Stepper(Trainer):
        def training_step(self, *args, **kwargs):
            loss = super().training_step(*args, **kwargs)
            losses.append(loss.item())
            seen.append(tokens[0])
            return loss

    class Turns(TrainerCallback):
        left, began, warm = c["warm"], time.perf_counter(), True

        def on_step_end(self, args, state, control, **kwargs):
            seconds.append(time.perf_counter() - self.began)
            self.left -= 1
            if self.left == 0:
                if self.warm:
                    self.warm = False
                    about = {"version": f"transformers {transformers.__version__}, torch {torch.__version__}",
                             "python": platform.python_version(), "loss": first}
                    print(json.dumps(about), file=answers, flush=True)
                else:
                    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                    print(json.dumps({"seconds": seconds, "tokens": seen, "losses": losses, "peak": peak}), file=answers, flush=True)
                for list in (losses, seconds, seen):
                    list.clear()
                line = sys.stdin.readline()
                if not line:
                    control.should_training_stop = True
                    return
                self.left = int(line)
            self.began = time.perf_counter()

    args = dict(
        output_dir=c["output"], max_steps=1 << 20, per_device_train_batch_size=c["batch"], learning_rate=c["rate"],
        lr_scheduler_type="constant", weight_decay=c["decay"], adam_beta1=c["beta1"], adam_beta2=c["beta2"], adam_epsilon=c["epsilon"],
        max_grad_norm=1.0, use_cpu=True, bf16=c["bf16"], torch_compile=c["compile"], save_strategy="no", logging_strategy="no",
        report_to="none", disable_tqdm=True, seed=1)
    if "train_sampling_strategy" in TrainingArguments.__dataclass_fields__:  # since version 5
        args["train_sampling_strategy"] = "group_by_length"
    else:
        args["group_by_length"] = True
    Stepper(model=model, args=TrainingArguments(**args), train_dataset=documents, data_collator=collate, callbacks=[Turns()]).train()


if __name__ == "__main__":
    main()
