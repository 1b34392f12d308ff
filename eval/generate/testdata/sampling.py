# Writes sampling.json: what transformers' processors and warpers make of logits, each alone and in
# the order in which generate() builds them. frequency_penalty and presence_penalty, which
# transformers lacks, are computed here by the formula of OpenAI's API, as vLLM does behind the
# repetition penalty. Versions are in the file.  python sampling.py
import json, random, numpy as np, torch, transformers
from transformers import GPT2Config, GPT2LMHeadModel, GenerationConfig
from transformers.generation import LogitsProcessor, LogitsProcessorList

model = GPT2LMHeadModel(GPT2Config(vocab_size=8, n_embd=4, n_layer=1, n_head=1, n_positions=8, bos_token_id=0, eos_token_id=0))
V = 40


class Counted(LogitsProcessor):  # mu[j] - c[j]·frequency - [c[j] > 0]·presence, of the tokens behind the prompt
    def __init__(self, prompt, frequency, presence):
        self.prompt, self.frequency, self.presence = prompt, frequency, presence

    def __call__(self, ids, scores):
        counts = torch.bincount(ids[0, self.prompt:], minlength=scores.shape[1])[None]
        return scores - self.frequency * counts - self.presence * (counts > 0)


# What the Go test computes too: exact in float64, then rounded once.
def spread(n, seed, width):
    i = np.arange(n, dtype=np.uint64)
    h = ((i + np.uint64(seed)) * np.uint64(2654435761)) % np.uint64(1 << 32)
    h = (h ^ (h >> np.uint64(15))) * np.uint64(2246822519) % np.uint64(1 << 32)
    return (h.astype(np.float64) / 2.0**32 * width - width / 2).astype(np.float32)


def processed(logits, text, prompt, ends, options, source=None, most=None):
    o = dict(options)
    if most:
        o["max_length"] = prompt + most
    counted = [Counted(prompt, o.pop("frequency_penalty", 0.0), o.pop("presence_penalty", 0.0))]
    g = GenerationConfig(do_sample="temperature" in o, num_beams=1, **o)
    g._eos_token_tensor = torch.tensor(ends)
    source = torch.tensor([source or text[:prompt]])
    list_ = model._get_logits_processor(g, input_ids_seq_length=prompt, encoder_input_ids=source, logits_processor=LogitsProcessorList(counted), device="cpu")
    return list_(torch.tensor([text]), torch.tensor(logits)[None])[0].numpy()


rng = random.Random(5)
vectors = []


def add(name, options, logits=None, text=None, prompt=3, ends=(0,), spread_=None, source=None, most=None):
    if spread_:
        logits = spread(*spread_)
    elif logits is None:
        logits = [round(rng.gauss(0, 3), 3) for _ in range(V)]
    logits = np.array(logits, dtype=np.float32)
    if text is None:
        text, prompt = ([7, 3, 7, 11, 3, 12, 7, 3], 3) if len(logits) >= V else ([1], 1)
    scores = processed(logits, text, prompt, list(ends), options, source, most)
    v = dict(name=name, options=options, text=text, prompt=prompt, ends=list(ends))
    if source:
        v["source"] = source
    if most:
        v["most"] = most
    if spread_:
        v |= dict(spread=spread_, kept=[int(i) for i in np.flatnonzero(np.isfinite(scores))])
    else:
        v |= dict(logits=[float(x) for x in logits], scores=[float(x) if np.isfinite(x) else None for x in scores])
    vectors.append(v)


tied = [2.0] * 10
steps = [float(x) for x in [3, 3, 2, 2, 2, 1, 1, 0, 0, 0, -1, -1]]
for k in (1, 5, 12, 39, 40, 99):
    add(f"top-k {k}", dict(temperature=1.0, top_k=k))
for k in (1, 3, 6, 11):
    add(f"top-k {k} of ties", dict(temperature=1.0, top_k=k), steps)
add("top-k 4 of equals", dict(temperature=0.7, top_k=4), tied)
for p in (0.05, 0.3, 0.5, 0.8, 0.9, 0.95, 0.999):
    add(f"top-p {p}", dict(temperature=1.0, top_p=p))
    add(f"top-p {p} of ties", dict(temperature=1.0, top_p=p), steps)
    add(f"top-p {p} of equals", dict(temperature=1.0, top_p=p), tied)
for p in (0.01, 0.1, 0.4, 1.0):
    add(f"min-p {p}", dict(temperature=1.0, min_p=p))
    add(f"min-p {p} of ties", dict(temperature=1.0, min_p=p), steps)
for p in (0.1, 0.2, 0.5, 0.9, 0.99):
    add(f"typical {p}", dict(temperature=1.0, typical_p=p))
    add(f"typical {p} of ties", dict(temperature=1.0, typical_p=p), steps)
    add(f"typical {p} of equals", dict(temperature=1.0, typical_p=p), tied)
add("temperature 0.7", dict(temperature=0.7))
add("temperature 3", dict(temperature=3.0))
for r in (1.3, 0.8):
    add(f"repetition {r}", dict(repetition_penalty=r))
add("frequency", dict(frequency_penalty=0.5))
add("presence", dict(presence_penalty=-1.5))
add("repetition, frequency and presence", dict(repetition_penalty=1.2, frequency_penalty=0.7, presence_penalty=0.3))
for n in (1, 2, 3):
    add(f"no {n}-gram twice", dict(no_repeat_ngram_size=n))
    add(f"no {n}-gram twice in a short text", dict(no_repeat_ngram_size=n), text=[7, 7], prompt=1)
add("bad words", dict(bad_words_ids=[[5], [0], [7, 3, 9], [8, 3, 10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]))
add("bias", dict(sequence_bias=[[[5], 2.5], [[3, 6], -1.25], [[7, 3, 6], 4.0], [[9, 6], 7.0]]))
add("suppressed tokens", dict(suppress_tokens=[5, 0], temperature=1.0, top_p=0.9))
add("min new tokens", dict(min_new_tokens=6), ends=(0, 4))
add("min new tokens, reached", dict(min_new_tokens=5), ends=(0, 4))
add("min length", dict(min_length=9), ends=(4,))
add("min length, reached", dict(min_length=8), ends=(4,))
everything = dict(sequence_bias=[[[5], 2.5], [[3, 6], -1.25]], repetition_penalty=1.3, frequency_penalty=0.4, presence_penalty=0.2, no_repeat_ngram_size=2,
                  bad_words_ids=[[9], [7, 3, 12]], min_new_tokens=7, temperature=0.8)
add("all that changes logits", everything)
for name, filters in {
    "top-k and top-p": dict(top_k=12, top_p=0.8), "top-k and min-p": dict(top_k=12, min_p=0.05), "top-k and typical": dict(top_k=12, typical_p=0.7),
    "top-p and min-p": dict(top_p=0.9, min_p=0.1), "top-p and typical": dict(top_p=0.9, typical_p=0.5), "min-p and typical": dict(min_p=0.02, typical_p=0.6),
    "all filters": dict(top_k=20, top_p=0.95, min_p=0.02, typical_p=0.8),
}.items():
    for _ in range(4):
        add(name, dict(temperature=rng.choice([0.7, 1.0, 1.4])) | filters)
    add(name + ", behind all that changes logits", everything | filters)
for n, seed, width in ((5000, 1, 20), (5000, 2, 3), (20000, 3, 60), (5000, 4, 0.01)):
    for o in (dict(top_k=50), dict(top_k=3000), dict(top_p=0.9), dict(top_p=0.2), dict(min_p=0.05), dict(typical_p=0.9), dict(typical_p=0.2),
              dict(top_k=400, top_p=0.7, min_p=0.1)):
        s = processed(spread(n, seed, width), [1], 1, [0], dict(temperature=0.9) | o)
        if np.isfinite(s).sum() < 600 or o.get("top_k") == 3000 and n == 5000:
            add(f"{o} of {n}", dict(temperature=0.9) | o, text=[1], prompt=1, spread_=(n, seed, width))
rng = random.Random(6)
for e in (0.001, 0.03, 0.1, 0.5):
    for filter in ("epsilon_cutoff", "eta_cutoff"):
        add(f"{filter} {e}", {"temperature": 1.0, filter: e})
        add(f"{filter} {e} of ties", {"temperature": 1.0, filter: e}, steps)
        add(f"{filter} {e} of equals", {"temperature": 0.7, filter: e}, tied)
        add(f"{filter} {e} behind others", {"temperature": 1.3, filter: e, "top_k": 20, "typical_p": 0.95, "epsilon_cutoff": e / 3} | {filter: e})
answer = dict(text=[1, 7, 3, 12, 7, 3], prompt=1, source=[9, 3, 7, 11, 3, 7, 12, 3, 5])
for r in (1.5, 0.7):
    add(f"encoder repetition {r}", dict(encoder_repetition_penalty=r), **answer)
    add(f"encoder repetition {r} of a prompt", dict(encoder_repetition_penalty=r, repetition_penalty=1.2))
for n in (1, 2, 3):
    add(f"no {n}-gram of the source", dict(encoder_no_repeat_ngram_size=n), **answer)
    add(f"no {n}-gram of the prompt", dict(encoder_no_repeat_ngram_size=n))
for name, text in {"start": [1], "further on": [1, 4]}.items():
    add(f"forced first token, {name}", dict(forced_bos_token_id=6), text=text, prompt=1)
    add(f"suppressed at the beginning, {name}", dict(begin_suppress_tokens=[3, 11, 30]), text=text, prompt=1)
    add(f"forced and suppressed, {name}", dict(begin_suppress_tokens=[3, 11, 30], forced_bos_token_id=6), text=text, prompt=1)
add("suppressed behind a prompt", dict(begin_suppress_tokens=[3, 11, 30]), text=[4, 5, 6], prompt=3)
for most in (4, 5, 6, 7):
    add(f"forced last token of {most}", dict(forced_eos_token_id=2), text=[1, 7, 3, 12, 7, 3], prompt=1, most=most)
    add(f"forced last tokens of {most}", dict(forced_eos_token_id=[8, 2]), text=[1, 7, 3, 12, 7, 3], prompt=1, most=most)
for first in (2, 4, 5, 8):
    add(f"decay from {first}", dict(exponential_decay_length_penalty=[first, 1.4]), ends=(0, 4), text=[1, 7, 3, 12, 7, 3], prompt=1)
add("decay of an end that is forbidden", dict(exponential_decay_length_penalty=[1, 1.4], min_new_tokens=9), ends=(0, 4), text=[1, 7, 3, 12, 7, 3], prompt=1)
add("everything of an answer", everything | dict(encoder_repetition_penalty=1.3, encoder_no_repeat_ngram_size=2, exponential_decay_length_penalty=[2, 1.1], begin_suppress_tokens=[4], min_new_tokens=2), **answer)
json.dump(dict(transformers=transformers.__version__, torch=torch.__version__, vectors=vectors), open("sampling.json", "w"), separators=(",", ":"))
print(len(vectors))
