"""A student of the same shape learns from a frozen teacher."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(38)
teacher = TextClassifier().eval()
student = TextClassifier()
optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3)
T, alpha = 2.0, 0.5


def distill(batch):
    x, y = batch
    student.train()
    with torch.no_grad():
        wise = teacher(x)
    scores = student(x)
    soft = F.kl_div(F.log_softmax(scores / T, -1), F.softmax(wise / T, -1), reduction="batchmean") * T * T
    loss = alpha * soft + (1 - alpha) * F.cross_entropy(scores, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": distill, "batches": draw_texts(4, seed=38)}
