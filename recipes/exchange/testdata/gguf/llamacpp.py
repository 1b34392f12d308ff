# Reads {"file": a GGUF file, "prompts": [...], "tokens": n} and writes, for each prompt, its tokens
# and llama.cpp's greedy continuation of at most n, by llama-cpp-python (0.3.36 was used).
import json, sys
import llama_cpp

ask = json.load(sys.stdin)
m = llama_cpp.Llama(ask["file"], n_ctx=64, verbose=False, n_threads=1)
out = []
for p in ask["prompts"]:
    ids = m.tokenize(p.encode(), add_bos=True, special=True)
    m.reset()
    more = []
    for t in m.generate(ids, temp=0.0, top_k=1):
        if t == m.token_eos() or len(more) == ask["tokens"]:
            break
        more.append(t)
    out.append({"tokens": ids, "ids": more})
json.dump(out, sys.stdout)
