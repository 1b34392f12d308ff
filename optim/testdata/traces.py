# Writes traces.json: 20 steps of every optimiser, in float64, on the same gradients.
# torch.optim has AdamW, SGD, Adafactor, Muon (and swa_utils the average of the weights); Lion and LAMB
# are written here from their papers. Made with Python 3.11, torch 2.15.0 (CPU), numpy 2.4.6:  python traces.py
import json, numpy as np, torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

torch.bfloat16 = torch.float64  # torch's Newton-Schulz iteration rounds to bfloat16; here it must not
STEPS, CLIP, WD, BETAS, EPS, MOMENTUM, EMA = 20, 2.0, 0.1, (0.9, 0.95), 1e-8, 0.9, 0.8
# name, shape, maps side by side (0: no hidden layer's), decay
PARAMS = [("wte", (5, 4), 0, True), ("c_attn", (4, 12), 3, True), ("c_fc", (4, 6), 1, True), ("c_proj", (6, 4), 1, True),
          ("ln", (4,), 0, False), ("bias", (3,), 0, False)]
rng = np.random.default_rng(11)
draw = lambda shape, std: np.round(rng.normal(size=shape) * std, 3)
start = {n: draw(s, 0.5) for n, s, _, _ in PARAMS}
grads = [{n: draw(s, 0.02 * 1.5 ** (k % 9)) for n, s, _, _ in PARAMS} for k in range(STEPS)]
norms = [np.sqrt(sum((g ** 2).sum() for g in gs.values())) for gs in grads]
assert min(norms) < CLIP < max(norms), norms
clipped = [{n: g * min(1, CLIP / norm) for n, g in gs.items()} for norm, gs in zip(norms, grads)]
rates = [round(0.02 * (k + 1) / 5 if k < 5 else 0.02 * (1 - (k - 5) / 20), 6) for k in range(STEPS)]


class Torch:  # one of torch.optim, with the weight decay for those that have it
    def __init__(self, make, keys, maps=False, rest=None):
        self.parts = {}
        for n, _, m, _ in PARAMS:
            xs = np.split(start[n], max(m, 1), axis=start[n].ndim - 1) if maps else [start[n]]
            self.parts[n] = [torch.nn.Parameter(torch.tensor(x.copy())) for x in xs]
        self.keys = keys
        group = lambda pick: [dict(params=[p for n, _, m, d in PARAMS if d == decay and pick(m) for p in self.parts[n]], weight_decay=WD if decay else 0)
                              for decay in (True, False)]
        full = lambda groups: [g for g in groups if g["params"]]
        if rest:
            self.opts = [make(full(group(lambda m: m > 0))), rest(full(group(lambda m: m == 0)))]
        else:
            self.opts = [make(group(lambda m: True))]
        self.model = torch.nn.ParameterList([p for n in self.parts for p in self.parts[n]])
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(EMA))

    def step(self, k, lr):
        for n, ps in self.parts.items():
            for p, g in zip(ps, np.split(clipped[k][n], len(ps), axis=clipped[k][n].ndim - 1)):
                p.grad = torch.tensor(g.copy())
        for o in self.opts:
            for g in o.param_groups:
                g["lr"] = lr
            o.step()
        self.average.update_parameters(self.model)

    def values(self):
        return {n: np.concatenate([p.detach().numpy() for p in ps], axis=-1) for n, ps in self.parts.items()}

    def state(self):
        out, averaged = {}, iter(self.average.module)
        for n, ps in self.parts.items():
            out["average." + n] = np.concatenate([next(averaged).detach().numpy() for _ in ps], axis=-1)
            for key in self.keys:
                have = [o.state[p][key].numpy() for p in ps for o in self.opts if p in o.state and o.state[p].get(key) is not None]
                if have:
                    out[f"{key}.{n}"] = np.concatenate(have, axis=-1)
        return out


class Paper:  # exp_avg and exp_avg_sq of each parameter; rule gives the next weights
    def __init__(self, rule, keys):
        self.rule, self.keys, self.p = rule, keys, {n: x.copy() for n, x in start.items()}
        self.s = {k: {n: np.zeros_like(x) for n, x in start.items()} for k in keys}
        self.a = None

    def step(self, k, lr):
        for n, _, _, decay in PARAMS:
            self.p[n] = self.rule(self.p[n], clipped[k][n], {key: self.s[key][n] for key in self.keys}, lr, k + 1, decay)
        self.a = {n: x.copy() if self.a is None else EMA * self.a[n] + (1 - EMA) * x for n, x in self.p.items()}

    def values(self):
        return self.p

    def state(self):
        return {**{"average." + n: x for n, x in self.a.items()}, **{f"{k}.{n}": x for k in self.keys for n, x in self.s[k].items()}}


def lion(p, g, s, lr, t, decay):  # Chen et al. 2023, algorithm 2
    m = s["exp_avg"]
    update = np.sign(BETAS[0] * m + (1 - BETAS[0]) * g)
    m[...] = BETAS[1] * m + (1 - BETAS[1]) * g
    return p - lr * (update + (WD if decay else 0) * p)


def lamb(p, g, s, lr, t, decay):  # You et al. 2020, algorithm 2, with phi the identity
    m, v = s["exp_avg"], s["exp_avg_sq"]
    m[...] = BETAS[0] * m + (1 - BETAS[0]) * g
    v[...] = BETAS[1] * v + (1 - BETAS[1]) * g * g
    r = m / (1 - BETAS[0] ** t) / (np.sqrt(v / (1 - BETAS[1] ** t)) + EPS)
    if not decay:  # as google-research/bert's LAMBOptimizer leaves out biases and norms
        return p - lr * r
    u = r + WD * p
    return p - lr * np.linalg.norm(p) / np.linalg.norm(u) * u


adamw = lambda gs: torch.optim.AdamW(gs, betas=BETAS, eps=EPS)
runs = {
    "adamw": Torch(adamw, ["exp_avg", "exp_avg_sq"]),
    "muon": Torch(lambda gs: torch.optim.Muon(gs, momentum=0.95, nesterov=True, ns_steps=5, adjust_lr_fn="match_rms_adamw"),
                  ["momentum_buffer", "exp_avg", "exp_avg_sq"], True, adamw),
    "sgd": Torch(lambda gs: torch.optim.SGD(gs, momentum=MOMENTUM), ["momentum_buffer"]),
    "adafactor": Torch(lambda gs: torch.optim.Adafactor(gs, eps=(EPS, 1e-3)), ["row_var", "col_var", "variance"]),
    "lion": Paper(lion, ["exp_avg"]),
    "lamb": Paper(lamb, ["exp_avg", "exp_avg_sq"]),
}
short = lambda x: [float(f"{v:.12g}") for v in np.asarray(x).ravel()]
out = {}
for name, run in runs.items():
    # Adafactor's rate is relative: above 1/sqrt(20), so that both sides of its limit are seen.
    lrs = [round(20 * r, 6) for r in rates] if name == "adafactor" else rates
    steps = []
    for k, lr in enumerate(lrs):
        run.step(k, lr)
        steps.append({n: short(x) for n, x in run.values().items()})
    out[name] = dict(lrs=lrs, steps=steps, state={n: short(x) for n, x in run.state().items()})
json.dump(dict(torch=torch.__version__, numpy=np.__version__, weight_decay=WD, clip=CLIP, betas=BETAS, eps=EPS, momentum=MOMENTUM, ema=EMA,
               params=[dict(name=n, shape=s, maps=m, decay=d) for n, s, m, d in PARAMS],
               start={n: short(x) for n, x in start.items()}, grads=[{n: short(x) for n, x in g.items()} for g in grads],
               runs=out), open("traces.json", "w"), separators=(",", ":"))
