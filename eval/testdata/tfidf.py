"""Reference values for eval.TFIDF, made once with scikit-learn.

    python tfidf.py > tfidf.json

The versions used are in tfidf.json.
"""
import json, platform, random
import numpy as np, scipy.sparse as sp, sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

rng = random.Random(7)
common = "the of a is to and returns it if not error with for value which".split()
topic = [["Conn", "dial", "listener", "socket", "네트워크를"], ["hash", "Cipher", "block_1", "key", "Größe"], ["token", "parser", "AST", "node2", "файл"]]
def text(y):
    w = [rng.choice(topic[y] if rng.random() < .2 else rng.choice(topic) if rng.random() < .2 else common) for _ in range(rng.randint(3, 10))]
    return "".join(x + rng.choice([" ", ", ", ".", "42", " — ", "\n"]) for x in w)
def make(n, classes):
    y = [rng.randrange(classes) for _ in range(n)]
    return [text(k) for k in y], [text(k) for k in y], y
cases = []
for classes, pairs, characters, c in [(3, False, False, 1), (3, False, True, 10), (2, False, False, 10), (2, True, False, 1), (3, True, True, 1)]:
    a, b, y = make(60, classes)
    ta, tb, _ = make(15, classes); ta[0] = tb[0] = ""; ta[1] = "unseen 한"
    v = TfidfVectorizer(min_df=2, **(dict(analyzer="char_wb", ngram_range=(2, 4)) if characters else dict(ngram_range=(1, 2))))
    v.fit(a + b if pairs else a)
    def X(s, t):
        s = v.transform(s)
        if not pairs: return s
        t = v.transform(t)
        return sp.hstack([s, t, s.multiply(t)]).tocsr()
    m = LogisticRegression(C=c, tol=1e-10, max_iter=10000).fit(X(a, b), y)
    cases.append({"classes": classes, "pairs": pairs, "characters": characters, "c": c, "features": X(a, b).shape[1],
        "train": {"texts": a, "seconds": b if pairs else None, "labels": y}, "texts": ta, "seconds": tb, "probs": m.predict_proba(X(ta, tb)).tolist()})
print(json.dumps({"versions": {"python": platform.python_version(), "numpy": np.__version__, "sklearn": sklearn.__version__}, "cases": cases}, ensure_ascii=False))
