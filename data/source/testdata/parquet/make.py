"""Writes the files of this directory, and expected.json, what pyarrow reads from them.

Made with Python 3.11 and pyarrow 26.0.1:  python make.py

repeated.parquet was written by parquet-go v0.32.0, whose slices are repeated fields without
annotation:

    type phone struct { Number int64 `parquet:"number"`; Kind *string `parquet:"kind,optional"` }
    type person struct { ID int32 `parquet:"id"`; Names []string `parquet:"names"`; Phones []phone `parquet:"phones"` }
    home := "home"
    w := parquet.NewGenericWriter[person](f, parquet.Compression(&parquet.Lz4Raw))
    w.Write([]person{{1, []string{"a", "b"}, []phone{{5, &home}, {6, nil}}}, {2, nil, nil}, {3, []string{"c"}, []phone{{7, nil}}}})
"""
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

os.chdir(os.path.dirname(os.path.abspath(__file__)))
N = 40
ROWS = {
    "text": [None if i % 9 == 4 else f"document {i} " + "mañana 🙂 " * (i % 5) for i in range(N)],
    "label": [i % 3 for i in range(N)],
    "score": [i / 8 for i in range(N)],
    "flag": [None if i % 7 == 0 else i % 2 == 0 for i in range(N)],
    "ids": [None if i % 11 == 5 else list(range(i % 4)) for i in range(N)],
}
table = pa.table(ROWS, schema=pa.schema([("text", pa.string()), ("label", pa.int64()), ("score", pa.float64()), ("flag", pa.bool_()), ("ids", pa.list_(pa.int32()))]))
for codec in ("brotli", "lz4"):
    for version in ("1.0", "2.0"):
        pq.write_table(table, f"{codec}_v{version[0]}.parquet", compression=codec, row_group_size=25, data_page_size=100, data_page_version=version,
                       use_dictionary=["text"])
# Each column in a compression of its own, and each row group too.
with pq.ParquetWriter("mixed.parquet", table.schema, compression={"text": "brotli", "label": "none", "score": "gzip", "flag": "snappy", "ids.list.element": "zstd"}) as w:
    w.write_table(table)


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def zigzag(n):
    return varint(2 * n)


def with_footer(path, out, change):
    b = open(path, "rb").read()
    n = int.from_bytes(b[-8:-4], "little")
    footer = change(b[-8 - n:-8])
    open(out, "wb").write(b[:-8 - n] + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def once(b, old, new):
    assert b.count(old) == 1, b.count(old)
    return b.replace(old, new)


# A page of version 2 that is empty, all its values being null, and said to be compressed,
# though nothing was compressed to nothing.
nulls = pa.table({"value": pa.array([None] * 5, pa.float64())})
pq.write_table(nulls, "empty.tmp", compression="none", data_page_version="2.0", use_dictionary=False, write_statistics=False)
b = open("empty.tmp", "rb").read()
meta = pq.read_metadata("empty.tmp").row_group(0).column(0)
size = zigzag(meta.total_uncompressed_size) + b"\x16" + zigzag(meta.total_compressed_size)
head = b[4:4 + meta.total_compressed_size]
assert head.count(b"\x15\x00\x12") == 1  # no repetition levels; not compressed
open("empty.tmp", "wb").write(b[:4] + head.replace(b"\x15\x00\x12", b"\x15\x00\x11") + b[4 + meta.total_compressed_size:])
num = b"\x15\x00\x16" + zigzag(5) + b"\x16" + size  # codec, then num_values and the sizes
with_footer("empty.tmp", "empty_page.parquet", lambda f: once(f, num, b"\x15\x02" + num[2:]))
os.remove("empty.tmp")

# A chunk with key-value metadata, of which one key has no value, in a row group without rows.
one = pa.table({"text": pa.array([], pa.string())})
with pq.ParquetWriter("keys.tmp", one.schema, compression="none", use_dictionary=False, write_statistics=False, store_schema=False) as w:
    w.write_table(one)
    w.write_table(pa.table({"text": ["one", "two"]}))
meta = pq.read_metadata("keys.tmp").row_group(0)
assert meta.num_rows == 0, meta
column = meta.column(0)
tail = b"\x16" + zigzag(column.total_compressed_size) + b"\x26" + zigzag(column.data_page_offset)
keys = b"\x19\x2c" + b"\x18\x04left\x18\x05right\x00" + b"\x18\x04lone\x00"
with_footer("keys.tmp", "keys.parquet", lambda f: f.replace(tail, tail[:-1 - len(zigzag(column.data_page_offset))] + keys + b"\x16" + zigzag(column.data_page_offset), 1))
os.remove("keys.tmp")

pq.write_table(pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), "same_names.parquet")


class KMS(pe.KmsClient):
    def wrap_key(self, key, master):
        return "wrapped:" + key.hex()

    def unwrap_key(self, wrapped, master):
        return bytes.fromhex(wrapped[8:])


for name, plain in (("encrypted", False), ("encrypted_columns", True)):
    crypto = pe.CryptoFactory(lambda config: KMS())
    config = pe.EncryptionConfiguration(footer_key="footer", column_keys={"column": ["text"]}, plaintext_footer=plain, double_wrapping=False)
    properties = crypto.file_encryption_properties(pe.KmsConnectionConfig(), config)
    with pq.ParquetWriter(name + ".parquet", table.select(["text"]).schema, encryption_properties=properties) as w:
        w.write_table(table.select(["text"]))

expected = {"pyarrow": pa.__version__, "files": {}}
for name in sorted(os.listdir(".")):
    if name.endswith(".parquet") and not name.startswith(("encrypted", "same")):
        t = pq.read_table(name)
        expected["files"][name] = {c: t[c].to_pylist() for c in t.column_names}
for name in ("empty_page", "keys", "repeated"):
    print(name, expected["files"][name + ".parquet"])
json.dump(expected, open("expected.json", "w"), ensure_ascii=False, indent=None)
