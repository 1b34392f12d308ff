"""Writes reference.safetensors with the reference implementation.

safetensors 0.8.0, numpy 2.4.6, Python 3.11. Values: element i is i*0.5 - 1 in
the floating types and i in the others. Compared by safetensors_test.go.
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file


def values(dtype, *shape):
    n = int(np.prod(shape))
    a = np.arange(n)
    if np.issubdtype(dtype, np.floating):
        a = a * 0.5 - 1
    return a.astype(dtype).reshape(shape)


save_file(
    {
        "transformer.wte.weight": values(np.float32, 5, 3),
        "transformer.h.0.ln_1.bias": values(np.float32, 3),
        "scalar": values(np.float64),
        "empty": values(np.float32, 0, 4),
        "half": values(np.float16, 3),
        "ids": values(np.int64, 2, 2),
        "bytes": values(np.uint8, 3),
        "naïve <&> \"name\"": values(np.int32, 1),
    },
    pathlib.Path(__file__).with_name("reference.safetensors"),
    metadata={"format": "pt"},
)
