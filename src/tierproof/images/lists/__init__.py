"""A list of packages: its file formats, its name, and the checks it must pass."""
