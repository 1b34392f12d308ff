"""Writes the model directories beside it, tiny and random, as transformers saves them, and
values.json: of every tensor that a model's state dict has, once, the shape and the sha256 of
its values in little-endian float32.

    python make.py [NAME…]

of some of them, or of all. Written for Python 3.11, torch 2.15.0 (CPU), transformers 5.23.0 (from gpt2-tokens on
5.24.0), tokenizers 0.23.3.
"""

import hashlib
import json
import pathlib
import shutil
import sys

import tokenizers
import torch
import transformers
from transformers import (
    BertModel, CamembertConfig, CamembertForMaskedLM, Gemma3ForCausalLM, Gemma3TextConfig, Gemma3TextModel, GemmaConfig, GemmaForCausalLM, GPT2Model,
    MistralConfig, MistralForCausalLM, MistralForSequenceClassification, T5EncoderModel, XLMRobertaConfig, XLMRobertaForMaskedLM, XLMRobertaModel,
    XLNetModel, BertConfig, BertForMaskedLM, BertForPreTraining, BertForQuestionAnswering, BertForSequenceClassification, BertForTokenClassification,
    DistilBertConfig, DistilBertForMaskedLM, DistilBertForQuestionAnswering, DistilBertForSequenceClassification,
    DistilBertForTokenClassification, GPT2Config, GPT2ForQuestionAnswering, GPT2ForSequenceClassification, GPT2ForTokenClassification,
    GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, LlamaForQuestionAnswering, LlamaForSequenceClassification,
    LlamaForTokenClassification, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, Qwen2ForQuestionAnswering,
    Qwen2ForSequenceClassification, Qwen2ForTokenClassification, Qwen3Config, Qwen3ForCausalLM, Qwen3ForQuestionAnswering,
    Qwen3ForSequenceClassification, Qwen3ForTokenClassification, RobertaConfig, RobertaForMaskedLM, RobertaForQuestionAnswering,
    RobertaForSequenceClassification, RobertaForTokenClassification, T5Config, T5ForConditionalGeneration, T5ForQuestionAnswering,
    T5ForSequenceClassification, T5ForTokenClassification, XLNetConfig, XLNetForQuestionAnsweringSimple,
    XLNetForSequenceClassification, XLNetForTokenClassification, XLNetLMHeadModel)

HERE = pathlib.Path(__file__).parent
VOCAB = 300
TEXT = ["the cat sat on the mat and the dog sat on the log", "a model of a model is a model", "this and that and the other"] * 4


def tokenizer():
    t = tokenizers.Tokenizer(tokenizers.models.BPE())
    t.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = tokenizers.decoders.ByteLevel()
    t.train_from_iterator(TEXT, tokenizers.trainers.BpeTrainer(
        vocab_size=VOCAB - 4, special_tokens=["<|endoftext|>", "<|pad|>"], show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<|endoftext|>", eos_token="<|endoftext|>", pad_token="<|pad|>")


ends = dict(bos_token_id=0, eos_token_id=0, pad_token_id=1)
gpt2 = dict(vocab_size=VOCAB, n_positions=32, n_embd=16, n_layer=2, n_head=2, **ends)
llama = dict(vocab_size=VOCAB, max_position_embeddings=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, **ends)
bert = dict(vocab_size=VOCAB, max_position_embeddings=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, **ends)
distilbert = dict(vocab_size=VOCAB, max_position_embeddings=32, dim=16, hidden_dim=24, n_layers=2, n_heads=2, **ends)
t5 = dict(vocab_size=VOCAB, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, eos_token_id=0, pad_token_id=1, decoder_start_token_id=1)
xlnet = dict(vocab_size=VOCAB, d_model=16, n_layer=2, n_head=2, d_inner=24, **ends)
labels = dict(id2label={0: "neg", 1: "neutral", 2: "pos"}, label2id={"neg": 0, "neutral": 1, "pos": 2})
# name, class, config, type of the saved weights, largest shard
MODELS = [
    ("gpt2", GPT2LMHeadModel, GPT2Config(**gpt2), torch.float32, "1GB"),
    ("gpt2-sharded-bf16", GPT2LMHeadModel, GPT2Config(**gpt2), torch.bfloat16, "10KB"),
    ("gpt2-classifier-fp16", GPT2ForSequenceClassification, GPT2Config(**gpt2, **labels), torch.float16, "1GB"),
    ("llama", LlamaForCausalLM, LlamaConfig(**llama), torch.float32, "1GB"),
    ("llama-tied-sharded-bf16", LlamaForCausalLM, LlamaConfig(**llama, tie_word_embeddings=True), torch.bfloat16, "10KB"),
    ("llama-classifier", LlamaForSequenceClassification, LlamaConfig(**llama, **labels), torch.float32, "1GB"),
    ("qwen3", Qwen3ForCausalLM, Qwen3Config(**{**llama, "head_dim": 4}, tie_word_embeddings=True), torch.float32, "1GB"),
    ("bert", BertForMaskedLM, BertConfig(**bert), torch.float32, "1GB"),
    ("bert-classifier-fp16", BertForSequenceClassification, BertConfig(**bert, **labels), torch.float16, "10KB"),
    ("bert-tokens", BertForTokenClassification, BertConfig(**bert, **labels), torch.float32, "1GB"),
    ("bert-answers", BertForQuestionAnswering, BertConfig(**bert), torch.float32, "1GB"),
    ("roberta", RobertaForMaskedLM, RobertaConfig(**bert), torch.float32, "1GB"),
    ("roberta-classifier", RobertaForSequenceClassification, RobertaConfig(**bert, **labels), torch.bfloat16, "1GB"),
    ("distilbert", DistilBertForMaskedLM, DistilBertConfig(**distilbert), torch.float32, "1GB"),
    ("distilbert-classifier", DistilBertForSequenceClassification, DistilBertConfig(**distilbert, **labels), torch.float32, "1GB"),
    ("t5", T5ForConditionalGeneration, T5Config(**t5), torch.float32, "1GB"),
    ("t5-v1.1-sharded-bf16", T5ForConditionalGeneration, T5Config(**t5, feed_forward_proj="gated-gelu"), torch.bfloat16, "10KB"),
    ("xlnet", XLNetLMHeadModel, XLNetConfig(**xlnet), torch.float32, "1GB"),
    ("xlnet-classifier", XLNetForSequenceClassification, XLNetConfig(**xlnet, **labels), torch.float32, "1GB"),
    ("qwen2", Qwen2ForCausalLM, Qwen2Config(**llama), torch.bfloat16, "1GB"),
    ("llama-answers", LlamaForQuestionAnswering, LlamaConfig(**llama), torch.float32, "1GB"),
    ("t5-classifier", T5ForSequenceClassification, T5Config(**t5, **labels), torch.float32, "1GB"),
    ("t5-tokens", T5ForTokenClassification, T5Config(**t5, **labels), torch.float32, "1GB"),
    ("t5-answers", T5ForQuestionAnswering, T5Config(**t5), torch.float32, "1GB"),
    # As the published T5 1.1: an output matrix of its own, outputs that are not scaled.
    ("t5-v1.1-untied", T5ForConditionalGeneration, T5Config(**t5, feed_forward_proj="gated-gelu", tie_word_embeddings=False), torch.float32, "1GB"),
    ("gpt2-tokens", GPT2ForTokenClassification, GPT2Config(**gpt2, **labels), torch.bfloat16, "1GB"),
    ("gpt2-answers", GPT2ForQuestionAnswering, GPT2Config(**gpt2), torch.float16, "1GB"),
    ("llama-tokens", LlamaForTokenClassification, LlamaConfig(**llama, **labels), torch.float16, "10KB"),
    ("qwen2-classifier", Qwen2ForSequenceClassification, Qwen2Config(**llama, **labels), torch.float16, "1GB"),
    ("qwen2-tokens", Qwen2ForTokenClassification, Qwen2Config(**llama, **labels), torch.bfloat16, "1GB"),
    ("qwen2-answers", Qwen2ForQuestionAnswering, Qwen2Config(**llama), torch.float16, "1GB"),
    ("qwen3-classifier", Qwen3ForSequenceClassification, Qwen3Config(**{**llama, "head_dim": 4}, **labels), torch.bfloat16, "10KB"),
    ("qwen3-tokens", Qwen3ForTokenClassification, Qwen3Config(**{**llama, "head_dim": 4}, **labels), torch.float16, "1GB"),
    ("qwen3-answers", Qwen3ForQuestionAnswering, Qwen3Config(**{**llama, "head_dim": 4}), torch.bfloat16, "1GB"),
    ("bert-pretraining", BertForPreTraining, BertConfig(**bert), torch.float16, "10KB"),
    ("roberta-tokens", RobertaForTokenClassification, RobertaConfig(**bert, **labels), torch.float16, "1GB"),
    ("roberta-answers", RobertaForQuestionAnswering, RobertaConfig(**bert), torch.bfloat16, "1GB"),
    ("distilbert-tokens", DistilBertForTokenClassification, DistilBertConfig(**distilbert, **labels), torch.float16, "1GB"),
    ("distilbert-answers", DistilBertForQuestionAnswering, DistilBertConfig(**distilbert), torch.bfloat16, "10KB"),
    ("xlnet-tokens", XLNetForTokenClassification, XLNetConfig(**xlnet, **labels), torch.bfloat16, "1GB"),
    ("xlnet-answers", XLNetForQuestionAnsweringSimple, XLNetConfig(**xlnet), torch.float16, "10KB"),
    ("xlnet-memory", XLNetLMHeadModel, XLNetConfig(**xlnet, mem_len=8, use_mems_train=True), torch.bfloat16, "1GB"),
    ("mistral", MistralForCausalLM, MistralConfig(**llama, sliding_window=4), torch.float32, "1GB"),
    ("mistral-classifier", MistralForSequenceClassification, MistralConfig(**llama, sliding_window=None, **labels), torch.bfloat16, "10KB"),
    ("gemma", GemmaForCausalLM, GemmaConfig(**llama, head_dim=6), torch.float32, "1GB"),
    ("gemma3", Gemma3ForCausalLM, Gemma3TextConfig(**llama, head_dim=6, sliding_window=4, query_pre_attn_scalar=7, layer_types=["sliding_attention", "full_attention"]),
     torch.float32, "1GB"),
    ("qwen2-window", Qwen2ForCausalLM, Qwen2Config(**llama, use_sliding_window=True, sliding_window=4, max_window_layers=1), torch.float32, "1GB"),
    ("xlm-roberta", XLMRobertaForMaskedLM, XLMRobertaConfig(**bert), torch.float32, "1GB"),
    ("camembert", CamembertForMaskedLM, CamembertConfig(**bert), torch.float16, "1GB"),
    # Without a head.
    ("bert-base", BertModel, BertConfig(**bert), torch.float32, "1GB"),
    ("xlm-roberta-base", XLMRobertaModel, XLMRobertaConfig(**bert), torch.float16, "10KB"),
    ("gpt2-base", GPT2Model, GPT2Config(**gpt2), torch.bfloat16, "1GB"),
    ("gemma3-base", Gemma3TextModel, Gemma3TextConfig(**llama, head_dim=6, sliding_window=4, query_pre_attn_scalar=7), torch.float16, "1GB"),
    ("t5-encoder", T5EncoderModel, T5Config(**t5), torch.bfloat16, "1GB"),
    ("xlnet-base", XLNetModel, XLNetConfig(**xlnet), torch.float16, "1GB"),
]
values = json.loads((HERE / "values.json").read_text())["models"] if sys.argv[1:] else {}
for i, (name, cls, config, dtype, shard) in enumerate(MODELS):
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    torch.manual_seed(i)
    model = cls(config)
    if name == "t5-v1.1-untied":
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))
    with torch.no_grad():
        for p in model.parameters():  # norms and biases too, that each tensor be its own
            p.add_(torch.randn_like(p) * 0.1)
    model = model.to(dtype)
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    model.save_pretrained(directory, max_shard_size=shard)
    tokenizer().save_pretrained(directory)
    seen, tensors = set(), {}
    for key, t in sorted(model.state_dict().items(), key=lambda kv: "lm_head.decoder." in kv[0]):  # a tied one by the embedding's name
        if t.data_ptr() not in seen:
            seen.add(t.data_ptr())
            tensors[key] = [list(t.shape), hashlib.sha256(t.to(torch.float32).contiguous().numpy().tobytes()).hexdigest()]
    values[name] = dict(architecture=cls.__name__, tensors=tensors)
(HERE / "values.json").write_text(json.dumps(dict(torch=torch.__version__, transformers=transformers.__version__,
                                                  tokenizers=tokenizers.__version__, models=values), indent=1) + "\n")
