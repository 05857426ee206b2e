# %% [markdown] id=title
# # Rescue a broken kernel
#
# {badges}
#
# Use this when imports fail after an install, with errors such as `cannot import name '_center'`,
# `numpy.dtype size changed` or `_ARRAY_API not found`: the install replaced files of a package that the kernel had
# loaded. **Copy these cells into the broken notebook and run them there.** They repair that kernel, usually without
# a restart, and keep your variables.
#
# tierproof {version} · [feedback]({feedback}) · [troubleshooting]({troubleshooting})
#
# {checklist}

# %% id=install form
# @title 2 · Install tierproof and show this runtime
# include: ensure_tierproof
import tierproof as tp

session = tp.open_notebook("rescue", heal=False)
session

# %% id=examine
# @title 3 · Find the broken packages and the cause
session.examine()

# %% id=heal
# @title 4 · Repair them
session.heal()

# %% id=go_on
# @title 5 · Add packages without breaking the kernel again
packages = ""  # @param {type: "string", placeholder: "the packages you wanted to install"}
install = "auto"  # @param ["auto", "ask", "never"]

session.add_packages(packages, install=install)
