"""Adds packages to a live environment without replacing what is loaded, and mends what an installer broke."""
