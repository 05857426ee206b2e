"""`T1-SAVE-003`: a lambda refers to the layer of the original, and a deep copy keeps using it."""

from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.mix, self.head = nn.Linear(16, 16), nn.Linear(16, 32)
        mix = self.mix  # wrong
        self.block = lambda x: x + mix(x)  # wrong: deepcopy does not copy closures

    def block(self, x):  # right
        return x + self.mix(x)  # right

    def forward(self, tokens):
        return self.head(self.block(self.embed(tokens)))
