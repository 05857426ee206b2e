"""`T1-ALSO-002`: every hidden state that is returned is the embedding."""

from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(32, 16), nn.Linear(16, 32)
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))

    def forward(self, ids, output_hidden_states=False):
        embedded = x = self.embed(ids)
        states = [embedded]
        for layer in self.layers:
            x = x + layer(x).tanh()
            states.append(embedded)  # wrong: appends the same tensor each time
            states.append(x)  # right: appends what the layer returned
        logits = self.head(x)
        return {"logits": logits, "hidden_states": states} if output_hidden_states else {"logits": logits}
