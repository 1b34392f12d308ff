# Trains byte-level BPE with Hugging Face's tokenizers on whole data sets and writes
# train.json: for each the hash of its merges, in order, one "a b" a line.
#
# Made with Python 3.11, tokenizers 0.23.3:
#   python train.py DIR      DIR holds wikitext2, multi30k, nsmc_rebuilt, …
#
# The documents are the lines of the files, with their ends.
import gzip, hashlib, json, os, sys
from tokenizers import Tokenizer, models, trainers, pre_tokenizers

SETS = {
    "wikitext2": ["wikitext2/test.txt", "wikitext2/valid.txt"],
    "multi30k": ["multi30k/train_first20000.en.gz", "multi30k/train_first20000.de.gz"],
    "nsmc": ["nsmc_rebuilt/reviews_lm.txt.gz"],
    "korean_chatbot": ["korean_chatbot/ChatbotData.csv"],
    "kor_eng_tatoeba": ["kor_eng_tatoeba/kor.txt"],
}

def lines(files):
    for name in files:
        path = os.path.join(sys.argv[1], name)
        with (gzip.open if name.endswith(".gz") else open)(path, "rb") as f:
            for line in f:
                yield line.decode("utf-8")

out = []
for name, files in SETS.items():
    for size, least in [(8000, 0), (30000, 2)]:
        t = Tokenizer(models.BPE())
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        t.train_from_iterator(lines(files), trainers.BpeTrainer(vocab_size=size, min_frequency=least, show_progress=False,
            special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        model = json.loads(t.to_str())["model"]
        merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
        out.append({"set": name, "files": files, "vocab_size": size, "min_frequency": least, "tokens": len(model["vocab"]),
            "merges": len(merges), "sha256": hashlib.sha256("\n".join(merges).encode()).hexdigest()})
        print(out[-1])
with open(os.path.dirname(os.path.abspath(__file__)) + "/train.json", "w") as f:
    json.dump(out, f, indent=1)
