"""One trunk, two heads, two losses that are added."""

import torch
from torch.nn import functional as F

from loopbench.models.masked_lm import Tagger
from loopbench.models.text_classifier import draw_texts

torch.manual_seed(18)
model = Tagger()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)


def step(batch):
    tokens, topics = batch
    model.train()
    optimizer.zero_grad()
    answer = model(tokens)
    topic_loss = F.cross_entropy(answer["topic"], topics)
    tag_loss = F.cross_entropy(answer["tags"].transpose(1, 2), tokens % 6)
    loss = topic_loss + 0.5 * tag_loss
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=18)}
