"""The `tierproof` command: one file per command, which calls `api`, or the room's operation where `api` has none."""
