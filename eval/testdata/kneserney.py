"""Reference values for eval.KneserNey, made once.

    python kneserney.py > kneserney.json

Interpolated modified Kneser-Ney (Chen & Goodman 1999) written down from its
definition, with sets and dictionaries of whole n-grams and rational numbers:
slow, and sharing nothing with the package's algorithm. Each document is
preceded by one start symbol, which is never predicted. Python 3.11, no
libraries.
"""
import json, math, random
from collections import Counter, defaultdict
from fractions import Fraction as F

def fit(docs, order, vocab):
    S = vocab
    raw = {n: Counter() for n in range(1, order + 1)}
    for d in docs:
        s = (S,) + tuple(d)
        for n in raw:
            for i in range(len(s) - n + 1):
                raw[n][s[i:i + n]] += 1
    count = {}
    for n in raw:
        if n == order:
            count[n] = {g: c for g, c in raw[n].items() if g != (S,)}
            continue
        left = defaultdict(set)
        for g in raw[n + 1]:
            left[g[1:]].add(g[0])
        count[n] = {g: (raw[n][g] if g[0] == S else len(left[g])) for g in raw[n] if g != (S,)}
    disc = {}
    for n in count:
        cc = Counter(count[n].values())
        D = [F(0), F(1, 2), F(1), F(3, 2)]
        if cc[1] and cc[2] and cc[3]:
            Y = F(cc[1], cc[1] + 2 * cc[2])
            E = [F(0)] + [i - (i + 1) * Y * F(cc[i + 1], cc[i]) for i in (1, 2, 3)]
            if min(E[1:]) > 0: D = E
        disc[n] = D
    def prob(w, h):
        if h is None: return F(1, vocab)
        n = len(h) + 1
        lower = prob(w, h[1:] if h else None)
        kids = {g[-1]: c for g, c in count[n].items() if g[:-1] == h}
        if not kids: return lower
        tot = sum(kids.values())
        D = lambda c: disc[n][min(c, 3)]
        gamma = sum(D(c) for c in kids.values()) / tot
        c = kids.get(w, 0)
        return (c - D(c)) / tot + gamma * lower
    def score(doc):
        s = (S,) + tuple(doc)
        return [float(prob(s[i], s[max(0, i - order + 1):i])) for i in range(1, len(s))]
    return disc, score

def markov(rng, vocab, docs, sharp):
    """Documents of a sparse random second-order source, so that counts repeat."""
    nxt = {}
    out = []
    for _ in range(docs):
        d = []
        for _ in range(rng.randint(0, 14)):
            key = tuple(d[-2:])
            if key not in nxt: nxt[key] = [rng.randrange(1, vocab) for _ in range(4)]
            d.append(rng.choice(nxt[key]) if rng.random() < sharp else rng.randrange(1, vocab))
        out.append(d + [0])
    return out

cases = []
for seed, vocab, ndocs, order, sharp in [(1, 12, 150, 5, .9), (2, 200, 60, 3, .8), (3, 7, 3, 5, .9), (4, 30, 40, 1, .9), (5, 40, 80, 2, .7)]:
    rng = random.Random(seed)
    docs = markov(rng, vocab, ndocs, sharp)
    held = markov(random.Random(seed), vocab, 6, sharp)[:4] + markov(random.Random(seed + 100), vocab, 4, .5) + [[vocab - 1, vocab - 1, 0, 3, 0], []]
    disc, score = fit(docs, order, vocab)
    probs = [score(d) for d in held]
    cases.append({"vocab": vocab, "order": order, "docs": docs, "held": held,
                  "discounts": [[float(x) for x in disc[n]] for n in sorted(disc)],
                  "probs": probs, "log_probs": [sum(map(math.log, p)) for p in probs]})
print(json.dumps(cases, separators=(",", ":")))
