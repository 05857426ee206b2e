# %% [markdown] id=title
# # Check a model in memory
#
# {badges}
#
# Run all five cells, then replace the example in the third cell by your own model. The installed packages do not
# change. [The longer notebook]({validate}) also loads models from files, gists and the hub.
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

# %% id=conclude
# @title 5 · The verdict and next steps
session.conclude()
