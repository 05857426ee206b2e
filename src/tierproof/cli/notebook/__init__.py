"""`tierproof notebook build` and `check`."""
