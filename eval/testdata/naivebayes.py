"""Reference values for eval.NaiveBayes, made once with scikit-learn.

    python naivebayes.py > naivebayes.json

The versions used are in naivebayes.json.
"""
import json, platform, random
import numpy as np, sklearn
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

rng = random.Random(4)
common = "the of a is to and returns it if not error with for value which".split()
topic = [["Conn", "dial", "listener", "socket", "네트워크"], ["hash", "Cipher", "block", "key", "Größe"],
         ["token", "parser", "AST", "node", "файл"], ["goroutine", "stack", "GC", "heap", "mcache"]]
def make(n, words):
    texts, labels = [], []
    for _ in range(n):
        y = rng.choices(range(4), [5, 3, 2, 2])[0]
        w = [rng.choice(topic[y] if rng.random() < .2 else rng.choice(topic) if rng.random() < .2 else common) for _ in range(rng.randint(3, words))]
        w = [x.upper() if rng.random() < .1 else x for x in w]
        texts.append("".join(x + rng.choice([" ", ", ", "_", ".", "42", " — ", "\n"]) for x in w))
        labels.append(y)
    return texts, labels
train, validation, test = make(90, 10), make(60, 10), make(40, 10)
test[0].extend(["", "unseen words only", "42 — !"]); test[1].extend([0, 0, 0])

cv = CountVectorizer(lowercase=True, token_pattern=r"[^\W\d_]+")
X = cv.fit_transform(train[0])
def fit(a): return MultinomialNB(alpha=a).fit(X, train[1])
def key(a):
    p = fit(a).predict_log_proba(cv.transform(validation[0]))
    return (int((p.argmax(1) == validation[1]).sum()), float(p[np.arange(60), validation[1]].sum()))
grid = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2]
alpha = max(grid, key=key)
nb = fit(alpha)
T = cv.transform(test[0])
D = lambda s: {"texts": s[0], "labels": s[1]}
print(json.dumps({"versions": {"python": platform.python_version(), "numpy": np.__version__, "sklearn": sklearn.__version__},
    "train": D(train), "validation": D(validation), "test": D(test), "grid": [[a, *key(a)] for a in grid], "alpha": alpha,
    "predicted": nb.predict(T).tolist(), "probs": nb.predict_proba(T).tolist()}, ensure_ascii=False))
