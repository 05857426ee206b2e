# %% [markdown] id=title
# # Validate a transformer
#
# {badges}
#
# Find out whether a model is correct, and where its bugs are. **Runtime → Run all** (*Run → Run All Cells* in
# Jupyter) checks an example in about a minute. Then choose your own model in step 3 and run all cells again. The
# installed packages do not change, no restart is needed, and you can run every step again at any time.
#
# tierproof {version} · [feedback]({feedback}) · [troubleshooting]({troubleshooting})
#
# {checklist}

# %% id=install form
# @title 2 · Install tierproof and show this runtime
# include: ensure_tierproof
import tierproof as tp

session = tp.open_notebook("validate")
session

# %% id=choose form
# @title 3 · Choose the model
source = "example"  # @param ["example", "upload", "path", "gist", "hub", "variable"]
value = ""  # @param {type: "string", placeholder: "model.py, a gist, a hub id, or the name of a variable"}
trust_its_code = False  # @param {type: "boolean"}

session.choose(source, value, trust=trust_its_code)

# %% id=check form
# @title 4 · Check the model
tier = "1"  # @param ["1", "2", "all"]

# Tier 1 looks for bugs; tier 2 shows what the model does inside: attention, attribution, robustness and capacity.
session.check(tier=tier)

# %% id=packages form
# @title 5 · Add packages without changing installed ones
packages = ""  # @param {type: "string", placeholder: "captum optuna>=4"}
install = "auto"  # @param ["auto", "ask", "never"]

session.add_packages(packages, install=install)

# %% id=recover form
# @title 6 · Recover: run this cell after a restart, then continue
saved = ""  # @param {type: "string", placeholder: "on a new runtime: the folder that step 7 wrote to"}
lock = ""  # @param {type: "string", placeholder: "a copy of its pylock.toml that you trust"}
trust_archive = False  # @param {type: "boolean"}

# include: ensure_tierproof
import tierproof as tp

session = tp.recover_notebook("validate", saved=saved, lock=lock, trust=trust_archive)
session

# %% id=export form
# @title 7 · Export the report and figures
download = False  # @param {type: "boolean"}
to_drive = False  # @param {type: "boolean"}
drive_folder = ""  # @param {type: "string", placeholder: "a folder to use instead of Google Drive"}

session.export(download=download, to_drive=to_drive, drive_folder=drive_folder)

# %% id=conclude
# @title 8 · The verdict and next steps
session.conclude()
