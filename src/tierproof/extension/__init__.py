"""`%load_ext tierproof`: judges install commands of cells before they run, and the `%tierproof` magic."""
