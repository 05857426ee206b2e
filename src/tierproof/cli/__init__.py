"""The `tierproof` command: one file per command, which calls `api`."""
