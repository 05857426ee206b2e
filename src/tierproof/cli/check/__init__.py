"""`tierproof check`, which runs the checks in a child process."""
