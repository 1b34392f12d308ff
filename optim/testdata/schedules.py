# Writes schedules.json, the learning rates that transformers' schedules give.
# Made with Python 3.11, torch 2.15.0 (CPU), transformers 5.24.0:  python schedules.py
import json, math, torch, transformers
from transformers import optimization as o

LR = 6e-4
def rates(make, steps):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    sch = make(opt)
    out = []
    for _ in range(steps + 1):
        out.append(sch.get_last_lr()[0])
        opt.step(); sch.step()
    return out

cases = []
def case(kind, steps, warmup, minimum, make, ratio=0.0, decay=0, decay_type=""):
    cases.append(dict(kind=kind, lr=LR, steps=steps, warmup_steps=0 if ratio else warmup, warmup_ratio=ratio,
                      min_lr_ratio=minimum, decay_steps=decay, decay_type=decay_type, rates=rates(make, steps)))

case("constant", 20, 5, 0, lambda p: o.get_constant_schedule_with_warmup(p, 5))
case("linear", 40, 7, 0, lambda p: o.get_linear_schedule_with_warmup(p, 7, 40))
case("linear", 9, 0, 0, lambda p: o.get_linear_schedule_with_warmup(p, 0, 9))
case("cosine", 40, 7, 0, lambda p: o.get_cosine_schedule_with_warmup(p, 7, 40))
case("cosine", 33, 0, 0, lambda p: o.get_cosine_schedule_with_warmup(p, 0, 33))
case("cosine", 5, 5, 0, lambda p: o.get_cosine_schedule_with_warmup(p, 5, 5))
case("cosine", 40, 7, 0.1, lambda p: o.get_cosine_with_min_lr_schedule_with_warmup(p, 7, 40, min_lr_rate=0.1))
w = math.ceil(0.03 * 70)  # TrainingArguments.get_warmup_steps
case("cosine", 70, w, 0, lambda p: o.get_cosine_schedule_with_warmup(p, w, 70), ratio=0.03)
case("inverse_sqrt", 60, 7, 0, lambda p: o.get_inverse_sqrt_schedule(p, 7))
case("inverse_sqrt", 60, 0, 0, lambda p: o.get_inverse_sqrt_schedule(p, 0))
for kind, minimum, warmup in [("linear", 0, 5), ("cosine", 0.1, 5), ("1-sqrt", 0.05, 0), ("1-sqrt", 0, 28)]:
    case("warmup_stable_decay", 40, warmup, minimum, decay=12, decay_type=kind,
         make=lambda p: o.get_wsd_schedule(p, warmup, 12, 40, decay_type=kind, min_lr_ratio=minimum))
json.dump(dict(transformers=transformers.__version__, torch=torch.__version__, cases=cases), open("schedules.json", "w"), indent=0)
