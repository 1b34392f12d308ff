# Writes pytorch_model.bin, whole and as two shards with their index: what transformers 4 saved
# of ../huggingface/llama with safe_serialization=False. Made with torch 2.15 and safetensors.
import json, os, torch
from safetensors.torch import load_file

os.chdir(os.path.dirname(os.path.abspath(__file__)))
state = load_file("../huggingface/llama/model.safetensors")
torch.save(state, "pytorch_model.bin")
names = sorted(state)
half = len(names) // 2
index = {}
for i, part in enumerate((names[:half], names[half:])):
    file = "pytorch_model-%05d-of-00002.bin" % (i + 1)
    torch.save({name: state[name] for name in part}, file)
    index.update({name: file for name in part})
json.dump({"metadata": {"total_size": sum(t.nbytes for t in state.values())}, "weight_map": index}, open("pytorch_model.bin.index.json", "w"), indent=1)
