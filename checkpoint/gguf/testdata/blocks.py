"""Writes blocks.bin: random blocks of every type that is read, and what the gguf package
makes of them. Made with gguf 0.19.0 and numpy of the same environment.

blocks.bin: for each type u32 number, u32 elements, the blocks, the elements as float32;
then, of types that are written, number | 1<<31, elements, the floats, the blocks.
"""
import struct, sys
import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T

rng = np.random.default_rng(7)
out = open(sys.argv[1] if len(sys.argv) > 1 else "blocks.bin", "wb")
# Where the halves are that scale a block: byte offsets.
scales = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0]}
for t in [T.F32, T.F16, T.BF16, *scales]:
    elems, size = GGML_QUANT_SIZES[t]
    n = 24 if elems == 32 else 6 if elems == 256 else 256
    b = rng.integers(0, 256, (n, size), dtype=np.uint8)
    if t in scales:
        for at in scales[t]:  # numbers, some of them subnormal, zero or negative
            h = (rng.normal(size=n) * 2.0 ** rng.integers(-26, 3, n)).astype(np.float16)
            h[0] = 0
            b[:, at:at + 2] = h.view(np.uint8).reshape(n, 2)
        y = quants.dequantize(b.reshape(1, -1), t)
    else:
        x = (rng.normal(size=(1, n)) * 2.0 ** rng.integers(-30, 12, (1, n))).astype(np.float32)
        b = np.ascontiguousarray(quants.quantize(x, t)).view(np.uint8)
        y = quants.dequantize(b, t)
    y = np.ascontiguousarray(y, dtype=np.float32)
    assert y.size == n * elems and b.size == n * size and np.isfinite(y).all(), t
    out.write(struct.pack("<II", t, y.size) + b.tobytes() + y.tobytes())
for t in [T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1]:
    n = 40 * 32
    x = (rng.normal(size=(1, n)) * 2.0 ** rng.integers(-20, 8, (1, n))).astype(np.float32)
    x[0, 64:96] = 0
    x[0, 96:128] = np.arange(32) / 2 - 8  # halves between levels
    x[0, 128:160] = np.tile([1.5, -1.5], 16)  # two of the same size
    b = np.ascontiguousarray(quants.quantize(x, t)).view(np.uint8)
    out.write(struct.pack("<II", t | 1 << 31, n) + x.tobytes() + b.tobytes())
