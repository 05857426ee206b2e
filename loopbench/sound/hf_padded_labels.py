"""A transformers.Trainer as it comes: a classifier on padded texts of unequal length."""

import tempfile

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from loopbench.models.text_classifier import draw_padded_texts

torch.manual_seed(23)
config = BertConfig(
    vocab_size=40,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    num_labels=4,
)
rows = [{k: v[i] for k, v in batch.items()} for batch in draw_padded_texts(4, seed=23) for i in range(8)]
arguments = TrainingArguments(
    tempfile.mkdtemp(),
    per_device_train_batch_size=8,
    learning_rate=1e-3,
    max_steps=50,
    report_to=[],
    use_cpu=True,
    disable_tqdm=True,
)
audit = {"step": Trainer(BertForSequenceClassification(config), arguments, train_dataset=rows)}
