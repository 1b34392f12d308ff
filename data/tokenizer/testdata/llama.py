"""What llama.cpp makes of GGUF tokenizers.

With a directory, NAME.gguf.tokens.json is written beside every NAME.gguf there: the ids of the
texts of vectors.json, for TestGGUFModels (HONE_TEST_MODELS=DIR). Without one, gguf/pre.json.gz and
gguf/cases.json are made anew. The first is a small vocabulary whose merges cross every border, and its ids under every
pre-tokenizer that hone knows the name of, so that a cut at another place shows; the second the small files of
gguf/ with other keys. For PATTERNS
llama.cpp's own pattern cuts some texts otherwise than that of the tokenizer.json it stands for:
there the ids are those of tokenizers with the file's own. Texts of characters that are newer
than llama.cpp's tables are left out.

Made with llama-cpp-python 0.3.36, gguf 0.19.0, tokenizers 0.23.3, Python 3.11:

    python llama.py [DIR]
"""
import glob
import gzip
import io
import json
import os
import sys
import tempfile
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = [v["text"] for v in json.load(open(os.path.join(HERE, "vectors.json"))) if "\U00010d4a" not in v["text"]]

NAMES = """gpt-2 smollm llama-bpe glm4 dbrx qwen2 stablelm2 qwen35 minicpm5 jais-2 deepseek-llm deepseek-coder deepseek-v3 spark2_5 youtu falcon bloom viking
tekken gpt-4o granite-embed-multi-97m tiny_aya superbpe bailingmoe seed-coder ufakzeka laguna exaone-moe chameleon default""".split()

CASED = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
UPPER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = CASED + SHORT + "|" + UPPER + SHORT + r"|\p{N}{1,3}|" + REST
JAPANESE = "[一-龥぀-ゟ゠-ヿ]+"
PATTERNS = {
    "deepseek-coder": ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"],
    "gpt-4o": [O200K],
    "granite-embed-multi-97m": [O200K],
    "tekken": [CASED + "|" + UPPER + r"|\p{N}|" + REST],
    "tiny_aya": [r"\d{1,3}(?=(?:\d{3})*\b)", O200K],
    "youtu": ["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" + JAPANESE, O200K.replace("{1,3}", "")],
}
IGNORE_MERGES = ["granite-embed-multi-97m", "tekken", "youtu"]
NFC = ["qwen2"]  # as its tokenizer.json says; llama.cpp does not normalise


def encode(path, texts):
    from llama_cpp import Llama

    m = Llama(path, vocab_only=True, verbose=False)
    return [(m.tokenize(t.encode(), add_bos=False, special=True), m.tokenize(t.encode(), add_bos=True, special=True)) for t in texts]


def kind(path):
    """tokenizer.ggml.model and .pre of a file."""
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    return [fields[k].contents() if k in fields else "" for k in ("tokenizer.ggml.model", "tokenizer.ggml.pre")]


def differs(model, pre, text):
    """Where llama.cpp gives other ids than the tokenizer that the model was trained with."""
    if model == "bert":  # it drops Hangul, and marks beside accents, and knows no longest word
        return any(ord(c) > 127 for c in text) or "\x00" in text or any(len(w) > 100 for w in text.split())
    if model == "t5":  # where one character of a cluster is replaced, the library replaces the cluster
        return "\u00a0\u0301" in text
    if pre.startswith("qwen"):  # there "</s>" is an ordinary token
        return unicodedata.normalize("NFC", text) != text or "</s>" in text
    return False


def write(path, name, tokens, merges):
    from gguf import GGUFWriter, TokenType

    w = GGUFWriter(path, "llama")
    w.add_block_count(0)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(name)
    w.add_token_list(tokens)
    w.add_token_types([TokenType.CONTROL if t == "<|endoftext|>" else TokenType.NORMAL for t in tokens])
    w.add_token_merges(merges)
    w.add_bos_token_id(0)
    w.add_eos_token_id(0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def cases():
    """The small files of gguf/ with other keys."""
    from gguf import GGUFReader, GGUFWriter

    def rewrite(base, path, keys, tokens):
        fields = {k: f.contents() for k, f in GGUFReader(os.path.join(HERE, "gguf", base + ".gguf")).fields.items() if k.startswith("tokenizer.")}
        for i, (text, kind) in tokens.items():
            i = int(i)
            if i == len(fields["tokenizer.ggml.tokens"]):
                fields["tokenizer.ggml.tokens"].append(text)
                fields["tokenizer.ggml.token_type"].append(kind)
                if "tokenizer.ggml.scores" in fields:
                    fields["tokenizer.ggml.scores"].append(-1000.0)
            else:
                fields["tokenizer.ggml.tokens"][i], fields["tokenizer.ggml.token_type"][i] = text, kind
        w = GGUFWriter(path, "llama")
        w.add_block_count(0)
        for k, v in {**fields, **{"tokenizer.ggml." + k: v for k, v in keys.items()}}.items():
            if isinstance(v, bool):
                w.add_bool(k, v)
            elif isinstance(v, int):
                w.add_uint32(k, v)
            elif isinstance(v, str):
                w.add_string(k, v)
            elif k.endswith("charsmap"):
                w.add_precompiled_charsmap(bytes(v))
            else:
                w.add_array(k, v)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()
        return len(fields["tokenizer.ggml.tokens"])

    out = []
    with tempfile.TemporaryDirectory() as d:
        def case(base, keys={}, tokens={}):
            path = os.path.join(d, f"{len(out)}.gguf")
            rewrite(base, path, keys, tokens)
            v = encode(path, CASE_TEXTS)
            out.append({"base": base, "keys": keys, "tokens": tokens, "ids": [a for a, _ in v], "framed": [b for _, b in v]})

        n = {b: len(GGUFReader(os.path.join(HERE, "gguf", b + ".gguf")).fields["tokenizer.ggml.tokens"].data) for b in ("gpt2", "llama", "t5")}
        for b in ("llama", "t5"):
            case(b)
            case(b, {"add_space_prefix": False, "remove_extra_whitespaces": False})  # with both it sets a blank, which SentencePiece does not
            case(b, {"add_bos_token": False, "add_eos_token": True})
            case(b, {"add_bos_token": True, "add_eos_token": False, "bos_token_id": 1, "eos_token_id": 2})
            case(b, {}, {str(n[b]): ["<usr>", 4], str(n[b] + 1): ["  ", 4], str(n[b] + 2): ["<|im_end|>", 1], str(n[b] + 3): [f"[PAD{n[b] + 3}]", 5]})
        case("t5", {"remove_extra_whitespaces": False})
        case("gpt2", {"add_bos_token": True, "add_eos_token": True})
        case("gpt2", {"pre": "llama-bpe"})
        case("gpt2", {"pre": "llama-bpe", "add_bos_token": False})
        m = n["gpt2"]
        case("gpt2", {"pre": "qwen2"}, {str(m): ["<usr>", 4], str(m + 1): ["<ctl>", 3], str(m + 2): ["<|im_end|>", 1], str(m + 3): ["\n\n", 4], str(m + 4): [f"[PAD{m + 4}]", 5]})
    text = ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in out)
    with open(os.path.join(HERE, "gguf", "cases.json"), "w") as f:
        f.write('{"texts": ' + json.dumps(CASE_TEXTS, ensure_ascii=False) + ',\n"cases": [\n' + text + "\n]}\n")


CASE_TEXTS = ["", "Hello, world!", "  two  blanks ", "a\n\n\nb", "<user>x <usr> y<ctl>", "<s>a</s> b", "<|im_end|>\nc", "안녕하세요 세계", "<|endoftext|>x", "[PAD1234] é", "\t\tx 12345", "3 33 333"]


def pre():
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    t.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=2500, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    model = json.loads(t.to_str())["model"]
    tokens = [k for k, _ in sorted(model["vocab"].items(), key=lambda x: x[1])]
    merges = [" ".join(m) for m in model["merges"]]
    ids = {}
    with tempfile.TemporaryDirectory() as d:
        for name in NAMES:
            if name in PATTERNS:
                t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(x), "isolated") for x in PATTERNS[name]] + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
                t.model = models.BPE(model["vocab"], [tuple(m) for m in model["merges"]], ignore_merges=name in IGNORE_MERGES)
                ids[name] = [t.encode(s).ids for s in TEXTS]
            else:
                path = os.path.join(d, name + ".gguf")
                write(path, name, tokens, merges)
                ids[name] = [a for a, _ in encode(path, [unicodedata.normalize("NFC", s) for s in TEXTS] if name in NFC else TEXTS)]
    with gzip.GzipFile(os.path.join(HERE, "gguf", "pre.json.gz"), "wb", mtime=0) as z, io.TextIOWrapper(z, "utf-8") as f:
        rows = lambda v: ",\n".join(json.dumps(x, ensure_ascii=False, separators=(",", ":")) for x in v)
        f.write('{"tokens": [\n' + rows(tokens) + '\n],\n"merges": [\n' + rows(merges) + '\n],\n"texts": [\n' + rows(TEXTS) + '\n],\n"ids": {\n')
        f.write(",\n".join(f"{json.dumps(n)}: [\n{rows(v)}\n]" for n, v in ids.items()) + "\n}}\n")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        pre()
        cases()
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.gguf"))) if len(sys.argv) > 1 else []:
        try:
            out = encode(path, TEXTS)
        except Exception as e:
            print(path, e)
            continue
        model, name = kind(path)
        with open(path + ".tokens.json", "w") as f:
            json.dump([{"text": t, "ids": a, "framed": b} for t, (a, b) in zip(TEXTS, out) if not differs(model, name, t)], f, ensure_ascii=False)
