# Makes the files of types that rows are copied with, and compares what Rows has written with them.
#
#   python rows.py make DIR          types.arrow, types.parquet (pyarrow 26.0.1, datasets 5.2.0; no date64, which Parquet has as date32)
#   python rows.py check MADE WRITTEN   prints "ok" or what differs
#
# WRITTEN has the columns of MADE, in order, and after them the added ones of TestRowsPyarrow.
import datetime, decimal, json, sys
import pyarrow as pa, pyarrow.ipc, pyarrow.parquet as pq


def table():
    d, t = decimal.Decimal, datetime.datetime
    utc = datetime.timezone.utc
    columns = {
        "text": pa.array(["one", "둘, \"two\"\nlines", None, ""]),
        "large": pa.array(["a", None, "c", "ü"], pa.large_string()),
        "class": pa.array([0, 1, None, 1], pa.int64()),
        "i8": pa.array([-128, 127, None, 0], pa.int8()),
        "i16": pa.array([-32768, 32767, None, 0], pa.int16()),
        "i32": pa.array([-2**31, 2**31 - 1, None, 0], pa.int32()),
        "i64": pa.array([-2**63, 2**63 - 1, None, 0], pa.int64()),
        "u8": pa.array([0, 255, None, 1], pa.uint8()),
        "u16": pa.array([0, 65535, None, 1], pa.uint16()),
        "u32": pa.array([0, 2**32 - 1, None, 1], pa.uint32()),
        "u64": pa.array([0, 2**64 - 1, None, 1], pa.uint64()),
        "f16": pa.array([0.5, -1.0, None, 65504.0], pa.float16()),
        "f32": pa.array([0.1, 1e-10, None, 16777217.0], pa.float32()),
        "f64": pa.array([0.1, 1e300, None, 1.0], pa.float64()),
        "bool": pa.array([True, False, None, True]),
        "binary": pa.array([b"\x00\xff", b"", None, b"abc"], pa.binary()),
        "large_binary": pa.array([b"\x00", b"", None, b"abc"], pa.large_binary()),
        "fixed": pa.array([b"abcd", b"\x00\x01\x02\xff", None, b"    "], pa.binary(4)),
        "dec": pa.array([d("1.23"), d("-99999999.99"), None, d("0.00")], pa.decimal128(10, 2)),
        "dec38": pa.array([d("-1"), d("9" * 38), None, d("0")], pa.decimal128(38, 0)),
        "dec76": pa.array([d("-1.5"), d("9" * 60 + ".5"), None, d("0.0")], pa.decimal256(76, 1)),
        "date32": pa.array([datetime.date(1969, 12, 31), datetime.date(2026, 11, 30), None, datetime.date(1, 1, 1)]),
        "time32": pa.array([datetime.time(1, 2, 3), datetime.time(23, 59, 59, 999000), None, datetime.time(0)], pa.time32("ms")),
        "time64": pa.array([datetime.time(1, 2, 3), datetime.time(23, 59, 59, 999999), None, datetime.time(0)], pa.time64("us")),
        "ms": pa.array([t(1969, 12, 31), t(2026, 11, 30, 1, 2, 3, 4000), None, t(1, 1, 1)], pa.timestamp("ms")),
        "us": pa.array([t(1969, 12, 31, tzinfo=utc), t(2026, 11, 30, 1, 2, 3, 4, tzinfo=utc), None, t(1, 1, 1, tzinfo=utc)], pa.timestamp("us", "Asia/Seoul")),
        "ns": pa.array([-1, 1234567890123456789, None, 0], pa.timestamp("ns", "UTC")),
        "duration": pa.array([1, -5, None, 0], pa.duration("us")),
        "nothing": pa.nulls(4),
        "list": pa.array([[1, None, 3], [], None, [4]], pa.list_(pa.int32())),
        "large_list": pa.array([["a"], [], None, [None]], pa.large_list(pa.string())),
        "pair": pa.array([[1.0, 2.0], [3.0, 4.0], None, [0.0, -0.0]], pa.list_(pa.float32(), 2)),
        "nested": pa.array(
            [
                [{"role": "user", "parts": [{"n": d("1.0"), "raw": b"x"}, None]}, {"role": None, "parts": []}],
                [],
                None,
                [None, {"role": "x", "parts": None}],
            ],
            pa.list_(pa.struct([("role", pa.string()), ("parts", pa.list_(pa.struct([("n", pa.decimal128(5, 1)), ("raw", pa.binary())])))])),
        ),
        "image": pa.array([{"bytes": b"\x89PNG", "path": "a.png"}, {"bytes": None, "path": None}, None, {"bytes": b"", "path": ""}]),
    }
    features = {"info": {"features": {"class": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    return pa.table(columns).replace_schema_metadata({"huggingface": json.dumps(features)})


def read(path):
    if path.endswith(".parquet"):
        return pq.read_table(path)
    with pa.memory_map(path) as f:
        return (pa.ipc.open_file if path.endswith(".arrow") else pa.ipc.open_stream)(f).read_all()


if sys.argv[1] == "make":
    t = table()
    with pa.OSFile(sys.argv[2] + "/types.arrow", "wb") as f, pa.ipc.new_file(f, t.schema) as w:
        w.write_table(t, max_chunksize=3)
    pq.write_table(t, sys.argv[2] + "/types.parquet", compression="zstd")
    sys.exit()

made, written = read(sys.argv[2]), read(sys.argv[3])
faults = []
for i, name in enumerate(made.column_names):
    a, b = made.column(i), written.column(i)
    if written.column_names[i] != name:
        faults.append(f"column {i} is {written.column_names[i]}, not {name}")
    elif a.type != b.type and str(a.type).replace("element", "item") != str(b.type).replace("element", "item"):
        faults.append(f"{name}: {b.type}, not {a.type}")
    elif name == "ns" and a.cast(pa.int64()).to_pylist() != b.cast(pa.int64()).to_pylist() or name != "ns" and a.to_pylist() != b.to_pylist():
        faults.append(f"{name}: {b.to_pylist()}, not {a.to_pylist()}")
rest = written.column_names[len(made.column_names):]
got = {n: written.column(n).to_pylist() for n in rest}
want = {
    "embedding": [[0.5, -1.0], [], None, [3.0]],
    "prediction": ["a", None, "c", "d"],
    "probabilities": [{"no": 0.25, "yes": 0.75}, None, {"no": 0.0, "yes": 1.0}, {"no": 0.5, "yes": 0.5}],
    "entities": [[], [{"text": "x", "start": 1}], None, []],
}
if got != want:
    faults.append(f"added: {got}")
if json.loads(written.schema.metadata[b"huggingface"])["info"]["features"]["class"]["names"] != ["no", "yes"]:
    faults.append("no names of classes")
import pandas, datasets

if sys.argv[3].endswith(".parquet"):
    if len(pandas.read_parquet(sys.argv[3]).columns) != len(written.column_names):
        faults.append("pandas")
    d = datasets.Dataset.from_parquet(sys.argv[3])
    if d.features["class"].names != ["no", "yes"] or d["class"][1] != 1 or d["embedding"][0] != [0.5, -1.0]:
        faults.append("datasets")
print("; ".join(faults) or "ok")
