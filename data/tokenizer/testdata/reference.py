"""Makes the values that the tests compare with, by Hugging Face's library.

Made with tokenizers 0.23.3 and Python 3.11.7; docs.json holds doc comments of Go's
net/http (copyright The Go Authors, licence in LICENSE.docs) and lines of our own.

    python reference.py            docs.json → tokenizer.json, merges5.json; lines.json → vectors.json
    python reference.py GPT2.json  also lines.json → gpt2_vectors.json
"""
import json
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


def train(docs, **options):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(
        docs,
        trainers.BpeTrainer(
            special_tokens=["<|endoftext|>", "<|user|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
            **options,
        ),
    )
    return t


def vectors(t, lines, name):
    out = []
    for text in lines:
        ids = t.encode(text).ids
        out.append({"text": text, "ids": ids, "decoded": t.decode(ids, skip_special_tokens=False)})
    with open(name, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(v) for v in out) + "\n]\n")


docs, lines = json.load(open("docs.json")), json.load(open("lines.json"))
t = train(docs, vocab_size=2048)
with open("tokenizer.json", "w") as f:
    f.write(t.to_str() + "\n")
vectors(t, lines, "vectors.json")
# A minimum frequency ends training before the vocabulary is full.
with open("merges5.json", "w") as f:
    merges = json.loads(train(docs, vocab_size=5000, min_frequency=5).to_str())["model"]["merges"]
    json.dump([" ".join(m) for m in merges[-20:]] + [len(merges)], f)
if len(sys.argv) > 1:
    vectors(Tokenizer.from_file(sys.argv[1]), lines, "gpt2_vectors.json")
