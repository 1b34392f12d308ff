"""Writes splits.json: into which splits datasets puts a set of one file, by the file's name.

Made with Python 3.11, datasets 5.2.0:  python splits.py
"""
import json
import os
import tempfile

from datasets.data_files import DataFilesList, get_data_patterns

NAMES = """train.jsonl training.csv reviews_train.jsonl train-00000-of-00002.parquet validation.jsonl valid.txt val.jsonl
dev.tsv eval.jsonl evaluation.jsonl en_ewt-ud-dev.json reviews_validation.jsonl test.jsonl testing.jsonl wiki.test.txt
test1.jsonl 2test.jsonl reviews-test.jsonl.gz developers.jsonl testimonials.jsonl valids.jsonl latest.jsonl other.jsonl
pretrain.jsonl value.jsonl testé.jsonl train-test.arrow test/a.jsonl dev/neg/0_9.txt en/test-00/a.jsonl data/train-1.arrow
train/driving-test.txt test/train-journey.txt contests/a.txt train/test/a.txt""".split() + ["my test.csv"]

out = {}
for name in NAMES:
    with tempfile.TemporaryDirectory(prefix="x") as root:
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "w").close()
        out[name] = [str(split) for split, patterns in get_data_patterns(root).items() if len(DataFilesList.from_patterns(patterns, base_path=root))]
json.dump(out, open("splits.json", "w"), indent=1, ensure_ascii=False)
