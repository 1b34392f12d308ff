"""Reference values for the metrics of tasks, made once with outside implementations.

    pip install scikit-learn scipy seqeval==1.2.2 sacrebleu==2.6.0 rouge-score==0.1.2 \
        pytrec-eval-terrier==0.5.11
    python metrics.py squad.py squad_v2.py korquad.py klue.py extraction.py > metrics.json

squad.py and squad_v2.py are compute_score.py of evaluate's metrics squad and squad_v2 (Hugging
Face, evaluate 0.4.6), korquad.py is KorQuAD's evaluate-v1.0.py as KoELECTRA has it
(finetune/src/evaluate_v1_0.py), klue.py is
klue_baseline/metrics/functional.py, extraction.py is lm_eval/filters/extraction.py of lm-eval
0.4.13. None of them is kept here. The versions used are in metrics.json.
"""
import json, platform, random, re, sys, types, warnings
import numpy as np, scipy, sklearn, sacrebleu, seqeval, pytrec_eval
from importlib.metadata import version
from scipy import stats
from sklearn import metrics as sk
from rouge_score import rouge_scorer, tokenizers
from sacrebleu.metrics import BLEU, CHRF
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2, IOBES

warnings.simplefilter("ignore")
def load(path): # without what it imports of its own package
    text = re.sub(r"(?m)^from (klue_baseline|\.|lm_eval)\S* import (\([^)]*\)|.*)$", "", open(path).read())
    m = types.ModuleType(path)
    m.__dict__.update(Filter=object, register_filter=lambda name: lambda c: c, DPResult=None, KlueMRCExample=None)
    exec(text, m.__dict__)
    return m
squad, squad2, korquad, klue, extraction = map(load, sys.argv[1:])
rng, rnd = np.random.default_rng(5), random.Random(5)
out = {"versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
    "sklearn": sklearn.__version__, **{p: version(p) for p in ["sacrebleu", "seqeval", "rouge-score", "pytrec-eval-terrier"]}}}

# single label: a class that is never true, one never predicted
t = rng.choice(5, 90, p=[.4, .3, .15, .15, 0]); p = np.where(rng.random(90) < .6, t, rng.choice(5, 90)); p = np.where(p == 3, 1, p)
out["weighted_f1"] = [{"truth": a.tolist(), "predicted": b.tolist(), "classes": 6, "f1": sk.f1_score(a, b, average="weighted")}
    for a, b in [(t, p), (t, np.zeros(90, int))]]

# labels of items: label 4 never true, label 5 neither true nor predicted
T = (rng.random((60, 6)) < [.5, .3, .2, .1, 0, 0]); P = np.where(rng.random((60, 6)) < .8, T, rng.random((60, 6)) < .3); P[:, 5] = False
out["multilabel"] = [{"truth": a.tolist(), "predicted": b.tolist(), "exact": sk.accuracy_score(a, b),
    **{k: sk.f1_score(a, b, average=k) for k in ["micro", "macro", "weighted"]}}
    for a, b in [(T, P), (T, np.zeros_like(T)), (T[:, :2], P[:, :2])]]

y = rng.random(80) < .35
out["ranking"] = [{"positive": y.tolist(), "score": s.tolist(), "auroc": sk.roc_auc_score(y, s), "ap": sk.average_precision_score(y, s)}
    for s in [y * .4 + rng.random(80), np.round(y * .4 + rng.random(80), 1), np.zeros(80)]]

a = np.round(rng.normal(3, 1, 70), 1); b = a * .5 + rng.normal(0, .8, 70)
out["regression"] = [{"truth": x.tolist(), "predicted": z.tolist(), "pearson": stats.pearsonr(x, z).statistic, "spearman": stats.spearmanr(x, z).statistic,
    "mse": sk.mean_squared_error(x, z), "mae": sk.mean_absolute_error(x, z)}
    for x, z in [(a, b), (a, np.round(b)), (a + 1e6, b * 1e-6), (a[:2], b[:2])]]

def tags(n, prefixes):
    return [rnd.choice(prefixes) + rnd.choice(["PER", "LOC", "ORG"]) if rnd.random() < .6 else "O" for _ in range(n)]
def near(seq, prefixes):
    return [x if rnd.random() < .8 else tags(1, prefixes)[0] for x in seq]
def case(prefixes, n):
    true = [tags(rnd.randint(1, 9), prefixes) for _ in range(n)]
    return true, [near(s, prefixes) for s in true]
def nan_to_none(x): return None if x != x else x # no type of entity at all
def entities(true, pred, **how):
    return {"f1": f1_score(true, pred, **how), "precision": precision_score(true, pred, **how), "recall": recall_score(true, pred, **how),
        "macro": nan_to_none(float(f1_score(true, pred, average="macro", **how))), "weighted": float(f1_score(true, pred, average="weighted", **how))}
out["entities"] = []
for scheme, prefixes, how in [("conlleval", ["B-", "I-"], {}), ("conlleval", ["B-", "I-", "E-", "S-"], {}), ("iob2", ["B-", "I-"], {"mode": "strict", "scheme": IOB2}),
                              ("iobes", ["B-", "I-", "E-", "S-"], {"mode": "strict", "scheme": IOBES})]:
    for true, pred in [case(prefixes, 60), ([["B-PER", "I-PER", "O"]], [["I-PER", "I-PER", "O"]]), ([["B-PER", "O"]], [["O", "O"]]), ([["O", "O"]], [["B-LOC", "O"]])]:
        out["entities"].append({"scheme": scheme, "truth": true, "predicted": pred, **entities(true, pred, **how)})
labels = ["B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-DT", "I-DT", "O"]
out["klue"] = []
for true, pred in [case(["B-", "I-"], 50), ([["B-PER"], ["I-PER", "O"]], [["B-PER"], ["I-PER", "O"]])]:
    flat = lambda s: [labels.index(x) for q in s for x in q]
    out["klue"].append({"labels": labels, "truth": true, "predicted": pred,
        "entity": float(klue.klue_ner_entity_macro_f1(flat(pred), flat(true), labels)) / 100, "char": float(klue.klue_ner_char_macro_f1(flat(pred), flat(true), labels)) / 100})

golds = [["Denver Broncos", "The Denver Broncos"], ["the"], ["a cat, an apple"], ["1966–1969"], ["Saint-Étienne"], ["ΟΔΥΣΣΕΥΣ İstanbul"], ["the theatre's an-the a_b"],
         ["《훈민정음》 해례본"], ["'세종' (世宗)"], ["서울특별시 강남구"], ["1,234.5 m²"], ["<b>굵게</b>"], ["New  York\u00a0City"], ["U.S."]]
preds = ["the Broncos of Denver", "a", "cat and apple", "1966-1969", "saint étienne", "οδυσσευς i̇stanbul", "theatre an the ab",
         "훈민정음 해례본", "세종 世宗 대왕", "서울 특별시", "1234.5 m2", "b굵게b", "new york city", "us"]
qa = lambda p, g: ({str(i): x for i, x in enumerate(p)}, [{"paragraphs": [{"qas": [{"id": str(i), "answers": [{"text": t, "answer_start": 0} for t in a]} for i, a in enumerate(g)]}]}])
out["answers"] = []
def score(script, p, g):
    pred, data = qa(p, g)
    row = {"script": script, "predicted": p, "answers": g}
    if script == "squad":
        r = squad.compute_score(dataset=data, predictions=pred)
        row.update(exact=r["exact_match"] / 100, f1=r["f1"] / 100)
    elif script == "korquad":
        r = korquad.evaluate(data, pred)
        row.update(exact=r["official_exact_match"] / 100, f1=r["official_f1"] / 100)
    else:
        for q in data[0]["paragraphs"][0]["qas"]: q["answers"] = {"text": [a["text"] for a in q["answers"]]}
        ex, f = squad2.get_raw_scores(data, pred)
        has = squad2.make_qid_to_has_ans(data)
        mean = lambda d, want: float(np.mean([v for k, v in d.items() if want is None or has[k] == want] or [0]))
        row.update(exact=mean(ex, None), f1=mean(f, None), has_exact=mean(ex, True), has_f1=mean(f, True), no_answer=mean(ex, False))
    out["answers"].append(row)
for s in ["squad", "korquad"]:
    score(s, preds, golds)
    for p, g in zip(preds, golds): score(s, [p], [g])
    score(s, ["", "x"], [["the", "a"], ["y"]])
score("squad2", preds + ["", "something", "a"], golds + [[], [], []])
score("squad2", ["the", "", "x"], [["a"], [], [""]])

texts = ["so 3+4=7\n#### 7", "The answer is $1,234.50.", "#### 1,000\nand more 5", "#### -12.", "none", "12 or 13", "x #### 5 #### 6", "3.", "-$4", "#### 1 234", "#### ٣", "1/2"]
answers = ["steps\n#### 7", "#### 1234.50", "#### 1000", "#### -12", "#### 0", "#### 13", "#### 6", "#### 3", "#### -4", "#### 1", "#### 3", "#### 2"]
ignore = [",", r"\$", r"(?s).*#### ", r"\.$"]
def plain(s):
    for r in ignore: s = re.sub(r, "", s)
    return s.lower()
out["numeric"] = []
for rule, f in [("strict", extraction.RegexFilter()), ("flexible", extraction.RegexFilter(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", group_select=-1))]:
    got = [r[0] for r in f.apply([[x] for x in texts], [{}] * len(texts))]
    out["numeric"].append({"rule": rule, "texts": texts, "answers": answers, "right": [plain(g) == plain(x) for g, x in zip(got, answers)]})

hyps = ["The cat sat on the mat.", "It's 3.5%, isn't it?  Yes-no 1990-95.", "고양이가 매트 위에 앉았다.", "a &quot;b&quot; &amp;lt; c <skipped> d-\ne\nf", "Ünïcödé “quotes” — dash… (hi)!", "", "one", "x y z w v u", "你好，世界。", "trailing space   "]
refs = [["The cat is on the mat.", "A cat sat on a mat."], ["It is 3.5 %, is not it? Yes, no: 1990-95.", "It's 3.5%, isn't it?"], ["고양이가 매트에 앉아 있었다.", "고양이는 매트 위에 앉았다!"], ['a "b" < c de f', "a b c"],
        ["Unicode “quotes” – dash... hi!", "Ünïcödé quotes"], ["not empty", "is"], ["one", "two"], ["x y z w v u", "x y z"], ["你好世界。", "你好，世界！"], ["trailing space", "space"]]
def corpora():
    yield hyps, refs
    yield hyps, [r[:1] for r in refs]
    yield ["a b c"], [["d e f"]]
    yield ["a b c"], [["a b c"]]
    yield ["a b c d e"], [["a b x d e f g"]]
    yield ["", ""], [["", ""], ["a", "b"]]
    for h, r in zip(hyps, refs): yield [h], [r]
out["translation"] = []
for h, r in corpora():
    row = {"texts": h, "references": r}
    streams = [list(x) for x in zip(*r)]
    for name, m in [("bleu", BLEU()), ("bleu_char", BLEU(tokenize="char")), ("chrf", CHRF()), ("chrf++", CHRF(word_order=2))]:
        row[name] = m.corpus_score(h, streams).score
        row[name + "_signature"] = str(m.get_signature())
    out["translation"].append(row)

class Unicode(tokenizers.Tokenizer):
    def tokenize(self, text):
        import unicodedata
        return "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text.lower()).split()
summaries = [("the cat sat\non the mat mat\nthe end", "a cat was sitting\non the mat the mat\n\nend"), ("police killed the gunman", "police kill the gunman"), ("gunman the killed police", "police killed the gunman"),
    ("Élan vital, 3.5 m²", "elan VITAL 3 5"), ("", "x"), ("a b c d e f g", "g f e d c b a"), ("w1 w2 w3 w4 w5\nw1 w3 w8 w9 w5", "w1 w2 w6 w7 w8\nw1 w2 w3"), ("...", "..!")]
korean = [("고양이가 매트 위에 앉았다.", "고양이는 매트 위에 앉았다."), ("नमस्ते दुनिया ok", "नमस्ते ok दुनिया")]
kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
out["rouge"] = []
for name, scorer, cases in [("rouge", rouge_scorer.RougeScorer(kinds), summaries), ("unicode", rouge_scorer.RougeScorer(kinds, tokenizer=Unicode()), summaries + korean)]:
    for pred, ref in cases:
        s = scorer.score_multi([ref, ref[::-1]], pred)
        out["rouge"].append({"tokenizer": name, "text": pred, "references": [ref, ref[::-1]], "f1": [float(s[k].fmeasure) for k in kinds]})

pr = rng.dirichlet([1, 1, 1], 40); lab = rng.choice(3, 40)
out["brier"] = {"probabilities": pr.tolist(), "truth": lab.tolist(), "brier": sk.brier_score_loss(lab, pr, labels=[0, 1, 2], scale_by_half=False)}

out["retrieval"] = []
for k in [1, 3, 10]:
    queries = []
    for q in range(12):
        docs = [f"d{i}" for i in range(15)]
        rel = {d: rnd.choice([0, 0, 0, 1, 2, -1]) for d in rnd.sample(docs, 9)}; rel["d3"] = 1 + q % 2
        run = {d: float(rnd.choice([0.5, 0.25, rnd.random(), 1 + 1e-9, 1])) for d in rnd.sample(docs, rnd.randint(1, 15))}
        e = pytrec_eval.RelevanceEvaluator({"q": rel}, {f"ndcg_cut.{k}", "recip_rank", f"recall.{k}"}).evaluate({"q": run})["q"]
        rr = e["recip_rank"] if e["recip_rank"] >= 1 / k - 1e-9 else 0.0 # of the first k
        queries.append({"Scores": run, "Relevance": rel, "ndcg": e[f"ndcg_cut_{k}"], "mrr": rr, "recall": e[f"recall_{k}"]})
    out["retrieval"].append({"k": k, "queries": queries})
print(json.dumps(out, ensure_ascii=False, allow_nan=False))
