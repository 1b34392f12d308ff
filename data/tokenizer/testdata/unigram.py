# Trains SentencePiece's unigram model on parts of data sets and writes unigram.json:
# the log-likelihood (sum of the scores of the best segmentation) of the rest.
#
# Made with Python 3.11, sentencepiece 0.2.3:
#   python unigram.py DIR      DIR holds wikitext2, ag_news and nsmc_rebuilt
#
# Every tenth line is held out. "<unk>" in WikiText is made "unk", as SentencePiece
# takes the first for its own. WikiText comes cut into words: SentencePiece's tokens to
# begin with are only the strings that more than one character follows, and so not "▁that",
# which a blank always follows there. The other sets are text as written.
import gzip, json, os, sys, tempfile
import sentencepiece as spm

out = []
for name, files, size in [("wikitext2", ["wikitext2/test.txt", "wikitext2/valid.txt"], 5000), ("ag_news", ["ag_news/test.csv"], 8000), ("nsmc", ["nsmc_rebuilt/reviews_lm.txt.gz"], 8000)]:
    lines = []
    for f in files:
        path = os.path.join(sys.argv[1], f)
        with (gzip.open if f.endswith(".gz") else open)(path, "rb") as r:
            lines += [l.decode("utf-8").replace("<unk>", "unk") for l in r]
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/text", "w") as w:
            w.writelines(l for i, l in enumerate(lines) if i % 10 != 9)
        spm.SentencePieceTrainer.train(input=d + "/text", model_prefix=d + "/sp", vocab_size=size, model_type="unigram", num_threads=2,
            minloglevel=2, max_sentence_length=100000)
        sp = spm.SentencePieceProcessor(model_file=d + "/sp.model")
    scores = [sp.get_score(i) for i in range(len(sp))]
    low = min(scores) - 10
    ids = [i for l in lines[9::10] for i in sp.encode(l.strip())]
    out.append({"set": name, "files": files, "vocab_size": size, "tokens": len(ids), "unknown": sum(i == sp.unk_id() for i in ids),
        "log_likelihood": sum(low if i == sp.unk_id() else scores[i] for i in ids)})
    print(out[-1])
with open(os.path.dirname(os.path.abspath(__file__)) + "/unigram.json", "w") as f:
    json.dump(out, f, indent=1)
