# Writes tiny random models as GGUF files, as llama.cpp's converter lays them out, and models.json:
# of each the configuration and the sha256 of every tensor, as float32: of a file of Q8_0 what
# transformers reads from it by its own loader, of the others what the file was made of.
# Versions are in models.json. Run with gguf, transformers, torch and accelerate.
import hashlib, json, os, torch, transformers, gguf, importlib.metadata
from transformers import AutoConfig, AutoModelForCausalLM, BertModel, BertConfig

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(7)
V, C, F, L, D = 270, 32, 64, 2, 8


def byte_tokens():
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    out, n = [], 0
    for b in range(256):
        if b in printable:
            out.append(chr(b))
        else:
            out.append(chr(256 + n)); n += 1
    return out


def permute(w, heads):
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def write(name, arch, state, keys, tokenizer, dtype):
    w = gguf.GGUFWriter(name + ".gguf", arch)
    w.add_type("model"); w.add_name("tiny " + name)
    for key, value in keys.items():
        key = arch + "." + key
        if isinstance(value, bool): w.add_bool(key, value)
        elif isinstance(value, float): w.add_float32(key, value)
        elif isinstance(value, str): w.add_string(key, value)
        else: w.add_uint32(key, value)
    if tokenizer == "gpt2":
        tokens = byte_tokens() + ["<|end|>"] + ["t" + c for c in "habcdefgijklm"]
        assert len(tokens) == V
        w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre("gpt-2")
        w.add_token_list(tokens); w.add_token_types([1] * 256 + [3] + [1] * 13)
        w.add_token_merges(["t " + c for c in "habcdefgijklm"])
        w.add_bos_token_id(256); w.add_eos_token_id(256); w.add_add_bos_token(False)
    elif tokenizer == "llama":
        tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)] + ["▁", "a", "b", "c", "▁a", "ab", "abc", "▁b", "d", "e", "f"]
        assert len(tokens) == V
        w.add_tokenizer_model("llama"); w.add_tokenizer_pre("default"); w.add_token_list(tokens)
        w.add_token_scores([0.0] * 259 + [-float(i) for i in range(11)]); w.add_token_types([2, 3, 3] + [6] * 256 + [1] * 11)
        w.add_bos_token_id(1); w.add_eos_token_id(2); w.add_unk_token_id(0); w.add_add_bos_token(True); w.add_add_space_prefix(False)
    else:
        tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + ["▁" + chr(97 + i % 26) * (1 + i // 26) for i in range(130)] + [chr(97 + i % 26) * (1 + i // 26) for i in range(135)]
        w.add_tokenizer_model("bert"); w.add_tokenizer_pre("default"); w.add_token_list(tokens); w.add_token_types([3] * 5 + [1] * 265)
        w.add_token_type_count(2)
        w.add_pad_token_id(0); w.add_unk_token_id(1); w.add_bos_token_id(2); w.add_sep_token_id(3); w.add_mask_token_id(4)
    for tensor, value in state.items():
        value = value.detach().float().contiguous().numpy()
        if value.ndim == 2 and value.shape[1] % 32 == 0 and dtype == "Q8_0":
            data = gguf.quants.quantize(value, gguf.GGMLQuantizationType.Q8_0)
            w.add_tensor(tensor, data, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        elif value.ndim == 2 and dtype == "F16":
            w.add_tensor(tensor, value.astype("float16"))
        else:
            w.add_tensor(tensor, value)
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()


def stir(model):
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((torch.randn_like(p) * 0.2).half())  # which F16 holds
    return model


def decoder(state, arch, heads, kv):
    out = {}
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
             "input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm" if arch == "gemma3" else "ffn_norm",
             "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm"}
    for name, t in state.items():
        if arch == "llama" and "q_proj." in name: t = permute(t, heads)
        if arch == "llama" and "k_proj." in name: t = permute(t, kv)
        if arch == "gemma3" and name.endswith("norm.weight"): t = t + 1
        if name == "model.embed_tokens.weight": out["token_embd.weight"] = t
        elif name == "model.norm.weight": out["output_norm.weight"] = t
        elif name == "lm_head.weight": out["output.weight"] = t
        else:
            _, _, layer, rest = name.split(".", 3)
            stem, end = rest.rsplit(".", 1)
            out["blk.%s.%s.%s" % (layer, names[stem], end)] = t
    return out


result = {"gguf": importlib.metadata.version("gguf"), "transformers": transformers.__version__, "torch": torch.__version__, "models": {}}


def keep(name, model, config):
    state = {k: v for k, v in model.state_dict().items()}
    result["models"][name] = {
        "config": {k: getattr(model.config, k) for k in config},
        "tensors": {k: hashlib.sha256(v.detach().float().contiguous().numpy().tobytes()).hexdigest() for k, v in state.items() if not k.endswith(".position_ids")}}


def causal(name, config, arch, keys, tokenizer, dtype, drop=(), shown=(), rope=None):
    model = stir(AutoModelForCausalLM.from_config(config))
    if config.tie_word_embeddings: model.tie_weights()
    state = {k: v for k, v in model.state_dict().items() if k not in drop}
    if arch == "gpt2":
        m = {}
        for k, v in state.items():
            stem, end = k.rsplit(".", 1)
            if k.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")): v = v.t()
            for a, b in (("transformer.h.", "blk."), ("transformer.wte", "token_embd"), ("transformer.wpe", "position_embd"), ("transformer.ln_f", "output_norm"),
                         ("attn.c_attn", "attn_qkv"), ("attn.c_proj", "attn_output"), ("ln_1", "attn_norm"), ("ln_2", "ffn_norm"), ("mlp.c_fc", "ffn_up"),
                         ("mlp.c_proj", "ffn_down"), ("lm_head", "output")):
                stem = stem.replace(a, b)
            m[stem + "." + end] = v
    else:
        m = decoder(state, arch, config.num_attention_heads, config.num_key_value_heads)
    if rope is not None: m["rope_freqs.weight"] = rope
    write(name, arch, m, keys, tokenizer, dtype)
    if dtype == "Q8_0":
        model = AutoModelForCausalLM.from_pretrained(".", gguf_file=name + ".gguf", dtype=torch.float32)
    keep(name, model, shown)


common = dict(vocab_size=V, hidden_size=C, intermediate_size=F, num_hidden_layers=L, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64)
sizes = {"context_length": 64, "embedding_length": C, "feed_forward_length": F, "block_count": L, "attention.head_count": 4}
rms = {"attention.head_count_kv": 2, "attention.layer_norm_rms_epsilon": 1e-5}
seen = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "tie_word_embeddings", "vocab_size", "max_position_embeddings")

causal("llama", AutoConfig.for_model("llama", **common, rms_norm_eps=1e-5, tie_word_embeddings=False), "llama",
       {**sizes, **rms, "rope.dimension_count": 8, "rope.freq_base": 10000.0, "vocab_size": V}, "llama", "Q8_0", shown=seen)
causal("bias", AutoConfig.for_model("llama", **common, rms_norm_eps=1e-5, tie_word_embeddings=True, attention_bias=True, mlp_bias=True), "llama",
       {**sizes, **rms, "rope.dimension_count": 8}, "llama", "F16", drop=("lm_head.weight",), shown=seen)
big = dict(common, head_dim=32)
scaling = dict(rope_type="llama3", factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
cfg3 = AutoConfig.for_model("llama", **big, rms_norm_eps=1e-5, tie_word_embeddings=True, rope_parameters=dict(scaling, rope_theta=500000.0))
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
plain = 1.0 / (500000.0 ** (torch.arange(0, 32, 2, dtype=torch.float32) / 32))
factors = plain / ROPE_INIT_FUNCTIONS["llama3"](cfg3, "cpu")[0]
causal("llama3", cfg3, "llama", {**sizes, **rms, "rope.dimension_count": 32, "attention.key_length": 32, "attention.value_length": 32, "rope.freq_base": 500000.0},
       "gpt2", "F16", drop=("lm_head.weight",), shown=seen + ("head_dim",), rope=factors)
causal("qwen2", AutoConfig.for_model("qwen2", **common, rms_norm_eps=1e-6, tie_word_embeddings=True), "qwen2",
       {**sizes, **rms, "attention.layer_norm_rms_epsilon": 1e-6, "rope.freq_base": 1000000.0}, "gpt2", "Q8_0", drop=("lm_head.weight",), shown=seen)
causal("qwen3", AutoConfig.for_model("qwen3", **dict(common, head_dim=16), rms_norm_eps=1e-6, tie_word_embeddings=True), "qwen3",
       {**sizes, **rms, "attention.layer_norm_rms_epsilon": 1e-6, "rope.freq_base": 1000000.0, "attention.key_length": 16, "attention.value_length": 16},
       "gpt2", "F16", drop=("lm_head.weight",), shown=seen + ("head_dim",))
causal("gemma3", AutoConfig.for_model("gemma3_text", **dict(common, num_hidden_layers=7), head_dim=16, query_pre_attn_scalar=16, sliding_window=16, rms_norm_eps=1e-6, tie_word_embeddings=True),
       "gemma3", {**sizes, **rms, "block_count": 7, "attention.layer_norm_rms_epsilon": 1e-6, "rope.freq_base": 1000000.0, "attention.key_length": 16,
                  "attention.value_length": 16, "attention.sliding_window": 16}, "llama", "Q8_0", drop=("lm_head.weight",),
       shown=seen + ("head_dim", "layer_types"))
causal("gpt2", AutoConfig.for_model("gpt2", vocab_size=V, n_positions=64, n_embd=C, n_layer=L, n_head=4), "gpt2",
       {**{k: v for k, v in sizes.items()}, "feed_forward_length": 4 * C, "attention.layer_norm_epsilon": 1e-5}, "gpt2", "F16", drop=("lm_head.weight",),
       shown=("n_embd", "n_layer", "n_head", "n_positions", "vocab_size"))

bert = stir(BertModel(BertConfig(vocab_size=V, hidden_size=C, num_hidden_layers=L, num_attention_heads=4, intermediate_size=F, max_position_embeddings=64), add_pooling_layer=False))
m = {}
for k, v in bert.state_dict().items():
    stem, end = k.rsplit(".", 1)
    for a, b in (("embeddings.word_embeddings", "token_embd"), ("embeddings.position_embeddings", "position_embd"), ("embeddings.token_type_embeddings", "token_types"),
                 ("embeddings.LayerNorm", "token_embd_norm"), ("encoder.layer.", "blk."), ("attention.self.query", "attn_q"), ("attention.self.key", "attn_k"),
                 ("attention.self.value", "attn_v"), ("attention.output.dense", "attn_output"), ("attention.output.LayerNorm", "attn_output_norm"),
                 ("intermediate.dense", "ffn_up"), ("output.dense", "ffn_down"), ("output.LayerNorm", "layer_output_norm")):
        stem = stem.replace(a, b)
    m[stem + "." + end] = v
write("bert", "bert", m, {**sizes, "attention.layer_norm_epsilon": 1e-12, "attention.causal": False, "pooling_type": 1}, "bert", "F16")
keep("bert", bert, ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "type_vocab_size", "max_position_embeddings"))
json.dump(result, open("models.json", "w"), indent=1, sort_keys=True)
