"""A transformers.Trainer on a tiny Llama, with accumulation and labels that are the tokens."""

import tempfile

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from loopbench.models.causal_lm import draw_documents

torch.manual_seed(24)
config = LlamaConfig(
    vocab_size=50,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=32,
)
documents = torch.cat(draw_documents(4, seed=24))
rows = [{"input_ids": text, "labels": text.clone()} for text in documents]
arguments = TrainingArguments(
    tempfile.mkdtemp(),
    per_device_train_batch_size=4,
    gradient_accumulation_steps=2,
    learning_rate=1e-3,
    warmup_steps=5,
    weight_decay=0.01,
    max_steps=50,
    report_to=[],
    use_cpu=True,
    disable_tqdm=True,
)
audit = {"step": Trainer(LlamaForCausalLM(config), arguments, train_dataset=rows)}
