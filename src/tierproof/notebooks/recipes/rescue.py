# %% [markdown] id=title
# # Rescue a broken kernel
#
# {badges}
#
# For a kernel in which imports fail since something was installed: `cannot import name '_center'`,
# `numpy.dtype size changed`, `_ARRAY_API not found`. An installer has replaced files of a package that the kernel
# had loaded. **Copy these cells into the broken notebook and run them there**: they mend the kernel that they run
# in, mostly without a restart, and your variables stay.
#
# tierproof {version} · [feedback]({feedback}) · [troubleshooting]({troubleshooting})
#
# {checklist}

# %% id=install form
# @title 2 · Install tierproof, and look at this runtime
# include: ensure_tierproof
import tierproof as tp

session = tp.open_notebook("rescue", heal=False)
session

# %% id=examine
# @title 3 · What is torn, and what tore it
session.examine()

# %% id=heal
# @title 4 · Mend it
session.heal()

# %% id=go_on
# @title 5 · Go on: add packages without breaking it again
packages = ""  # @param {type: "string", placeholder: "what you wanted to install"}
install = "auto"  # @param ["auto", "ask", "never"]

session.add_packages(packages, install=install)
