#!/usr/bin/env python3
"""Times OpenBLAS's sgemm at the shapes of BenchmarkConfigs, for comparison with it.

    apt install libopenblas0-pthread
    OPENBLAS_CORETYPE=Zen python3 openblas.py 2          # AVX2, 2 threads
    OPENBLAS_CORETYPE=SkylakeX python3 openblas.py 2     # AVX-512
    python3 openblas.py 2 char                           # one configuration
    python3 openblas.py 1 1024x768x3072/NT …             # other shapes, MxKxN/transposes

Without OPENBLAS_CORETYPE a version older than the processor may choose the wrong kernels.
Prints a line a shape: the GFLOP/s of the fastest of the rounds that half a second allows,
as the benchmark does.

    go test -run xxx -bench Configs ./trainer/exec/cpu

With hone's benchmark, compiled, the two take turns, three each, a sixth of a second long,
and the line has the median of each and their ratio:

    go test -c -o cpu.test ./trainer/exec/cpu
    OPENBLAS_CORETYPE=SkylakeX python3 openblas.py 2 char ./cpu.test
"""

import ctypes
import mmap
import re
import statistics
import subprocess
import sys
import time

# Rows, channels and vocabulary of the configurations, and the width of the MLP.
CONFIGS = {
    "nano": (768, 128, 65),
    "char": (8192, 384, 65),
    "small": (4096, 512, 8192),
    "gpt2": (1024, 768, 50257),
}


def shapes():
    for name, (rows, c, v) in CONFIGS.items():
        for layer, k, n in (("qkv", c, 3 * c), ("proj", c, c), ("up", c, 4 * c), ("down", 4 * c, c), ("head", c, v)):
            w = "NN" if name == "gpt2" and layer != "head" else "NT"  # GPT-2 keeps (in,out)
            yield f"{name}/{layer}/forward", rows, k, n, w
            yield f"{name}/{layer}/dx", rows, n, k, "NT" if w == "NN" else "NN"
            yield f"{name}/{layer}/dw", *((k, rows, n) if w == "NN" else (n, rows, k)), "TN"


def hone(test, shape, threads):
    """GFLOP/s of the compiled benchmark at a shape of a configuration."""
    config, layer, product = shape.split("/")
    bench = "/".join(f"^{x}$" for x in ("BenchmarkConfigs", config, layer, f"threads={threads}", product))
    out = subprocess.run([test, "-test.run", "^$", "-test.bench", bench, "-test.benchtime", "0.17s"], capture_output=True, text=True, check=True)
    return float(re.search(r"([0-9.]+) GFLOP/s", out.stdout).group(1))


def main():
    test = sys.argv.pop() if sys.argv[-1].endswith(".test") else None
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    lib = ctypes.CDLL("libopenblas.so.0")
    lib.openblas_get_corename.restype = ctypes.c_char_p
    lib.openblas_set_num_threads(threads)
    print(f"# OpenBLAS {lib.openblas_get_corename().decode()}, {threads} threads", flush=True)
    todo = list(shapes())
    if len(sys.argv) == 3 and sys.argv[2] in CONFIGS:
        todo = [s for s in todo if s[0].startswith(sys.argv[2])]
    elif len(sys.argv) > 2:
        todo = []
        for s in sys.argv[2:]:
            size, mode = s.split("/")
            todo.append((s, *map(int, size.split("x")), mode))
    pointer, i, f = ctypes.c_void_p, ctypes.c_int, ctypes.c_float
    lib.cblas_sgemm.argtypes = [i, i, i, i, i, i, f, pointer, i, pointer, i, f, pointer, i]

    def matrix(n):
        m = mmap.mmap(-1, max(4 * n, 1 << 21))
        m.madvise(mmap.MADV_HUGEPAGE)
        x = (ctypes.c_float * n).from_buffer(m)
        ctypes.memmove(x, (ctypes.c_float * 512)(*[q % 7 - 3 for q in range(512)]), min(4 * n, 2048))
        done = 512
        while done < n:
            more = min(done, n - done)
            ctypes.memmove(ctypes.addressof(x) + 4 * done, x, 4 * more)
            done += more
        return x

    for name, m, k, n, mode in todo:
        a, b, c = matrix(m * k), matrix(k * n), matrix(m * n)
        ta, tb = mode[0] == "T", mode[1] == "T"
        args = (101, 112 if ta else 111, 112 if tb else 111, m, n, k, 1.0, ctypes.addressof(a), m if ta else k,
                ctypes.addressof(b), k if tb else n, 0.0, ctypes.addressof(c), n)
        lib.cblas_sgemm(*args)

        def fastest(seconds):
            best, start = 1e9, time.perf_counter()
            while time.perf_counter() - start < seconds:
                t = time.perf_counter()
                lib.cblas_sgemm(*args)
                best = min(best, time.perf_counter() - t)
            return 2e-9 * m * k * n / best

        line = f"{name:22s} {m:6d}x{k}x{n}/{mode}"
        if not test:
            print(f"{line} {fastest(0.5):8.1f} GFLOP/s", flush=True)
            continue
        turns = [(hone(test, name, threads), fastest(0.17)) for _ in range(3)]
        ours, theirs = (statistics.median(t[i] for t in turns) for i in range(2))
        print(f"{line:44s} hone {ours:7.1f}  OpenBLAS {theirs:7.1f} GFLOP/s  ratio {ours / theirs:.2f}", flush=True)


if __name__ == "__main__":
    main()
