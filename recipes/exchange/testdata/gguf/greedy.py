# Writes greedy.json: greedy continuations of 32 tokens of 20 prompts (English, code, Korean) by
# transformers, in float32, of GGUF files that it reads by its own loader; of each token the
# distance of the two best logits. Run: greedy.py DIRECTORY FILE.gguf...
import importlib.metadata, json, os, sys, torch, transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(1)
prompts = [
    "The capital of France is", "Once upon a time, there was a", "The quick brown fox", "Water boils at", "In 1969, humans first", "My favourite food is",
    "Q: What is 2+2?\nA:", "The president said that",
    "def fibonacci(n):\n", "import numpy as np\n\ndef main():", "for i in range(10):\n    print(", "#include <stdio.h>\n\nint main() {", "func main() {\n\tfmt.Println(",
    "SELECT name FROM users WHERE",
    "대한민국의 수도는", "오늘 날씨가", "안녕하세요, 저는", "옛날 옛적에", "인공지능은", "맛있는 김치를"]
out = {"transformers": transformers.__version__, "torch": torch.__version__, "gguf": importlib.metadata.version("gguf"), "models": {}}
for name in sys.argv[2:]:
    tok = AutoTokenizer.from_pretrained(sys.argv[1], gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], gguf_file=name, dtype=torch.float32).eval()
    eos = model.generation_config.eos_token_id or tok.eos_token_id
    list_ = []
    for p in prompts:
        ids = tok(p, return_tensors="pt").input_ids
        with torch.no_grad():
            o = model.generate(ids, max_new_tokens=32, do_sample=False, eos_token_id=eos, pad_token_id=eos, return_dict_in_generate=True, output_logits=True)
        new = o.sequences[0, ids.shape[1]:].tolist()
        best = [torch.topk(l[0], 2).values for l in o.logits]
        list_.append({"prompt": p, "tokens": ids[0].tolist(), "ids": new, "apart": [round((b[0] - b[1]).item(), 5) for b in best]})
    out["models"][name] = list_
json.dump(out, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "greedy.json"), "w"), ensure_ascii=False, indent=1)
