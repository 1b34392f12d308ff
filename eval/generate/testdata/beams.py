# Writes beams.json: texts and scores of transformers' beam search with a model whose logits are the
# sum of rows of three tables: by the last token, by the token before it, and by the text's length.
# Versions are in the file.  python beams.py
import json, random, numpy as np, torch, transformers
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

V = 24
rng = np.random.default_rng(3)
LAST, BEFORE, LENGTH = (rng.normal(size=(V, V)) * s for s in (1.5, 0.7, 0.5))
LENGTH[:, :3] += np.arange(V)[:, None] / 8  # tokens that end texts, in some of the cases
LAST, BEFORE, LENGTH = (np.round(x, 3).astype(np.float32) for x in (LAST, BEFORE, LENGTH))


class Tables(PreTrainedModel, GenerationMixin):
    config_class = PretrainedConfig

    def __init__(self, config):
        super().__init__(config)
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.post_init()

    def forward(self, input_ids, attention_mask=None, **_):
        logits = torch.tensor(LAST)[input_ids] + torch.tensor(LENGTH)[1 : input_ids.shape[1] + 1]
        logits[:, 1:] += torch.tensor(BEFORE)[input_ids[:, :-1]]
        return CausalLMOutput(logits=logits)

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, **_):
        return dict(input_ids=input_ids)


model = Tables(PretrainedConfig(vocab_size=V))
cases, draw = [], random.Random(4)
for k in range(60):
    options = dict(num_beams=draw.choice([2, 3, 4, 6]), length_penalty=draw.choice([1.0, 0.0, 0.5, 2.0, -1.0]), early_stopping=draw.choice([False, True, "never"]),
                   max_new_tokens=draw.choice([1, 2, 5, 9, 14]))
    options["num_return_sequences"] = draw.choice([1, options["num_beams"]])
    if k % 3 == 1:
        options["repetition_penalty"] = 1.3
    if k % 4 == 2:
        options["no_repeat_ngram_size"] = 2
    if k % 5 == 3:
        options["min_new_tokens"] = min(3, options["max_new_tokens"])
    if k % 6 == 4:
        options["sequence_bias"] = [[[7], 1.5], [[7, 9], -2.0]]
    ends = [[0], [0, 1], [2], [0, 1, 2]][k % 4]
    prompts = [[draw.randrange(3, V) for _ in range(3)] for _ in range(draw.choice([1, 3]))]
    g = GenerationConfig(**options, eos_token_id=ends, pad_token_id=V - 1, use_cache=False, do_sample=False, return_dict_in_generate=True, output_scores=True)
    out = model.generate(torch.tensor(prompts), attention_mask=torch.ones(len(prompts), 3, dtype=torch.long), generation_config=g)
    n, results = options["num_return_sequences"], []
    lengths = (out.beam_indices >= 0).sum(1)  # the padding behind a text is none of it
    for i, (ids, score) in enumerate(zip(out.sequences, out.sequences_scores)):
        results.append(dict(prompt=i // n, ids=ids[3 : 3 + int(lengths[i])].tolist(), score=float(score)))
    cases.append(dict(options=options, ends=ends, prompts=prompts, results=results))
plain = lambda x: [[round(float(v), 3) for v in row] for row in x]
json.dump(dict(transformers=transformers.__version__, torch=torch.__version__, last=plain(LAST), before=plain(BEFORE), length=plain(LENGTH), cases=cases),
          open("beams.json", "w"), separators=(",", ":"))
print(len(cases), [len(r["ids"]) for c in cases for r in c["results"]])
