"""Reference values for eval.Dictionary, made once with NLTK.

    python dictionary.py > dictionary.json

No sentence has a word twice: NLTK counts the probabilities of such a word twice. The version used is
in dictionary.json.
"""
import json, nltk, random
from nltk.translate import AlignedSent, IBMModel1

rng = random.Random(3)
words = {"das": "the", "haus": "house", "buch": "book", "klein": "small", "ist": "is", "ein": "a", "hund": "dog", "läuft": "runs", "nicht": "not"}
source, target = [], []
for _ in range(60):
    s = rng.sample(list(words), rng.randint(1, 6))
    t = [words[w] for w in s if rng.random() < .9] + ([rng.choice(["of", "by"])] if rng.random() < .3 else [])
    rng.shuffle(t)
    source.append(" ".join(s)); target.append(" ".join(t) or "the")
m = IBMModel1([AlignedSent(t.split(), s.split()) for s, t in zip(source, target)], 5)
best = {}
for f in words:
    e = max(m.translation_table, key=lambda e: m.translation_table[e][f])
    best[f] = [e, m.translation_table[e][f]]
print(json.dumps({"versions": {"nltk": nltk.__version__}, "source": source, "target": target, "steps": 5, "best": best}, ensure_ascii=False))
