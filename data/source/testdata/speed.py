"""Writes Arrow files of text and counts their characters with pyarrow's compute
function, for TestBesidePyarrow.

    speed.py DIR MEGABYTES

Prints a JSON object: for each file the characters, and the best of five times, by the
clock and of the processor.
"""

import json
import os
import random
import sys
import time

import pyarrow as pa
import pyarrow.compute as pc

directory, megabytes = sys.argv[1], int(sys.argv[2])
random.seed(1)
english = [random.choice("the of and to in is was he for it with as his on be at by had not".split()) for _ in range(200_000)]
korean = [random.choice("파일을 읽어 화면에 보여 준다 그리고 다음 줄로 간다 사람 말 책".split()) for _ in range(200_000)]


def documents(words, least, most):
    size, texts = 0, []
    while size < megabytes * 1_000_000:
        n, at = random.randint(least, most), random.randrange(len(words) - most)
        texts.append(" ".join(words[at : at + n]))
        size += len(texts[-1].encode())
    return pa.table({"id": pa.array(range(len(texts)), pa.int64()), "text": pa.array(texts, pa.string())})


def count(path):
    # Only the column that is read: the other one would be decompressed too.
    with pa.memory_map(path) as f:
        r = pa.ipc.open_file(f, options=pa.ipc.IpcReadOptions(included_fields=[1]))
        return sum(pc.sum(pc.utf8_length(r.get_batch(i).column("text"))).as_py() for i in range(r.num_record_batches))


result = {"version": pa.__version__, "files": {}}
for kind, table in {
    "english, short": documents(english, 5, 20),
    "english, long": documents(english, 500, 2000),
    "korean": documents(korean, 50, 200),
}.items():
    for codec in [None, "lz4", "zstd"]:
        name = f"{kind.replace(', ', '_')}_{codec or 'plain'}.arrow"
        path = os.path.join(directory, name)
        with pa.OSFile(path, "wb") as f, pa.ipc.new_file(f, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as w:
            w.write_table(table, max_chunksize=10_000)
        best = cpu = float("inf")
        for _ in range(5):
            start, start_cpu = time.perf_counter(), time.process_time()
            characters = count(path)
            best, cpu = min(best, time.perf_counter() - start), min(cpu, time.process_time() - start_cpu)
        result["files"][name] = {"characters": characters, "seconds": best, "cpu": cpu}
json.dump(result, sys.stdout)
