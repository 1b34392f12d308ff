"""Writes the files of this directory and expected.json, what they hold.

Made with Python 3.11, pyarrow 26.0.1, datasets 5.2.0 and polars 2.1.0:  python make.py
"""
import json
import os
import shutil

import datasets
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq

TEXT = ["Plain words.", None, "파일을 읽어 보여 준다.", "", 'quotes " and, commas\nand lines\ttabs',
        "a text that is longer than twelve bytes", "mañana 🙂"]
N = len(TEXT)
ROWS = {
    "text": TEXT,
    "label": [1, 0, None, -4, 5, 6, 7],
    "score": [0.5, None, -1.25, 3e10, 0.0, 2.5, 1e-3],
    "flag": [True, None, False, True, True, False, True],
    "ids": [[1, 2, 50256], [], None, [7], [8, 9], [0], [65535]],
    "messages": [[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "안녕"}], [], None,
                 [{"role": "user", "content": ""}], [{"role": "system", "content": "s"}],
                 [{"role": "user", "content": None}], [{"role": "user", "content": "longer than twelve bytes"}]],
}
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
expected = {}


def note(name, **changes):
    expected[name] = {**ROWS, **changes}
    expected[name] = {k: v for k, v in expected[name].items() if v is not ...}


def table(text=pa.string(), ids=pa.list_(pa.uint16()), score=pa.float64()):
    return pa.table({
        "text": pa.array(TEXT, text), "label": pa.array(ROWS["label"], pa.int64()),
        "score": pa.array(ROWS["score"], score), "flag": pa.array(ROWS["flag"]),
        "ids": pa.array(ROWS["ids"], ids), "messages": pa.array(ROWS["messages"], MESSAGES)})


for codec in (None, "lz4", "zstd"):
    for stream in (False, True):
        name = f"pyarrow_{codec or 'plain'}." + ("arrows" if stream else "arrow")
        tab = table(pa.large_string() if stream else pa.string(), pa.large_list(pa.int32()) if stream else pa.list_(pa.uint16()))
        with (pa.ipc.new_stream if stream else pa.ipc.new_file)(name, tab.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as w:
            w.write_table(tab, max_chunksize=4)
        note(name)
cat = table().set_column(0, "text", pa.array(TEXT).dictionary_encode())
pa.feather.write_feather(cat, "pyarrow_dictionary.feather", compression="zstd")
note("pyarrow_dictionary.feather")
pa.feather.write_feather(table().set_column(4, "ids", pa.array([[i, i + 1] for i in range(N)], pa.list_(pa.int64(), 2))),
                         "pyarrow_fixed.feather", compression="uncompressed")
note("pyarrow_fixed.feather", ids=[[i, i + 1] for i in range(N)])

for codec in ("none", "snappy", "gzip", "zstd"):
    name = f"pyarrow_{codec}.parquet"
    pq.write_table(table(), name, compression=codec, row_group_size=3, data_page_size=64, use_dictionary=codec != "zstd",
                   data_page_version="2.0" if codec == "gzip" else "1.0", version="2.6" if codec != "none" else "1.0")
    note(name)

flat = table().select(["text", "label", "score", "flag"])
pa.csv.write_csv(flat.drop(["flag"]), "pyarrow.csv")
texts = {k: [None if x is None else x for x in v] for k, v in ROWS.items()}


def cells(values, null=""):
    return [null if v is None else v for v in values]


note("pyarrow.csv", text=cells(TEXT), label=[str(v) for v in cells(ROWS["label"])],
     score=["0.5", "", "-1.25", "3e+10", "0", "2.5", "0.001"], flag=..., ids=..., messages=...)

# polars: string views, and dictionaries for categories.
df = pl.DataFrame({**ROWS, "label": pl.Series(ROWS["label"], dtype=pl.Int8)},
                  schema_overrides={"ids": pl.List(pl.UInt32), "text": pl.String})
for codec in ("uncompressed", "lz4", "zstd"):
    df.write_ipc(f"polars_{codec}.arrow", compression=codec)
    note(f"polars_{codec}.arrow")
df.write_ipc_stream("polars.arrows")
note("polars.arrows")
df.with_columns(pl.col("text").cast(pl.Categorical)).write_ipc("polars_category.arrow", compression="uncompressed")
note("polars_category.arrow")
for codec in ("zstd", "snappy", "gzip", "uncompressed"):
    df.write_parquet(f"polars_{codec}.parquet", compression=codec, row_group_size=5)
    note(f"polars_{codec}.parquet")
df.write_ndjson("polars.jsonl")
note("polars.jsonl")
df.select("text", "label").write_csv("polars.csv")
note("polars.csv", text=cells(TEXT), label=[str(v) for v in cells(ROWS["label"])], score=..., flag=..., ids=..., messages=...)
one = [t.replace("\n", " ").replace("\t", " ") if t else "" for t in TEXT]
with open("plain.tsv", "w") as f:
    f.write("text\tlabel\n" + "".join(f"{t}\t{l}\n" for t, l in zip(one, cells(ROWS["label"]))))
note("plain.tsv", text=one, label=[str(v) for v in cells(ROWS["label"])], score=..., flag=..., ids=..., messages=...)

# Hugging Face datasets.
features = datasets.Features({
    "text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"]),
    "score": datasets.Value("float64"), "flag": datasets.Value("bool"),
    "ids": datasets.List(datasets.Value("int32")),
    "messages": datasets.List({"role": datasets.Value("string"), "content": datasets.Value("string")})})
rows = {**ROWS, "label": [1, 0, None, 0, 1, 1, 0]}
names = ["pos", "neg", None, "neg", "pos", "pos", "neg"]
ds = datasets.Dataset.from_dict(rows, features=features)
for d in ("saved", "dict"):
    shutil.rmtree(d, ignore_errors=True)
ds.save_to_disk("saved", num_shards=2)
note("saved", label=names)
datasets.DatasetDict({"train": ds.select(range(4)), "test": ds.select(range(4, N))}).save_to_disk("dict")
note("dict", label=names)
ds.to_parquet("datasets.parquet")
note("datasets.parquet", label=names)
ds.to_json("datasets.jsonl")
note("datasets.jsonl", label=rows["label"])

# JSON in its other forms.
objects = [{k: ROWS[k][i] for k in ROWS} for i in range(N)]
json.dump(objects, open("array.json", "w"), ensure_ascii=True, indent=1)
note("array.json")
with open("objects.json", "w") as f:
    for o in objects:
        json.dump(o, f, ensure_ascii=False, indent=2)
note("objects.json")

# Sequences and plain text.
open("dna.fasta", "w").write(">seq1 the first one\nACGT\nACG\n\n>seq2\nTTTT\r\n>seq3 no bases\n>seq4 a protein\nMKV*\n")
note("dna.fasta", id=["seq1", "seq2", "seq3", "seq4"], description=["the first one", "", "no bases", "a protein"],
     text=["ACGTACG", "TTTT", "", "MKV*"], label=..., score=..., flag=..., ids=..., messages=...)
open("lines.txt", "w").write("\ufefffirst\n\n  \n둘째\nthe third")
note("lines.txt", text=["\ufefffirst\n\n  \n둘째\nthe third"[1:]], label=..., score=..., flag=..., ids=..., messages=...)

# Pages of version 2, in which truth values are written in runs, and columns in encodings
# of their own.
RUNS = {
    "text": [f"document {i // 3}" for i in range(90)],
    "number": [i * i - 100 for i in range(90)],
    "score": [i / 8 for i in range(90)],
    "flag": [i // 37 % 2 == 0 for i in range(90)],
    "absent": [None if i % 50 < 7 else i // 19 % 2 == 0 for i in range(90)],
    "flags": [None if i % 31 == 0 else [None if i % 11 == 3 else i // 60 % 2 == 1] * (i % 4) for i in range(90)],
}
SCHEMA = pa.schema([("text", pa.string()), ("number", pa.int64()), ("score", pa.float64()), pa.field("flag", pa.bool_(), nullable=False),
                    ("absent", pa.bool_()), ("flags", pa.list_(pa.bool_()))])
for name, options in (("pyarrow_v2.parquet", {"data_page_version": "2.0"}), ("pyarrow_v1.parquet", {})):
    pq.write_table(pa.table(RUNS, SCHEMA), name, compression="zstd" if options else "snappy", row_group_size=64, data_page_size=50, use_dictionary=False,
                   column_encoding={"text": "DELTA_BYTE_ARRAY", "number": "DELTA_BINARY_PACKED", "score": "BYTE_STREAM_SPLIT"}, **options)
    expected[name] = RUNS

# Each format compressed as a whole.
for name in ("pyarrow_plain.arrow", "pyarrow_plain.arrows", "pyarrow_snappy.parquet", "polars.jsonl", "array.json", "pyarrow.csv", "plain.tsv",
             "dna.fasta", "lines.txt"):
    for codec, ext in (("gzip", ".gz"), ("zstd", ".zst")):
        with pa.CompressedOutputStream(name + ext, codec) as out:
            out.write(open(name, "rb").read())
        expected[name + ext] = expected[name]

for root, _, files in os.walk("."):
    for f in files:
        if f.startswith("cache-"):
            os.remove(os.path.join(root, f))
json.dump(expected, open("expected.json", "w"), indent=1, ensure_ascii=False)
