# %% [markdown] id=title
# # Check a model in memory
#
# {badges}
#
# Run all six cells, then replace the examples in the third and fifth cell by your own model and training step. The
# installed packages do not change. [The longer notebook]({validate}) also loads models from files, gists and the hub.
#
# tierproof {version} · [feedback]({feedback}) · [troubleshooting]({troubleshooting})
#
# {checklist}

# %% id=install form
# @title 2 · Install tierproof and show this runtime
# include: ensure_tierproof
import tierproof as tp

session = tp.open_notebook("quickstart")
session

# %% id=model
# @title 3 · Your model: any nn.Module
from tierproof.notebooks.example_model import CharGPT, CharGPTConfig

model = CharGPT(CharGPTConfig(vocab_size=96, max_length=64, width=48, heads=3, blocks=2))

# %% id=check
# @title 4 · Check it
session.check(model)

# %% id=audit
# @title 5 · Audit your training step: step(batch) trains once and returns its loss
import torch

optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
texts = torch.randint(0, 96, (3, 4, 33))


def step(batch):
    optimizer.zero_grad()
    scores = model(batch[:, :-1])
    loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), batch[:, 1:].flatten())
    loss.backward()
    optimizer.step()
    return loss.item()


session.audit(step, texts)

# %% id=conclude
# @title 6 · The verdict and next steps
session.conclude()
