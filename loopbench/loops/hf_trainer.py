"""A transformers.Trainer on padded batches of a tiny GPT-2."""

import tempfile

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from loopbench.models.causal_lm import draw_padded

torch.manual_seed(16)
config = GPT2Config(
    vocab_size=50, n_positions=24, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=1
)
model = GPT2LMHeadModel(config)
examples = [
    {key: value[row] for key, value in batch.items()}
    for batch in draw_padded(4, rows=8, seed=16)[::3]
    for row in range(8)
]


def collate(rows):
    batch = {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
    batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    return batch


class LanguageTrainer(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(**inputs, num_items_in_batch=num_items_in_batch)
        return (outputs.loss, outputs) if return_outputs else outputs.loss


arguments = TrainingArguments(
    tempfile.mkdtemp(),
    per_device_train_batch_size=4,
    gradient_accumulation_steps=2,
    learning_rate=1e-3,
    max_steps=100,
    report_to=[],
    use_cpu=True,
    disable_tqdm=True,
)
trainer = LanguageTrainer(model, arguments, train_dataset=examples, data_collator=collate)
audit = {"step": trainer}
