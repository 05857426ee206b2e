"""The page of all attention heads, which open: one picture, one script, nothing from the network."""
