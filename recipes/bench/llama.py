"""Reading and writing in llama.cpp, for hone bench to measure beside its own.

    python bench_llama.py '{"path": "model.gguf", "threads": 2, "context": 1024}'

Opens the model and prints a line of JSON that says what reads it. Then for each line on
stdin, a JSON object of sequences, tokens, position and steps, it makes the steps, and prints
their seconds as a JSON list. A step reads so many tokens of each sequence, and finds the
likeliest next token of each. Each reading has caches of its own, which are filled up to the
position the first time.
"""

import ctypes
import json
import sys
import time

import llama_cpp as lib
import numpy as np


def main():
    c = json.loads(sys.argv[1])
    quiet = lib.llama_log_callback(lambda level, text, data: None)
    lib.llama_log_set(quiet, ctypes.c_void_p(0))
    lib.llama_backend_init()
    model = lib.llama_model_load_from_file(c["path"].encode(), lib.llama_model_default_params())
    if not model:
        sys.exit(f"{c['path']}: llama.cpp does not open it")
    vocabulary = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
    batch = lib.llama_batch_init(2048, 0, 1)
    contexts = {}

    def context(sequences):
        p = lib.llama_context_default_params()
        p.n_ctx, p.n_seq_max = c["context"] * sequences, sequences
        p.n_batch, p.n_ubatch = 2048, 512
        p.n_threads = p.n_threads_batch = c["threads"]
        return lib.llama_init_from_model(model, p)

    def read(ctx, tokens, position, sequences):
        """Reads tokens (sequences, n) from a position on, and gives each sequence's next."""
        n = 0
        last = []
        for s in range(sequences):
            for i, t in enumerate(tokens[s]):
                batch.token[n], batch.pos[n] = t, position + i
                batch.n_seq_id[n], batch.seq_id[n][0] = 1, s
                batch.logits[n] = i == len(tokens[s]) - 1
                n += 1
            last.append(n - 1)
        batch.n_tokens = n
        if lib.llama_decode(ctx, batch) != 0:
            sys.exit("llama_decode failed")
        return [int(np.ctypeslib.as_array(lib.llama_get_logits_ith(ctx, k), (vocabulary,)).argmax()) for k in last]

    def token(i):
        return 1 + i * 7919 % (vocabulary - 1)

    info = lib.llama_print_system_info().decode().strip(" |\n")
    print(json.dumps({"version": f"llama-cpp-python {lib.__version__} ({info})"}), flush=True)
    for line in sys.stdin:
        r = json.loads(line)
        n, tokens, position = r["sequences"], r["tokens"], r["position"]
        key = (n, tokens, position)
        new = key not in contexts
        if new:
            contexts[key] = context(n)
            for start in range(0, position, 128):
                read(contexts[key], [[token(start + i) for i in range(min(128, position - start))]] * n, start, n)
        ctx = contexts[key]
        seconds = []
        ids = [[token(position + i) for i in range(tokens)]] * n
        for step in range(0 if new else 1, r["steps"] + 1):  # step 0 warms up
            at = position if tokens > 1 else position + max(0, step - 1)
            if tokens > 1 or step < 2:
                for s in range(n):
                    lib.llama_memory_seq_rm(lib.llama_get_memory(ctx), s, at, -1)
            start = time.perf_counter()
            best = read(ctx, ids, at, n)
            if step > 0:
                seconds.append(time.perf_counter() - start)
            if tokens == 1:
                ids = [[b] for b in best]
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
