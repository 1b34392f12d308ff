"""Writes activations.json: the values of transformers' activations, ACT2FN, at some points, by their
names. Run:

    python activations.py > activations.json

Made with the versions that it holds."""

import json

import torch
import transformers
from transformers.activations import ACT2CLS, ACT2FN

x = torch.tensor([-30.0, -10.0, -6.5, -3.0, -2.0, -1.0, -0.3, -0.01, 0.0, 0.01, 0.3, 1.0, 2.0, 3.0, 5.5, 6.0, 9.5, 10.5, 30.0], dtype=torch.float64)
with_parameters = ["prelu", "xielu"]
values = {name: ACT2FN[name](x).tolist() for name in ACT2CLS if name not in with_parameters}
print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__, "with_parameters": with_parameters, "x": x.tolist(), "values": values}))
