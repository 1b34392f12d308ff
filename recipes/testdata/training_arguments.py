"""Writes training_arguments.txt: the keys of transformers' TrainingArguments and its Seq2Seq kind.

    python training_arguments.py > training_arguments.txt
"""

import dataclasses

import transformers

print(f"# transformers {transformers.__version__}")
names = {f.name for c in (transformers.TrainingArguments, transformers.Seq2SeqTrainingArguments) for f in dataclasses.fields(c)}
for name in sorted(names):
    print(name)
