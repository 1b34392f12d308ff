# Writes weights.bin (torch.save) and weights.json, what each tensor of it holds: type, shape
# and bytes, row-major and little-endian. Run with torch 2.x; versions are in weights.json.
import collections, json, torch

torch.manual_seed(1)
F = torch.float32
w = torch.arange(24, dtype=F).reshape(4, 6) / 8
net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2)).state_dict()  # with _metadata
sd = collections.OrderedDict(net)
sd._metadata = net._metadata
cube = torch.arange(120, dtype=torch.int16).reshape(2, 3, 4, 5)
sd.update({
    "whole": w, "tied": w, "transposed": w.t(), "columns": w[:, 1:4], "rows": w[1:3], "steps": w[::2, ::3],
    "column": w[:, 2:3], "row": w[3:4], "element": w[2, 3], "parameter": torch.nn.Parameter(w),
    "permuted": cube.permute(2, 0, 3, 1), "part": cube[:, 1:, ::2, 1:4], "part_permuted": cube[:, 1:, ::2, 1:4].permute(3, 1, 0, 2),
    "empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5), "expanded": torch.arange(5).expand((1, -1)),
    "F16": w.half(), "BF16": w.bfloat16(), "F64": w.double(), "I64": torch.tensor([1, -(2 ** 62)]), "I32": torch.tensor([7, -7], dtype=torch.int32),
    "I8": torch.tensor([1, -1], dtype=torch.int8), "U8": torch.tensor([1, 255], dtype=torch.uint8), "BOOL": torch.tensor([True, False]),
    "C64": torch.tensor([1 + 2j]), "é/ü": torch.ones(1),
})
torch.save(sd, "weights.bin")
names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64", torch.int32: "I32",
         torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL", torch.complex64: "C64"}
tensors = []
for name, t in sd.items():
    t = t.detach().contiguous()
    raw = bytes(t.reshape(-1).view(torch.uint8).tolist()) if t.numel() else b""
    tensors.append({"name": name, "dtype": names[t.dtype], "shape": list(t.shape), "hex": raw.hex()})
json.dump({"torch": torch.__version__, "tensors": tensors}, open("weights.json", "w"), indent=0)
torch.save(sd, "legacy.bin", _use_new_zipfile_serialization=False)
open("legacy.bin", "r+b").truncate(200)
torch.save({"a": torch.ones(2), "b": torch.zeros(3)}, "protocol4.bin", pickle_protocol=4)
