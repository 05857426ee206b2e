"""Two losses of one batch, each with a backward pass of its own."""

import torch
from torch.nn import functional as F

from loopbench.models.masked_lm import Tagger
from loopbench.models.text_classifier import draw_texts

torch.manual_seed(35)
model = Tagger()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)


def step(batch):
    tokens, topics = batch
    model.train()
    optimizer.zero_grad()
    topic_loss = F.cross_entropy(model(tokens)["topic"], topics)
    topic_loss.backward()
    tag_loss = F.cross_entropy(model(tokens)["tags"].flatten(0, 1), (tokens % 6).flatten())
    tag_loss.backward()
    optimizer.step()
    return topic_loss.item() + tag_loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=35)}
