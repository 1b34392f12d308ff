# Writes muon.json: three steps of torch.optim.Muon on hidden matrices and torch.optim.AdamW on the rest, in float64.
# Made with Python 3.11, torch 2.15.0 (CPU), numpy 2.4.6:  python muon.py
import json, numpy as np, torch

torch.bfloat16 = torch.float64  # torch's Newton-Schulz iteration rounds to bfloat16; here it must not
LR, WD, CLIP, BETAS, EPS = [0.02, 0.01, 0.03], 0.1, 3.0, (0.9, 0.95), 1e-8
# name, shape, maps side by side (0: AdamW's), decay
PARAMS = [("wte", (7, 6), 0, True), ("c_attn", (6, 18), 3, True), ("c_proj", (6, 6), 1, True), ("c_fc", (6, 20), 1, True),
          ("ln", (6,), 0, False), ("mlp.c_proj", (20, 6), 1, True), ("score", (3, 6), 0, True), ("bias", (5,), 0, False)]
rng = np.random.default_rng(7)
draw = lambda shape, std: np.round(rng.normal(size=shape) * std, 4)
start = {n: draw(s, 1) for n, s, _, _ in PARAMS}
grads = [{n: draw(s, std) for n, s, _, _ in PARAMS} for std in (0.05, 1, 0.3)]

def split(x, maps):  # the maps of a weight, as parameters of their own
    return [torch.tensor(c.copy()) for c in np.split(x, max(maps, 1), axis=x.ndim - 1)]
parts = {n: [torch.nn.Parameter(c) for c in split(start[n], m)] for n, _, m, _ in PARAMS}
pick = lambda f: [p for n, s, m, d in PARAMS if f(m, d) for p in parts[n]]
muon = torch.optim.Muon(pick(lambda m, d: m > 0), lr=0, weight_decay=WD, momentum=0.95, nesterov=True, ns_steps=5, adjust_lr_fn="match_rms_adamw")
adamw = torch.optim.AdamW([{"params": pick(lambda m, d: m == 0 and d), "weight_decay": WD},
                           {"params": pick(lambda m, d: m == 0 and not d), "weight_decay": 0}], lr=0, betas=BETAS, eps=EPS)
join = lambda xs: np.concatenate([x.detach().numpy() for x in xs], axis=-1).ravel().tolist()
steps, norms = [], []
for lr, g in zip(LR, grads):
    norm = np.sqrt(sum((x ** 2).sum() for x in g.values()))
    norms.append(norm)
    for n, _, m, _ in PARAMS:
        for p, c in zip(parts[n], split(g[n] * min(1, CLIP / norm), m)):
            p.grad = c
    for o in (muon, adamw):
        for group in o.param_groups:
            group["lr"] = lr
        o.step()
    state = {}
    for n, _, m, _ in PARAMS:
        for key in ["momentum_buffer"] if m else ["exp_avg", "exp_avg_sq"]:
            state[key + "." + n] = join([(muon if m else adamw).state[p][key] for p in parts[n]])
    steps.append(dict(params={n: join(parts[n]) for n in parts}, state=state))
assert norms[0] < CLIP < norms[1], norms
json.dump(dict(torch=torch.__version__, numpy=np.__version__, lrs=LR, weight_decay=WD, clip=CLIP, betas=BETAS, eps=EPS,
               params=[dict(name=n, shape=s, maps=m, decay=d) for n, s, m, d in PARAMS],
               start={n: x.ravel().tolist() for n, x in start.items()},
               grads=[{n: x.ravel().tolist() for n, x in g.items()} for g in grads], steps=steps), open("muon.json", "w"))
