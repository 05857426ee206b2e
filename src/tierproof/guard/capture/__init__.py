"""Reads what an environment has installed and what this process has loaded, into a `Base`."""
