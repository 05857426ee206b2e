"""In Keras' manner: compile, train_on_batch, metrics that keep sums."""

import torch
from torch import nn

from loopbench.models.conv_net import ConvNet, draw_images


class Mean:
    def __init__(self):
        self.total, self.count = 0.0, 0

    def update_state(self, value, rows):
        self.total += float(value) * rows
        self.count += rows

    def result(self):
        return self.total / max(1, self.count)


class Model:
    def __init__(self, network):
        self.network = network

    def compile(self, optimizer, loss):
        self.optimizer, self.loss = optimizer, loss
        self.metrics = {"loss": Mean(), "accuracy": Mean()}

    def train_on_batch(self, data):
        x, y = data
        self.network.train(True)
        y_pred = self.network(x)
        loss = self.loss(y_pred, y)
        self.network.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.metrics["loss"].update_state(loss.detach(), len(y))
        self.metrics["accuracy"].update_state((y_pred.argmax(-1) == y).float().mean(), len(y))
        return {"loss": loss.item(), "accuracy": self.metrics["accuracy"].result()}


torch.manual_seed(22)
network = ConvNet()
model = Model(network)
model.compile(torch.optim.RMSprop(network.parameters(), lr=1e-3), nn.CrossEntropyLoss())
audit = {"step": model.train_on_batch, "batches": draw_images(4, seed=22)}
