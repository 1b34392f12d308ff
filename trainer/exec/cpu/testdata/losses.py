# Writes losses.json: losses and gradients of torch and transformers, of given logits.
#
#	python losses.py
#
# Made with torch 2.15.0 and transformers 5.24.0 in float64.
import json

import torch
import transformers
from transformers.trainer_pt_utils import LabelSmoother

torch.manual_seed(7)
rows, labels = 7, 5
cases = {"versions": {"torch": torch.__version__, "transformers": transformers.__version__}, "cases": []}

def add(name, loss, logits, **more):
    loss.backward()
    more.update(name=name, rows=logits.shape[0], labels=logits.shape[1], logits=logits.detach().flatten().tolist(),
                loss=loss.item(), grad=logits.grad.flatten().tolist())
    cases["cases"].append(more)

def logits():
    return (2 * torch.randn(rows, labels, dtype=torch.float64)).requires_grad_()

targets = torch.tensor([0, 4, 2, -100, 2, 1, 3])
weight = torch.tensor([0.5, 3, 1, 0.25, 2], dtype=torch.float64)
x = logits()
add("cross_entropy", torch.nn.functional.cross_entropy(x, targets), x, targets=targets.tolist())
x = logits()
add("cross_entropy weight", torch.nn.functional.cross_entropy(x, targets, weight=weight), x, targets=targets.tolist(), weight=weight.tolist())
x = logits()
add("cross_entropy label_smoothing", torch.nn.functional.cross_entropy(x, targets, label_smoothing=0.1), x, targets=targets.tolist(), smoothing=0.1)
x = logits()
add("LabelSmoother", LabelSmoother(epsilon=0.2)({"logits": x[None]}, targets[None].clone()), x, targets=targets.tolist(), smoothing=0.2)
# A causal model's labels are shifted: the target of a row is the label behind it.
x = logits()

add("LabelSmoother shifted", LabelSmoother(epsilon=0.1)({"logits": torch.cat([x, torch.zeros(1, labels, dtype=torch.float64)])[None]}, torch.cat([torch.tensor([3]), targets])[None], shift_labels=True),
    x, targets=targets.tolist(), smoothing=0.1)
goals = (torch.rand(rows, labels) < 0.4).double()
x = logits()
add("binary_cross_entropy_with_logits", torch.nn.functional.binary_cross_entropy_with_logits(x, goals), x, goals=goals.flatten().tolist())
x = logits()
add("binary_cross_entropy_with_logits pos_weight", torch.nn.functional.binary_cross_entropy_with_logits(x, goals, pos_weight=weight), x, goals=goals.flatten().tolist(), weight=weight.tolist())

with open("losses.json", "w") as f:
    json.dump(cases, f)
    f.write("\n")
