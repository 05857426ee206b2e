# %% [markdown] id=title
# # Check a model that is in memory
#
# {badges}
#
# Five cells: run them all, then put your own model in place of the example in the third. Nothing that is installed
# here is changed. For more, there is [the longer notebook]({validate}).
#
# tierproof {version} · [feedback]({feedback}) · [troubleshooting]({troubleshooting})
#
# {checklist}

# %% id=install form
# @title 2 · Install tierproof, and look at this runtime
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
# @title 5 · The verdict, and what else there is
session.conclude()
