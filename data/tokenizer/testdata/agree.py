"""Compares with Hugging Face's library: tokenizers 0.23.3, sentencepiece 0.2.3, Python 3.11.7.

    python agree.py make           trains the small tokenizers of agree/
    python agree.py hash [CASE…]   agree/cases.json: a hash for each case and class of lines
    python agree.py full CASE…     the same of all lines of the classes that are long: 10,000 random strings and
                                   500 words of 100,000 characters; takes minutes for each case ($CLASS: one class alone)
    python agree.py sets DIR CASE… agree/sets.json: a hash for each case and each text file of DIR, the data sets,
                                   where it is not there yet; then, for these two,
                                   HONE_AGREE_ALL=1 go test -timeout 0 -run TestAgree ./data/tokenizer
    python agree.py dump OUT FILE… OUT/N.jsonl: what the library gives for each FILE (a tokenizer.json)
                                   on all classes ($LONG: so many long lines) and the lines of the files in $CORPUS; then
                                   HONE_AGREE=OUT go test -run TestAgreeDump ./data/tokenizer

The lines are made by the same generator as in agree_test.go. Cases with a "file" are tokenizers in use: $HONE_TOKENIZERS
names a directory of them, written by real.py, and another such is DATA/tokenizers.
"""
import gzip
import hashlib
import json
import os
import sys
from array import array

from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))


class Random:
    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n


CLASSES = json.load(open(os.path.join(HERE, "agree", "classes.json")))


def lines(number, c, key="lines"):
    """Lines of atoms: literal strings, or pairs of code points that bound a range."""
    r = Random(number + 1)
    for _ in range(c.get(key, c["lines"])):
        line = []
        for _ in range(1 + r.below(c["atoms"])):
            a = c["from"][r.below(len(c["from"]))]
            if isinstance(a, str):
                line.append(a)
                continue
            for _ in range(1 + r.below(a[2])):
                p = a[0] + r.below(a[1] - a[0] + 1)
                line.append(chr(p) if not 0xD800 <= p < 0xE000 else "\ufffd")
        text = "".join(line)
        if "length" in c:
            while len(text) < c["length"]:
                text += text
            text = text[: c["length"]]
        yield text


def record(t, line, special=True):
    e = t.encode(line, add_special_tokens=special)
    return [e.ids, e.offsets, t.decode(e.ids, skip_special_tokens=False)]


def digest(records):
    h = hashlib.sha256()
    for ids, offsets, text in records:
        h.update((",".join(map(str, ids)) + "|" + ",".join(["%d-%d" % o for o in offsets]) + "|" + text + "\n").encode())
    return h.hexdigest()[:16]


def texts(directory):
    """The text files of the data sets: name, size, lines."""
    for root, dirs, files in sorted(os.walk(directory)):
        dirs[:] = [d for d in dirs if d != "tokenizers"]
        for f in sorted(files):
            if f == "README.md" and root == directory:  # it describes the sets
                continue
            path = os.path.join(root, f)
            with (gzip.open if f.endswith(".gz") else open)(path, "rb") as r:
                data = r.read()
            if not f.endswith(".zip"):
                text = data.decode("utf-8", "replace").split("\n")
                yield os.path.relpath(path, directory), len(data), text[:-1] if text[-1] == "" else text


def digest_sets(t, text):
    h = hashlib.sha256()
    for i in range(0, len(text), 256):
        batch = t.encode_batch(text[i : i + 256])
        for e, s in zip(batch, t.decode_batch([e.ids for e in batch], skip_special_tokens=False)):
            h.update(array("i", e.ids).tobytes() + array("i", [x for o in e.offsets for x in o]).tobytes() + s.encode() + b"\n")
    return h.hexdigest()[:16]


def sets(directory, names):
    cases = {c["name"]: c for c in json.load(open(os.path.join(HERE, "agree", "cases.json")))}
    out = os.path.join(HERE, "agree", "sets.json")
    found = {f["file"]: f for f in json.load(open(out))} if os.path.exists(out) else {}
    for name in names:
        t = case(cases[name])
        t.no_truncation(), t.no_padding()
        for path, size, text in texts(directory):
            f = found.setdefault(path, {"file": path, "bytes": size, "lines": len(text), "hashes": {}})
            if name not in f["hashes"]:
                f["hashes"][name] = digest_sets(t, text)
        with open(out, "w") as w:
            w.write("[\n" + ",\n".join(json.dumps(f) for f in found.values()) + "\n]\n")
        print(name, flush=True)


def case(c):
    if "file" in c:
        paths = [os.path.join(d, c["file"]) for d in ("/".join([HERE] + [".."] * 4 + ["shared/data/tokenizers"]), os.environ.get("HONE_TOKENIZERS", ""))]
        with open(next(p for p in paths if os.path.exists(p)), "rb") as f:
            data = f.read()
        if hashlib.sha256(data).hexdigest() != c.setdefault("sha256", hashlib.sha256(data).hexdigest()):
            sys.exit(c["file"] + " is another file")
        t = Tokenizer.from_str((gzip.decompress(data) if c["file"].endswith(".gz") else data).decode())
        t.no_truncation(), t.no_padding()
        return t
    d = json.load(open(os.path.join(HERE, c["base"])))
    d.update(c.get("sections", {}))
    d["model"].update(c.get("model", {}))
    return Tokenizer.from_str(json.dumps(d))


def make():
    import tempfile

    import sentencepiece as spm
    from tokenizers import Regex, models, normalizers, pre_tokenizers, trainers

    docs = json.load(open(os.path.join(HERE, "docs.json")))
    for i, c in enumerate(CLASSES):
        if c["name"] not in ("long", "random"):
            docs += lines(i, c)[:150]
    out = os.path.join(HERE, "agree")

    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(docs, trainers.WordPieceTrainer(vocab_size=1500, limit_alphabet=700, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    t.save(os.path.join(out, "wordpiece.json"))

    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.train_from_iterator(docs, trainers.WordLevelTrainer(vocab_size=800, special_tokens=["<unk>", "<s>"], show_progress=False))
    t.save(os.path.join(out, "wordlevel.json"))

    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(docs, trainers.BpeTrainer(vocab_size=1500, limit_alphabet=300, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False))
    t.save(os.path.join(out, "suffix.json"))

    t = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"))
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(docs, trainers.BpeTrainer(vocab_size=1500, limit_alphabet=300, special_tokens=["<unk>"], continuing_subword_prefix="##", show_progress=False))
    t.save(os.path.join(out, "prefix.json"))

    tmp = tempfile.mkdtemp()
    with open(tmp + "/docs.txt", "w") as f:
        f.write("\n".join(d.replace("\0", " ") for d in docs))
    with open(tmp + "/rules.tsv", "w") as f:  # some of NFKC, and pairs that compose
        for a, b in [("ﬁ", "fi"), ("ﬀ", "ff"), ("™", "TM"), ("㎏", "kg"), ("Ａ", "A"), ("ａ", "a"), ("　", " "), ("\t", " "), ("e\u0301", "é"), ("o\u0302\u0301", "ố"), ("①", "1"), ("\u200b", " "), ("ｶﾞ", "ガ"), ("a\u0308", "ä"), ("\u212b", "\u00c5"), ("\u00ad", "")]:
            f.write(" ".join("%X" % ord(x) for x in a) + "\t" + " ".join("%X" % ord(x) for x in b) + "\n")
    common = dict(input=tmp + "/docs.txt", minloglevel=2, max_sentence_length=10**6)
    spm.SentencePieceTrainer.train(model_prefix=os.path.join(out, "unigram"), model_type="unigram", vocab_size=1200, character_coverage=0.98, normalization_rule_tsv=tmp + "/rules.tsv", **common)
    spm.SentencePieceTrainer.train(model_prefix=os.path.join(out, "bytes"), model_type="unigram", vocab_size=1200, character_coverage=0.98, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, **common)
    spm.SentencePieceTrainer.train(model_prefix=os.path.join(out, "fallback"), model_type="bpe", vocab_size=1400, character_coverage=0.98, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, user_defined_symbols=["<user>"], **common)
    for name in ("unigram", "bytes", "fallback"):
        os.remove(os.path.join(out, name + ".vocab"))


def main():
    if sys.argv[1] == "make":
        return make()
    if sys.argv[1] == "sets":
        return sets(sys.argv[2], sys.argv[3:])
    if sys.argv[1] in ("hash", "full"):
        path = os.path.join(HERE, "agree", "cases.json")
        cases = json.load(open(path))
        made = [(c["name"], list(lines(i, c, "hashed"))) for i, c in enumerate(CLASSES)]
        for c in cases:
            if len(sys.argv) > 2 and c["name"] not in sys.argv[2:]:
                continue
            t = case(c)
            if sys.argv[1] == "full":
                for i, k in enumerate(CLASSES):
                    if "hashed" in k and os.environ.get("CLASS", k["name"]) == k["name"]:
                        c.setdefault("full", {})[k["name"]] = digest(record(t, l) for l in lines(i, k))
                print(c["name"], flush=True)
                continue
            c["hashes"] = {name: digest(record(t, l) for l in ls) for name, ls in made if name not in c.get("without", [])}
            if c.get("pair"):
                c["pair"] = digest([[e.ids, e.offsets, " ".join(map(str, e.type_ids))] for e in (t.encode(a, b) for a, b in zip(made[0][1], made[1][1]))])
            print(c["name"], flush=True)
        with open(path, "w") as f:
            f.write("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]\n")
        return
    out, files = sys.argv[2], sys.argv[3:]
    corpus = []
    for p in os.environ.get("CORPUS", "").split(":"):
        if p:
            corpus += open(p, encoding="utf-8", errors="replace", newline="\n").read().split("\n")
    for c in CLASSES:
        if c["name"] == "long" and "LONG" in os.environ:
            c["lines"] = int(os.environ["LONG"])
    made = [(c["name"], list(lines(i, c))) for i, c in enumerate(CLASSES)] + [("corpus", corpus)]
    os.makedirs(out, exist_ok=True)
    for n, p in enumerate(files):
        t = Tokenizer.from_file(p)
        t.no_truncation(), t.no_padding()
        with open(os.path.join(out, "%d.jsonl" % n), "w") as f:
            f.write(json.dumps({"file": os.path.abspath(p)}) + "\n")
            for name, ls in made:
                for l in ls:
                    f.write(json.dumps([name, l] + record(t, l)) + "\n")
        print(p, flush=True)


main()
