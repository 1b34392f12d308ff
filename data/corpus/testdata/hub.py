"""Writes hub.json: into which splits datasets puts the files of repositories, by their cards.

Made with Python 3.11, datasets 5.2.0, huggingface_hub 2.4.0:  python hub.py
"""
import json
import os
import tempfile

from datasets import load_dataset_builder

GLUE = """configs:
- config_name: cola
  data_files:
  - split: train
    path: cola/train-*
  - split: validation
    path: cola/validation-*
- config_name: ax
  data_files:
  - split: test
    path: [ax/test-*, "ax/more/**/*.jsonl"]
- config_name: mnli
  data_files:
  - split: train
    path: mnli/train-*
  - split: validation_matched
    path: mnli/validation_matched-*
  - split: validation_mismatched
    path: mnli/validation_mismatched-*
"""
GLUE_FILES = """cola/train-00000-of-00001.jsonl cola/validation-00000-of-00001.jsonl ax/test-00000-of-00001.jsonl
ax/more/a.jsonl ax/more/b/c.jsonl ax/more/.hidden.jsonl mnli/train-00000-of-00002.jsonl mnli/train-00001-of-00002.jsonl
mnli/validation_matched-00000-of-00001.jsonl mnli/validation_mismatched-00000-of-00001.jsonl LICENSE.md"""

CASES = [  # name, files, front matter, configuration
    ["no card", "train.jsonl test.jsonl", None, None],
    ["sharded", "data/train-00000-of-00002.jsonl data/train-00001-of-00002.jsonl data/test-00000-of-00001.jsonl extra.jsonl", "license: mit\n", None],
    ["sharded, another split", "data/train-00000-of-00001.jsonl data/unsupervised-00000-of-00001.jsonl", "", None],
    ["directories", "train/a.jsonl train/b.jsonl dev/a.jsonl test/x.jsonl", "", None],
    ["plain", "a.jsonl b.jsonl sub/c.jsonl .hidden/d.jsonl __old/e.jsonl", "", None],
    ["one configuration", "a/x.jsonl b/y.jsonl", "configs:\n- config_name: only\n  data_files: a/*.jsonl\n", None],
    ["default", "a/x.jsonl b/y.jsonl", "configs:\n- config_name: one\n  data_files: a/*.jsonl\n- config_name: default\n  data_files: b/*\n", None],
    ["called default", "a/x.jsonl b/y.jsonl", "configs:\n- config_name: one\n  default: true\n  data_files: a/*.jsonl\n- config_name: two\n  data_files: b/*\n", None],
    ["named", "a/x.jsonl b/y.jsonl", "configs:\n- config_name: one\n  data_files: a/*.jsonl\n- config_name: default\n  data_files: b/*\n", "one"],
    ["none named", GLUE_FILES, GLUE, None],
    ["wrong name", GLUE_FILES, GLUE, "sst2"],
    ["cola", GLUE_FILES, GLUE, "cola"],
    ["ax", GLUE_FILES, GLUE, "ax"],
    ["mnli", GLUE_FILES, GLUE, "mnli"],
    ["directory of a configuration", "en/train.jsonl en/test.jsonl ko/train.jsonl", "configs:\n- config_name: en\n  data_dir: en\n- config_name: ko\n  data_dir: ko\n", "en"],
    ["directory and files", "en/train.jsonl en/test.jsonl ko/train.jsonl", "configs:\n- config_name: ko\n  data_files: ko/*\n- config_name: en\n  data_dir: en\n  data_files:\n  - split: test\n    path: t*t.jsonl\n", "en"],
    ["list of patterns", "a.jsonl b.jsonl c.jsonl", "configs:\n- config_name: c\n  data_files: [b.jsonl, a.jsonl]\n", None],
    ["no such file", "a.jsonl", "configs:\n- config_name: c\n  data_files: b.jsonl\n", None],
    ["sets and marks", "p1.jsonl p2.jsonl px.jsonl q1.jsonl", "configs:\n- config_name: c\n  data_files:\n  - split: train\n    path: p[0-9].jsonl\n  - split: test\n    path: \"?x.jsonl\"\n", None],
    ["deep", "a.jsonl b/a.jsonl b/c/a.jsonl b/c/d.jsonl", "configs:\n- config_name: c\n  data_files: \"**/a.jsonl\"\n", None],
    ["all below", "a.jsonl b/a.jsonl b/c/a.jsonl", "configs:\n- config_name: c\n  data_files: \"b/**\"\n", None],
    ["what is no data", "d/a.jsonl d/README.md d/picture.xyz d/dataset_info.json", "configs:\n- config_name: c\n  data_files: d/*\n", None],
    ["two formats", "train.jsonl test.jsonl notes.txt", "", None],
    ["two splits in a name", "train/test/a.jsonl b.jsonl", "", None],
]

out = []
for name, files, card, config in CASES:
    case = {"name": name, "files": files.split(), "card": card, "config": config}
    with tempfile.TemporaryDirectory(prefix="x") as root, tempfile.TemporaryDirectory() as cache:
        for f in case["files"]:
            path = os.path.join(root, f)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            open(path, "w").write('{"text": "a"}\n')
        if card is not None:
            open(os.path.join(root, "README.md"), "w").write("---\n" + card + "---\n# A card\n")
        try:
            builder = load_dataset_builder(root, config, cache_dir=cache)
            case["splits"] = {str(s): sorted(os.path.relpath(f, root) for f in fs) for s, fs in builder.config.data_files.items()}
        except Exception as e:
            case["error"] = type(e).__name__
    out.append(case)
json.dump(out, open("hub.json", "w"), indent=1, ensure_ascii=False)
