"""Writes Arrow files of text and counts their characters with pyarrow's compute
function, in turns with TestBesidePyarrow.

    speed.py DIR MEGABYTES

Prints the version of pyarrow and the names of the files, a line of JSON; then, for each
name on a line of standard input, the characters, and the seconds by the clock and of the
processor that it took to count them.
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


def documents(words, least, most, kind=pa.string(), distinct=None):
    """A table of texts of least to most words; distinct: of a dictionary of so many."""
    size, texts = 0, []
    while size < megabytes * 1_000_000:
        if distinct and len(texts) >= distinct:
            texts.append(texts[random.randrange(distinct)])
        else:
            n, at = random.randint(least, most), random.randrange(len(words) - most)
            texts.append(" ".join(words[at : at + n]))
        size += len(texts[-1].encode())
    text = pa.array(texts, kind)
    if distinct:
        text = text.dictionary_encode()
    return pa.table({"id": pa.array(range(len(texts)), pa.int64()), "text": text})


def count(path):
    # Only the column that is read: the other one would be decompressed too.
    total = 0
    with pa.memory_map(path) as f:
        r = pa.ipc.open_file(f, options=pa.ipc.IpcReadOptions(included_fields=[1]))
        for i in range(r.num_record_batches):
            text = r.get_batch(i).column("text")
            if isinstance(text, pa.DictionaryArray):  # utf8_length knows none
                text = text.dictionary_decode()
            total += pc.sum(pc.utf8_length(text)).as_py()
    return total


names = []
for kind, table in {
    "utf8_short": documents(english, 5, 20),
    "utf8_long": documents(english, 500, 2000),
    "utf8_korean": documents(korean, 50, 200),
    "large_utf8_short": documents(english, 5, 20, pa.large_string()),
    "large_utf8_long": documents(english, 500, 2000, pa.large_string()),
    "dictionary_short": documents(english, 5, 20, distinct=10_000),
    "dictionary_long": documents(english, 500, 2000, distinct=1_000),
}.items():
    for codec in [None, "lz4", "zstd"]:
        names.append(f"{kind}_{codec or 'plain'}.arrow")
        with pa.OSFile(os.path.join(directory, names[-1]), "wb") as f, pa.ipc.new_file(f, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as w:
            w.write_table(table, max_chunksize=10_000)
print(json.dumps({"version": pa.__version__, "files": names}), flush=True)
for line in sys.stdin:
    start, start_cpu = time.perf_counter(), time.process_time()
    characters = count(os.path.join(directory, line.strip()))
    print(json.dumps({"characters": characters, "seconds": time.perf_counter() - start, "cpu": time.process_time() - start_cpu}), flush=True)
