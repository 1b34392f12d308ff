"""Reference values for eval/metric, made once with outside implementations.

    python reference.py > reference.json

The versions used are in reference.json. scipy and scikit-learn do not have
Tango's interval; it is found here by maximising the multinomial likelihood
under the constraint numerically, not by the closed form that the package uses.
"""
import json, platform
import numpy as np, scipy, sklearn
from scipy import optimize, stats
from sklearn import metrics
from sklearn.calibration import calibration_curve

rng = np.random.default_rng(20)
out = {"versions": {"python": platform.python_version(), "numpy": np.__version__,
                    "scipy": scipy.__version__, "sklearn": sklearn.__version__}}

out["wilson"] = []
for k, n in [(0, 7), (1, 1), (7, 10), (263, 500), (990, 1000), (81, 263), (12, 12)]:
    ci = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    out["wilson"].append({"correct": k, "n": n, "lo": ci.low, "hi": ci.high})

truth = rng.choice(5, 120, p=[.4, .3, .15, .15, 0])          # class 4: never true
pred = np.where(rng.random(120) < .6, truth, rng.choice(5, 120))
pred = np.where(pred == 3, 1, pred)                           # class 3: never predicted
two = (rng.random(80) < .3).astype(int)
guess = np.where(rng.random(80) < .75, two, 1 - two)
out["classify"] = []
for t, p, c in [(truth, pred, 6), (two, guess, 2), (two, np.zeros(80, int), 2)]:
    out["classify"].append({
        "truth": t.tolist(), "predicted": p.tolist(), "classes": c,
        "confusion": metrics.confusion_matrix(t, p, labels=range(c)).tolist(),
        "accuracy": metrics.accuracy_score(t, p),
        "macro_f1": metrics.f1_score(t, p, average="macro"),
        "mcc": metrics.matthews_corrcoef(t, p)})

def tango(b, c, n):
    """Score interval: the deltas where |z| = 1.96, the nuisance by brute maximisation."""
    def z(delta):
        def nll(p01):
            p10 = p01 + delta
            rest = 1 - p01 - p10
            v = 0.0
            for k, p in ((b, p10), (c, p01), (n - b - c, rest)):
                if k: v -= k * np.log(max(p, 1e-300))
            return v
        lo, hi = max(0, -delta), (1 - delta) / 2
        p01 = optimize.minimize_scalar(nll, bounds=(lo, hi), method="bounded",
                                       options={"xatol": 1e-14, "maxiter": 2000}).x
        p10 = p01 + delta
        return (b - c - n * delta) / np.sqrt(max(n * (p01 + p10 - delta * delta), 1e-300))
    d, q = (b - c) / n, stats.norm.ppf(.975)
    e = 1e-9
    return (optimize.brentq(lambda x: z(x) - q, -1 + e, min(d, 1 - e), xtol=1e-12),
            optimize.brentq(lambda x: z(x) + q, max(d, -1 + e), 1 - e, xtol=1e-12))

out["paired"] = []
for b, c, n in [(12, 2, 50), (5, 5, 40), (0, 9, 100), (1, 0, 30), (60, 41, 800), (40, 22, 800), (0, 0, 25), (30, 3, 33)]:
    lo, hi = tango(b, c, n)
    p = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    out["paired"].append({"only_a": b, "only_b": c, "n": n, "diff": (b - c) / n, "lo": lo, "hi": hi, "mcnemar": p})

size = rng.integers(60, 2000, 150)
a = size * rng.gamma(20, .05, 150) * 1.2
b = a * rng.normal(1.03, .1, 150)
def boot(x):
    f = lambda i: x[i].sum() / size[i].sum() / np.log(2)
    r = stats.bootstrap((np.arange(150),), f, n_resamples=100_000, vectorized=False, method="percentile",
                        rng=np.random.default_rng(1))
    return {"value": f(np.arange(150)), "lo": r.confidence_interval.low, "hi": r.confidence_interval.high}
out["bits"] = {"bytes": size.tolist(), "a_nats": a.tolist(), "b_nats": b.tolist(), "a": boot(a), "diff": boot(a - b)}

conf = np.concatenate([rng.beta(4, 2, 200), [0, .2, .5, 1, .6]])
ok = rng.random(205) < conf * .8 + .05
acc, mean = calibration_curve(ok, conf, n_bins=10)
count = np.bincount(np.searchsorted(np.linspace(0, 1, 11)[1:-1], conf), minlength=10)
full = np.flatnonzero(count)
out["calibration"] = {"confidence": conf.tolist(), "correct": ok.tolist(), "bins": 10, "n": count.tolist(),
    "accuracy": acc.tolist(), "mean": mean.tolist(),
    "ece": float((count[full] / 205 * np.abs(acc - mean)).sum())}
print(json.dumps(out))
