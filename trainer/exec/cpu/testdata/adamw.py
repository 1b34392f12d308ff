"""Reference values for adamw_test.go, by torch.optim.AdamW: python adamw.py > adamw.json"""
import json
import torch

torch.manual_seed(7)
n, steps, clip = 37, 5, 3.0
hyper = dict(betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
lrs = [1e-3, 3e-3, 1e-2, 5e-3, 1e-3]
start = torch.randn(n, dtype=torch.float32)
grads = [(torch.randn(n) * s).to(torch.float32) for s in (0.1, 1.0, 3.0, 0.5, 1e-4)]
out = {"torch": torch.__version__, "clip": clip, "lrs": lrs, "hyper": hyper,
       "start": start.tolist(), "grads": [g.tolist() for g in grads]}
for dtype in (torch.float32, torch.float64):
    p = torch.nn.Parameter(start.to(dtype).clone())
    opt = torch.optim.AdamW([p], lr=1.0, foreach=False, fused=False, **hyper)
    rows = []
    for lr, g in zip(lrs, grads):
        opt.param_groups[0]["lr"] = lr
        norm = g.double().norm().item()
        # torch's clip_grad_norm_ adds 1e-6 to the norm; here it is exact.
        p.grad = g.to(dtype) * min(1.0, clip / norm)
        opt.step()
        s = opt.state[p]
        rows.append({"p": p.tolist(), "m": s["exp_avg"].tolist(), "v": s["exp_avg_sq"].tolist()})
    out[str(dtype).split(".")[1]] = rows
print(json.dumps(out))
