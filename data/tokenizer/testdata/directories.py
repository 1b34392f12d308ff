"""What AutoTokenizer makes of directories without tokenizer.json: classes, and every key that
changes ids. With a number, so many directories drawn at random are written to the file named,
for HONE_DIRECTORIES; else directories/ is made anew: vocabularies, and cases.json with the
directories of chosen() and their values.

Made with transformers 5.24.0, tokenizers 0.23.3, sentencepiece 0.2.3, Python 3.11:

    python directories.py
    python directories.py 2000 /tmp/many.json
"""
import json
import os
import random
import shutil
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
HERE = os.path.dirname(os.path.abspath(__file__))
DIR = os.path.join(HERE, "directories")

TEXTS = [
    "The river Ran", "river<s> river</s>", "<s>river", "café Éa naïve", "a  b   c ", " lead", "\tx\n\ny", "cool-token", "xcool-token y", "a cool-token  b",
    "``quoted'' 1,234", "山水 river", "[MASK] a [SEP]b", "<mask> a <mask>", "<|endoftext|>a", "<extra_id_0> and <extra_id_1>", "▁river ▁▁x", "don't RUN", "",
    "ǅ İstanbul ﬁx", "🙂 b", "<user>x<user>", "x <user> y", "<sep><cls><eop>", "the [NEW] one", "a\u0301b", "<image>a", "new word",
]
PAIR = [("The river", "ran on"), ("a", "cool-token <s>")]


def vocabularies():
    """Writes the vocabularies that all directories share."""
    import sentencepiece as spm
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(DIR)
    words = "the river ran on down hill and it was a cool token new word quoted one two x y b c don t image user run mask".split()
    text = [" ".join(words[i % len(words)] for i in range(k, k + 7)) for k in range(200)] + ["The River café naïve 1,234 山水"] * 5

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    lower = list("abcdefghijklmnopqrstuvwxyz0123456789-,.'[]<>/|`") + ["the", "river", "ran", "cool", "token", "cafe", "##r", "##s", "##e", "##a", "##n", "山", "naive"]
    with open(os.path.join(DIR, "lower.txt"), "w") as f:
        f.write("\n".join(special + lower) + "\n")
    with open(os.path.join(DIR, "cased.txt"), "w") as f:
        f.write("\n".join(special + lower + ["The", "River", "Ran", "café", "R", "##iver", "É"]) + "\n")

    def byte_bpe(name, first):
        t = Tokenizer(models.BPE())
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        t.train_from_iterator(text, trainers.BpeTrainer(vocab_size=256 + 60 + len(first), special_tokens=first, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
        t.model.save(DIR, name)

    byte_bpe("roberta", ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    byte_bpe("gpt2", ["<|endoftext|>"])

    corpus = os.path.join(tempfile.mkdtemp(), "corpus.txt")
    with open(corpus, "w") as f:
        f.write("\n".join(text))
    rules = os.path.join(os.path.dirname(corpus), "rules.tsv")
    with open(rules, "w") as f:
        f.write("FB01\t66 69\n41\t61\nFF21\t41\n")  # ﬁ → fi, A → a

    def piece(name, **options):
        spm.SentencePieceTrainer.train(input=corpus, model_prefix=os.path.join(DIR, name), minloglevel=2, hard_vocab_limit=False, **options)
        os.remove(os.path.join(DIR, name + ".vocab"))

    piece("llama", model_type="bpe", vocab_size=360, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False)
    piece("user", model_type="bpe", vocab_size=390, byte_fallback=True, normalization_rule_name="identity", user_defined_symbols=["<user>", "ver", "a.b"], control_symbols=["<ctl>"])
    piece("gemma", model_type="bpe", vocab_size=370, byte_fallback=True, normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False,
          pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>", user_defined_symbols=["<mask>", "<start_of_turn>"])
    piece("t5", model_type="unigram", vocab_size=90, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_tsv=rules)
    piece("xlnet", model_type="unigram", vocab_size=90, normalization_rule_tsv=rules, control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>"], user_defined_symbols=["<eop>"])
    piece("xlmr", model_type="unigram", vocab_size=90, normalization_rule_tsv=rules)
    piece("gemma3", model_type="bpe", vocab_size=380, byte_fallback=True, normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False,
          pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>",
          user_defined_symbols=["<mask>", "[multimodal]", "<unused0>", "<start_of_turn>", "<end_of_turn>", "\n", "\n\n", "▁▁", "▁▁▁", "\t"])
    piece("bare", model_type="unigram", vocab_size=90, normalization_rule_name="identity")



def added(r, n, base):
    """An added_tokens_decoder, or added_tokens.json's ids, from base on."""
    flags = lambda: {"lstrip": r.random() < 0.3, "rstrip": r.random() < 0.3, "single_word": r.random() < 0.3, "normalized": r.random() < 0.5, "special": r.random() < 0.5}
    names = r.sample(["cool-token", "[NEW]", "<image>", "new word", "RUN"], n)
    return {str(base + i): {"content": c, **flags()} for i, c in enumerate(names)}


def size(name):
    path = os.path.join(DIR, name)
    if name.endswith(".txt"):
        return len(open(path).read().splitlines())
    if name.endswith("vocab.json"):
        return len(json.load(open(path)))
    import sentencepiece as spm
    return len(spm.SentencePieceProcessor(model_file=path))


KINDS = {  # class, model types, files, keys that it may have
    "bert": (["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "ElectraTokenizer", None], ["bert", "distilbert", "electra"], [{"vocab.txt": "lower.txt"}, {"vocab.txt": "cased.txt"}],
             {"do_lower_case": [True, False], "strip_accents": [True, False, None], "tokenize_chinese_chars": [True, False], "do_basic_tokenize": [False], "never_split": [["river"]],
              "mask_token": ["[MASK]", "<mask>"], "cls_token": ["[CLS]", "<s>"], "unk_token": ["[UNK]"]}),
    "roberta": (["RobertaTokenizer", "RobertaTokenizerFast", "BartTokenizer", None], ["roberta", "bart"], [{"vocab.json": "roberta-vocab.json", "merges.txt": "roberta-merges.txt"}],
                {"add_prefix_space": [True, False], "trim_offsets": [False], "mask_token": ["<mask>", {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": True}]}),
    "gpt2": (["GPT2Tokenizer", "GPT2TokenizerFast", None], ["gpt2", "opt"], [{"vocab.json": "gpt2-vocab.json", "merges.txt": "gpt2-merges.txt"}, {"vocab.json": "roberta-vocab.json", "merges.txt": "roberta-merges.txt"}],
             {"add_prefix_space": [True, False], "add_bos_token": [True, False], "add_eos_token": [True], "bos_token": ["<s>", None], "pad_token": ["<pad>"], "errors": ["strict"]}),
    "qwen2": (["Qwen2Tokenizer", "Qwen2TokenizerFast", "LlamaTokenizer", None], ["qwen2", "qwen3"], [{"vocab.json": "gpt2-vocab.json", "merges.txt": "gpt2-merges.txt"}],
              {"add_prefix_space": [True, False], "eos_token": ["<|im_end|>", "<|endoftext|>"], "bos_token": [None], "additional_special_tokens": [["<image>", "<user>"]]}),
    "llama": (["LlamaTokenizer", "LlamaTokenizerFast", None, "PreTrainedTokenizerFast"], ["llama", "mistral"], [{"tokenizer.model": "llama.model"}, {"tokenizer.model": "user.model"}, {"tokenizer.model": "bare.model"}],
              {"legacy": [True, False, None], "add_bos_token": [True, False], "add_eos_token": [True, False], "add_prefix_space": [True, False, None], "pad_token": ["<pad>", "</s>"], "unk_token": ["<unk>"],
               "bos_token": [{"__type": "AddedToken", "content": "<s>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}]}),
    "t5": (["T5Tokenizer", "T5TokenizerFast", None], ["t5", "mt5"], [{"spiece.model": "t5.model"}],
           {"extra_ids": [0, 5, 100], "additional_special_tokens": [["<extra_id_%d>" % i for i in range(100)], ["<image>"]], "eos_token": ["</s>"], "legacy": [True, False], "do_lower_case": [True]}),
    "xlnet": (["XLNetTokenizer", None], ["xlnet"], [{"spiece.model": "xlnet.model"}, {"spiece.model": "bare.model"}],
              {"do_lower_case": [True, False], "keep_accents": [True], "remove_space": [False], "mask_token": ["<mask>", {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": False}],
               "cls_token": ["<cls>"], "additional_special_tokens": [["<eop>", "<eod>"]], "legacy": [False]}),
    "gemma": (["GemmaTokenizer", "GemmaTokenizerFast", None], ["gemma"], [{"tokenizer.model": "gemma.model"}], {"add_bos_token": [True, False], "pad_token": ["<pad>"], "spaces_between_special_tokens": [False]}),
    "xlm-roberta": (["XLMRobertaTokenizer", "XLMRobertaTokenizerFast", None], ["xlm-roberta"], [{"sentencepiece.bpe.model": "xlmr.model"}, {"sentencepiece.bpe.model": "t5.model"}],
                    {"add_prefix_space": [True, False], "mask_token": ["<mask>", "[MASK]", {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": False}], "bos_token": ["<s>", "<bos>"],
                     "additional_special_tokens": [["<image>", "<user>"]], "cls_token": ["[CLS]"], "legacy": [False]}),
    "camembert": (["CamembertTokenizer", "CamembertTokenizerFast", None], ["camembert"], [{"sentencepiece.bpe.model": "xlmr.model"}, {"sentencepiece.bpe.model": "bare.model"}],
                  {"add_prefix_space": [True, False], "mask_token": ["<mask>", "[MASK]", {"__type": "AddedToken", "content": "<mask>", "lstrip": False, "normalized": True}], "unk_token": ["<unk>", "[UNK]"],
                   "additional_special_tokens": [["<s>NOTUSED", "</s>NOTUSED"], ["<image>"], []], "eos_token": ["</s>", "<eos>"]}),
    "gemma3": (["GemmaTokenizer", "GemmaTokenizerFast", None], ["gemma3_text", "gemma"], [{"tokenizer.model": "gemma3.model"}],
               {"add_bos_token": [True, False], "add_eos_token": [True], "mask_token": ["<mask>", None], "additional_special_tokens": [["<start_of_turn>", "<end_of_turn>"]], "extra_special_tokens": [{"image_token": "[multimodal]"}]}),
}


def draw(r):
    kind = r.choice(list(KINDS))
    classes, types, files, keys = KINDS[kind]
    out = dict(r.choice(files))
    config = {}
    c = r.choice(classes)
    if c:
        config["tokenizer_class"] = c
    for k, values in keys.items():
        if r.random() < 0.4:
            config[k] = r.choice(values)
    if r.random() < 0.2:
        config["model_max_length"] = 12
    if r.random() < 0.15:
        config["image_token"] = "<image>"
    if r.random() < 0.15:
        config["extra_special_tokens"] = r.choice([["<image>", "[NEW]"], {"image_token": "<image>", "b_token": "<user>"}, []])
    vocab = next(v for k, v in out.items() if k != "merges.txt")
    base = size(vocab) + (config.get("extra_ids", 100) if kind == "t5" else {"xlm-roberta": 2, "camembert": 5}.get(kind, 0))
    way = r.random()
    if way < 0.25:
        config["added_tokens_decoder"] = added(r, r.randint(1, 3), base)
    elif way < 0.45:
        out["added_tokens.json"] = {v["content"]: int(k) for k, v in added(r, r.randint(1, 3), base).items()}
    if r.random() < 0.25:
        m = {}
        for role in ("mask_token", "pad_token", "bos_token"):
            if r.random() < 0.4:
                tok = {"bert": {"mask_token": "[MASK]", "pad_token": "[PAD]", "bos_token": "<s>"}}.get(kind, {"mask_token": "<mask>", "pad_token": "<pad>", "bos_token": "<s>"})[role]
                m[role] = r.choice([tok, {"content": tok, "lstrip": r.random() < 0.5, "rstrip": False, "single_word": False, "normalized": r.random() < 0.5}])
        if r.random() < 0.4:
            m["additional_special_tokens"] = r.choice([["<image>"], ["[NEW]", "<user>"]])
        out["special_tokens_map.json"] = m
    if config or r.random() < 0.5:
        out["tokenizer_config.json"] = config
    out["config.json"] = {"model_type": r.choice(types)}
    return {"name": kind, "files": out}


def values(case):
    from transformers import AutoTokenizer

    d = tempfile.mkdtemp()
    try:
        for name, content in case["files"].items():
            if isinstance(content, str):
                shutil.copy(os.path.join(DIR, content), os.path.join(d, name))
            else:
                json.dump(content, open(os.path.join(d, name), "w"))
        try:
            t = AutoTokenizer.from_pretrained(d)
            one = [{"text": s, "ids": t(s, add_special_tokens=False)["input_ids"], "framed": t(s)["input_ids"]} for s in TEXTS]
            two = []
            for a, b in PAIR:
                e = t(a, b, return_token_type_ids=True)
                two.append({"first": a, "second": b, "ids": e["input_ids"], "types": e["token_type_ids"]})
        except Exception as e:
            return {**case, "error": f"{type(e).__name__}: {e}"[:200]}
        return {**case, "class": type(t).__name__, "one": one, "two": two}
    finally:
        shutil.rmtree(d)


def saved(case):
    """The directory that transformers writes of one, with its tokenizer.json."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as d, tempfile.TemporaryDirectory() as e:
        for name, content in case["files"].items():
            if isinstance(content, str):
                shutil.copy(os.path.join(DIR, content), os.path.join(d, name))
            else:
                json.dump(content, open(os.path.join(d, name), "w"))
        AutoTokenizer.from_pretrained(d).save_pretrained(e)
        files = {n: json.load(open(os.path.join(e, n))) for n in ("tokenizer.json", "tokenizer_config.json")}
    return {"name": case["name"] + ", tokenizer.json", "files": {**files, "config.json": case["files"]["config.json"]}}


def chosen():
    """The directories that are kept: each key that changes ids, alone."""
    bert = {"vocab.txt": "cased.txt"}
    roberta = {"vocab.json": "roberta-vocab.json", "merges.txt": "roberta-merges.txt"}
    gpt2 = {"vocab.json": "gpt2-vocab.json", "merges.txt": "gpt2-merges.txt"}
    strip = {"content": "<mask>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": False}

    def case(name, model, files, config=None, **more):
        out = {**files, "config.json": {"model_type": model}}
        if config is not None:
            out["tokenizer_config.json"] = config
        for k, v in more.items():
            out[k + ".json"] = v
        return {"name": name, "files": out}

    n, m = size("cased.txt"), size("llama.model")
    yield case("bert", "bert", bert)
    yield case("bert, lower case asked for", "bert", bert, {"do_lower_case": True, "tokenizer_class": "BertTokenizer"})
    yield case("bert, capitals", "bert", {"vocab.txt": "lower.txt"}, {"do_lower_case": False})
    yield case("bert, accents kept", "distilbert", bert, {"strip_accents": False, "tokenize_chinese_chars": False})
    yield case("bert, accents stripped", "electra", bert, {"strip_accents": True, "do_lower_case": False})
    yield case("bert, added_tokens.json", "bert", bert, {}, added_tokens={"cool-token": n, "[NEW]": n + 1})
    yield case("bert, added_tokens_decoder", "bert", bert, {"added_tokens_decoder": {
        "4": {"content": "[MASK]", "lstrip": True, "normalized": False, "special": True}, str(n): {"content": "new word", "rstrip": True, "normalized": True}}})
    yield case("bert, other ends", "bert", bert, {"cls_token": "<s>", "sep_token": "[NEW]", "image_token": "<image>"})
    yield case("roberta", "roberta", roberta, {"tokenizer_class": "RobertaTokenizer"})
    yield case("roberta, mask takes a blank", "roberta", roberta, {"add_prefix_space": True}, special_tokens_map={"mask_token": strip})
    yield case("gpt2", "gpt2", gpt2)
    yield case("gpt2, framed", "gpt2", gpt2, {"add_bos_token": True, "add_eos_token": True, "add_prefix_space": True, "bos_token": "<s>", "extra_special_tokens": ["<user>"]})
    yield case("gpt2 by roberta's files", "roberta", roberta, {"tokenizer_class": "GPT2Tokenizer"})
    yield case("qwen2", "qwen2", gpt2, {"tokenizer_class": "LlamaTokenizer", "eos_token": "<|im_end|>", "additional_special_tokens": ["<image>"]})
    yield case("llama, as its model says", "llama", {"tokenizer.model": "llama.model"})
    yield case("llama", "llama", {"tokenizer.model": "llama.model"}, {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_bos_token": True})
    yield case("llama, legacy", "llama", {"tokenizer.model": "llama.model"}, {"tokenizer_class": "LlamaTokenizerFast", "legacy": True, "add_eos_token": True}, added_tokens={"<image>": m})
    yield case("llama, no blank", "llama", {"tokenizer.model": "llama.model"}, {"tokenizer_class": "LlamaTokenizer", "add_prefix_space": False})
    yield case("user-defined pieces", "llama", {"tokenizer.model": "user.model"})
    yield case("user-defined pieces, not legacy", "mistral", {"tokenizer.model": "user.model"}, {"legacy": False})
    yield case("llama, user-defined pieces", "llama", {"tokenizer.model": "user.model"}, {"tokenizer_class": "LlamaTokenizer"})
    yield case("unigram as its model says", "llama", {"tokenizer.model": "bare.model"})
    yield case("t5", "t5", {"spiece.model": "t5.model"}, {"tokenizer_class": "T5Tokenizer"})
    yield case("t5, few sentinels", "t5", {"spiece.model": "t5.model"}, {"extra_ids": 3})
    yield case("xlnet", "xlnet", {"spiece.model": "xlnet.model"})
    yield case("xlnet, lower case, tokens of its own", "xlnet", {"spiece.model": "bare.model"}, {"do_lower_case": True, "mask_token": "<mask>"})
    yield case("gemma", "gemma", {"tokenizer.model": "gemma.model"}, {"add_bos_token": True})
    gemma3 = {"add_bos_token": True, "add_eos_token": False, "tokenizer_class": "GemmaTokenizer", "clean_up_tokenization_spaces": False, "added_tokens_decoder": {
        str(i): {"content": c, "lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": c[0] == "<" or c[0] == "["}
        for i, c in enumerate(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]", "<unused0>", "<start_of_turn>", "<end_of_turn>", "\n", "\n\n", "▁▁", "▁▁▁", "\t"])}}
    yield case("gemma3", "gemma3_text", {"tokenizer.model": "gemma3.model"}, gemma3)
    yield case("gemma3, as its model says", "gemma3_text", {"tokenizer.model": "gemma3.model"})
    piece = {"sentencepiece.bpe.model": "xlmr.model"}
    k = size("xlmr.model")
    mask = {"content": "<mask>", "lstrip": True, "normalized": False, "special": True}
    yield case("xlm-roberta", "xlm-roberta", piece)
    yield case("xlm-roberta, mask takes a blank", "xlm-roberta", piece, {"tokenizer_class": "XLMRobertaTokenizer", "mask_token": {"__type": "AddedToken", **mask}, "model_max_length": 512})
    yield case("xlm-roberta, added_tokens_decoder", "xlm-roberta", piece, {"tokenizer_class": "XLMRobertaTokenizerFast", "add_prefix_space": False, "added_tokens_decoder": {
        "0": {"content": "<s>", "special": True}, str(k + 1): mask, str(k + 2): {"content": "new word", "normalized": True}}})
    yield case("xlm-roberta, other ends", "xlm-roberta", piece, {"bos_token": "<bos>", "eos_token": "<eos>", "additional_special_tokens": ["<image>"]})
    yield case("camembert", "camembert", piece)
    yield case("camembert, a key for each", "camembert", piece, {"tokenizer_class": "CamembertTokenizer", "mask_token": "[MASK]", "pad_token": "[PAD]", "additional_special_tokens": ["<s>NOTUSED", "</s>NOTUSED"]})
    yield case("camembert, added_tokens.json", "camembert", piece, {"tokenizer_class": "CamembertTokenizerFast"}, added_tokens={"cool-token": k + 5})
    for c in list(case(n, t, f, conf) for n, t, f, conf in [("xlm-roberta", "xlm-roberta", piece, None), ("camembert", "camembert", piece, None), ("gemma3", "gemma3_text", {"tokenizer.model": "gemma3.model"}, gemma3)]):
        yield saved(c)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        r = random.Random(1)
        cases = [values(draw(r)) for _ in range(int(sys.argv[1]))]
        json.dump(cases, open(sys.argv[2], "w"), ensure_ascii=False)
        print(sum("error" in c for c in cases), "errors of", len(cases))
    else:
        vocabularies()
        cases = [values(c) for c in chosen()]
        assert not any("error" in c for c in cases), [c for c in cases if "error" in c]
        with open(os.path.join(DIR, "cases.json"), "w") as f:
            f.write("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]\n")
