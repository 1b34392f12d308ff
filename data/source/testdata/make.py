"""Writes the Arrow files of this directory and expected.json, what they hold.

Made with Python 3.11 and pyarrow 26.0.1:  python make.py
"""
import json
import pyarrow as pa
import pyarrow.ipc as ipc

TEXT = [
    "Package net provides a portable interface for network I/O.",
    None,
    "파일을 읽어 화면에 보여 준다.",
    "",
    "the same words, the same words, the same words, the same words, the same words",
]
LABEL = ["net", "net", None, "os", "text"]
expected = {}


def note(name, columns, text, label):
    expected[name] = {"columns": columns, "text": text, "label": label}


def table(text=pa.string(), label=pa.string()):
    return pa.table({"text": pa.array(TEXT, text), "label": pa.array(LABEL, label)})


def write(name, tab, codec=None, stream=False, rows=3):
    options = ipc.IpcWriteOptions(compression=codec)
    new = ipc.new_stream if stream else ipc.new_file
    with new(name, tab.schema, options=options) as w:
        w.write_table(tab, max_chunksize=rows)


for codec in (None, "lz4", "zstd"):
    name = (codec or "plain") + ".arrow"
    write(name, table(), codec)
    note(name, ["utf8", "utf8"], TEXT, LABEL)

write("stream.arrows", table(), stream=True)
note("stream.arrows", ["utf8", "utf8"], TEXT, LABEL)
write("stream_zstd.arrows", table(pa.large_string()), "zstd", stream=True)
note("stream_zstd.arrows", ["large_utf8", "utf8"], TEXT, LABEL)

write("large.arrow", table(pa.large_string(), pa.large_string()))
note("large.arrow", ["large_utf8", "large_utf8"], TEXT, LABEL)

d = table().set_column(1, "label", table()["label"].combine_chunks().dictionary_encode())
write("dictionary.arrow", d)
note("dictionary.arrow", ["utf8", "dictionary<utf8>"], TEXT, LABEL)
d = table().set_column(0, "text", pa.DictionaryArray.from_arrays(
    pa.array([0, None, 1, 2, 3], pa.int8()), pa.array([t for t in TEXT if t is not None], pa.large_string())))
write("dictionary_lz4.arrow", d, "lz4")
note("dictionary_lz4.arrow", ["dictionary<large_utf8>", "utf8"], TEXT, LABEL)

# A stream whose dictionary first grows by a delta and then is replaced.
schema = pa.schema([("text", pa.string()), ("label", pa.dictionary(pa.int16(), pa.string()))])
text, label = [], []
with ipc.new_stream("delta.arrows", schema, options=ipc.IpcWriteOptions(emit_dictionary_deltas=True)) as w:
    for values in (["a", "b"], ["a", "b", "c"], ["x", "y"]):
        n = len(values)
        t = [f"text {i} of {n}" for i in range(n)]
        w.write_batch(pa.record_batch([pa.array(t), pa.DictionaryArray.from_arrays(pa.array(range(n), pa.int16()), pa.array(values))], schema=schema))
        text += t
        label += values
note("delta.arrows", ["utf8", "dictionary<utf8>"], text, label)

# Columns of every layout before the text; labels are numbers.
n = len(TEXT)
nested = pa.table({
    "null": pa.nulls(n),
    "bool": pa.array([True, None, False, True, True]),
    "list": pa.array([[{"role": "user", "content": "hi"}], None, [], [{"role": "a", "content": "b"}], []],
                     pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
    "fixed": pa.array([[1, 2]] * n, pa.list_(pa.int16(), 2)),
    "binary": pa.array([b"\xff"] * n, pa.binary(1)),
    "map": pa.array([[("k", 1)]] * n, pa.map_(pa.string(), pa.int32())),
    "view": pa.array(["a long enough text to stand in a buffer of its own"] * n, pa.string_view()),
    "dense": pa.UnionArray.from_dense(pa.array([0] * n, pa.int8()), pa.array(range(n), pa.int32()), [pa.array(range(n))]),
    "sparse": pa.UnionArray.from_sparse(pa.array([0] * n, pa.int8()), [pa.array(range(n))]),
    "ends": pa.RunEndEncodedArray.from_arrays(pa.array([n], pa.int32()), pa.array(["run"])),
    "other": pa.array(["x"] * n).dictionary_encode(),
    "text": pa.array(TEXT),
    "label": pa.array([3, 1, None, -4, 1], pa.int64()),
})
write("nested.arrow", nested, rows=n)
note("nested.arrow", ["utf8", "int64"], TEXT, ["3", "1", None, "-4", "1"])

# Classes as Hugging Face datasets keeps them.
features = {"info": {"features": {"text": {"dtype": "string", "_type": "Value"},
                                  "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}
classes = pa.table({"text": pa.array(TEXT), "label": pa.array([1, 0, None, -1, 1], pa.int64())})
write("classes.arrows", classes.replace_schema_metadata({"huggingface": json.dumps(features)}), stream=True)
note("classes.arrows", ["utf8", "int64"], TEXT, ["pos", "neg", None, None, "pos"])

json.dump(expected, open("expected.json", "w"), indent=1, ensure_ascii=False)
